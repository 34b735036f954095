// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector_test

import (
	"testing"

	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	kubernetesclient "github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

// BenchmarkDeploy renders all objects and deploys them to a client that keeps them in memory, as each reconciliation does.
func BenchmarkDeploy(b *testing.B) {
	component := gardencollector.New(fakeclient.NewClientBuilder().WithScheme(kubernetesclient.SeedScheme).Build(), collectortest.Namespace, defaultValues())
	b.ReportAllocs()
	for b.Loop() {
		if err := component.Deploy(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkConfig renders the configuration of a collector.
func BenchmarkConfig(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		config := gardencollector.Config(defaultValues())
		if _, err := config.Yaml(); err != nil {
			b.Fatal(err)
		}
	}
}
