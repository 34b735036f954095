// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/garden"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

func TestGarden(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(15 * time.Second)
	SetDefaultConsistentlyDuration(2 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Test Integration Garden Suite")
}

const ingressNamespace = "virtual-garden-istio-ingress"

var cluster *framework.Cluster

var _ = BeforeSuite(func(ctx context.Context) {
	cluster = framework.StartCluster(framework.RuntimeCRDs...)
	Expect(cluster.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: ingressNamespace}})).To(Succeed())
	framework.StartManager(cluster, func(ctx context.Context, mgr manager.Manager) error {
		return garden.AddToManagerWithOptions(ctx, mgr, garden.AddOptions{ControllerOptions: framework.ControllerOptions()})
	})
}, NodeTimeout(2*time.Minute))
