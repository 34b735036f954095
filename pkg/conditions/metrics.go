// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1helper "github.com/gardener/gardener/pkg/api/extensions/v1alpha1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const readTimeout = 5 * time.Second

var description = prometheus.NewDesc("otel_federation_extension_condition",
	"Condition of an Extension: 1 if it is True, 0 if it is False, -1 otherwise.", []string{"extension", "condition", "reason"}, nil)

// Metrics tells the conditions of the Extensions of this type and of a class as metrics. It implements [prometheus.Collector].
type Metrics struct {
	// Reader reads Extensions, from a cache.
	Reader client.Reader
	// Namespace is the namespace of the Extensions.
	Namespace string
	// Class is the class of the Extensions. In the runtime cluster there may be some of both.
	Class extensionsv1alpha1.ExtensionClass
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
		// The cache has not started yet. An invalid metric would take all other metrics of the process with it.
		return
	}
	for i := range list.Items {
		ex := &list.Items[i]
		if ex.Spec.Type != constants.ExtensionType || extensionsv1alpha1helper.GetExtensionClassOrDefault(ex.Spec.Class) != m.Class {
			continue
		}
		for _, condition := range ex.Status.Conditions {
			metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value(condition.Status), ex.Name, string(condition.Type), condition.Reason)
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
