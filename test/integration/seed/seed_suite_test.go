// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seed_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/seed"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

func TestSeed(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(10 * time.Second)
	SetDefaultConsistentlyDuration(2 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Test Integration Seed Suite")
}

const seedName = "seed-1"

var cluster *framework.Cluster

// The seed is not the runtime cluster: it does not know the kind Garden.
var _ = BeforeSuite(func() {
	cluster = framework.StartCluster(framework.SeedCRDs...)
	framework.StartManager(cluster, func(ctx context.Context, mgr manager.Manager) error {
		return seed.AddToManagerWithOptions(ctx, mgr, seed.AddOptions{ControllerOptions: framework.ControllerOptions(), SeedName: seedName})
	})
})
