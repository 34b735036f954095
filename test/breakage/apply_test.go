// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package breakage_test

import (
	"context"

	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/changes"
)

// breakage is a change that breaks the federation.
type breakage struct {
	// seedCollector changes the collector of the seed.
	seedCollector func(*otelv1beta1.Config)
	// gardenCollectors changes the fan-out collectors.
	gardenCollectors func(*otelv1beta1.Config)
	// gardenPrometheus changes the garden Prometheus.
	gardenPrometheus func(*monitoringv1.Prometheus)
	// changes are changes of the seed's corpus which are made after that.
	changes *corpus.Changes
	// families are families that must be named.
	families []string
	// intact are families that must not be named.
	intact []string
}

// apply makes the change and returns a function that undoes it.
func (b breakage) apply(ctx context.Context) func(context.Context) {
	var restores []func(context.Context)
	if b.seedCollector != nil {
		restores = append(restores, changes.To(ctx, ls.Seed(seed), constants.SeedCollectorName, changes.Collectors(b.seedCollector, constants.SeedCollectorName)))
	}
	if b.gardenCollectors != nil {
		restores = append(restores, changes.To(ctx, ls.Runtime(), constants.GardenCollectorName,
			changes.Collectors(b.gardenCollectors, constants.GardenCollectorName+"-0", constants.GardenCollectorName+"-1")))
	}
	if b.gardenPrometheus != nil {
		restores = append(restores, changes.To(ctx, ls.Runtime(), "prometheus-garden", func(ctx context.Context, c client.Client) {
			prometheus := &monitoringv1.Prometheus{ObjectMeta: metav1.ObjectMeta{Namespace: gardener.Namespace, Name: "garden"}}
			changes.Update(ctx, c, prometheus, func() { b.gardenPrometheus(prometheus) })
		}))
	}
	if b.changes != nil {
		expectFederatedAnew(ctx)
		Expect(ls.ChangeCorpus(seed, *b.changes)).To(Succeed())
		restores = append(restores, func(context.Context) { Expect(ls.ChangeCorpus(seed, corpus.Changes{})).To(Succeed()) })
	}
	return func(ctx context.Context) {
		for _, restore := range restores {
			restore(ctx)
		}
	}
}
