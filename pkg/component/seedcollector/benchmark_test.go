// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seedcollector_test

import (
	"testing"

	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	kubernetesclient "github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/seedcollector"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

// BenchmarkDeploy renders all objects and deploys them to a client that keeps them in memory, as each reconciliation does.
func BenchmarkDeploy(b *testing.B) {
	component := seedcollector.New(fakeclient.NewClientBuilder().WithScheme(kubernetesclient.SeedScheme).Build(), collectortest.Namespace, defaultValues())
	b.ReportAllocs()
	for b.Loop() {
		if err := component.Deploy(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConfig renders the configuration of the collector.
func BenchmarkConfig(b *testing.B) {
	values := defaultValues()
	values.Selectors = seedcollector.DefaultSelectors()
	b.ReportAllocs()
	for b.Loop() {
		config := seedcollector.Config(values)
		if _, err := config.Yaml(); err != nil {
			b.Fatal(err)
		}
	}
}
