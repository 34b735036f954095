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
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	gardencluster "sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentialscopy"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/federationhealth"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/lease"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/poller"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/seed"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

func TestSeed(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(10 * time.Second)
	SetDefaultConsistentlyDuration(2 * time.Second)
	poller.Interval = time.Second
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Test Integration Seed Suite")
}

const (
	seedName      = "seed-1"
	seedNamespace = "seed-seed-1"

	// pollTimeout is for what is found out by looking at it every ten seconds.
	pollTimeout = 30 * time.Second
)

var cluster *framework.Cluster

// The seed is not the runtime cluster: it does not know the kind Garden. It plays the virtual garden, too, of which nothing but
// the namespace of the seed matters here.
var _ = BeforeSuite(func(ctx context.Context) {
	cluster = framework.StartCluster(framework.SeedCRDs...)
	Expect(cluster.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: seedNamespace}})).To(Succeed())

	framework.StartManager(cluster, func(ctx context.Context, mgr manager.Manager) error {
		garden, err := gardencluster.New(cluster.Config, func(o *gardencluster.Options) {
			o.Scheme = kubernetes.GardenScheme
			o.Cache = credentialscopy.GardenCacheOptions(seedName)
		})
		if err != nil {
			return err
		}
		if err := mgr.Add(garden); err != nil {
			return err
		}
		if err := lease.AddToManagerWithOptions(ctx, mgr, lease.AddOptions{
			Controller:       framework.ControllerOptions(),
			GardenCluster:    garden,
			SeedName:         seedName,
			ExtensionClasses: []extensionsv1alpha1.ExtensionClass{extensionsv1alpha1.ExtensionClassSeed},
		}); err != nil {
			return err
		}
		if err := federationhealth.AddToManagerWithOptions(ctx, mgr, federationhealth.AddOptions{
			Controller:     framework.ControllerOptions(),
			ExtensionClass: extensionsv1alpha1.ExtensionClassSeed,
			SeedName:       seedName,
		}); err != nil {
			return err
		}
		return seed.AddToManagerWithOptions(ctx, mgr, seed.AddOptions{
			ControllerOptions: framework.ControllerOptions(),
			SeedName:          seedName,
			GardenReader:      garden.GetAPIReader(),
		})
	})
}, NodeTimeout(2*time.Minute))
