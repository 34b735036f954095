// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package example_test

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

func TestExample(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(10 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Test Integration Example Suite")
}

// runtimeCluster is the garden runtime cluster and a seed.
var runtimeCluster, virtualGarden *framework.Cluster

var _ = BeforeSuite(func() {
	runtimeCluster = framework.StartCluster(
		"example/operator/10-crd-operator.gardener.cloud_extensions.yaml",
		"example/operator/10-crd-operator.gardener.cloud_gardens.yaml",
		"example/seed-crds/10-crd-autoscaling.k8s.io_verticalpodautoscalers.yaml",
		"example/seed-crds/10-crd-extensions.gardener.cloud_extensions.yaml",
		"example/seed-crds/10-crd-monitoring.coreos.com_servicemonitors.yaml",
	)
	virtualGarden = framework.StartVirtualGarden()
})
