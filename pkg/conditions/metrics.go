// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const readTimeout = 5 * time.Second

var description = prometheus.NewDesc("otel_federation_extension_condition",
	"Condition of an Extension: 1 if it is True, 0 if it is False, -1 otherwise.", []string{"extension", "condition", "reason"}, nil)

// Metrics tells the conditions of all Extensions of this type as metrics. It implements [prometheus.Collector].
type Metrics struct {
	// Reader reads Extensions, from a cache.
	Reader client.Reader
	// Namespace is the namespace of the Extensions.
	Namespace string
}

// Describe implements [prometheus.Collector].
func (m *Metrics) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- description
}

// Collect implements [prometheus.Collector].
func (m *Metrics) Collect(metrics chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()

	list := &extensionsv1alpha1.ExtensionList{}
	if err := m.Reader.List(ctx, list, client.InNamespace(m.Namespace)); err != nil {
		metrics <- prometheus.NewInvalidMetric(description, err)
		return
	}
	for i := range list.Items {
		if list.Items[i].Spec.Type != constants.ExtensionType {
			continue
		}
		for _, condition := range list.Items[i].Status.Conditions {
			metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value(condition.Status), list.Items[i].Name, string(condition.Type), condition.Reason)
		}
	}
}

func value(status gardencorev1beta1.ConditionStatus) float64 {
	switch status {
	case gardencorev1beta1.ConditionTrue:
		return 1
	case gardencorev1beta1.ConditionFalse:
		return 0
	default:
		return -1
	}
}
