// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	credentialscontroller "github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

func TestCredentials(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(15 * time.Second)
	SetDefaultEventuallyPollingInterval(50 * time.Millisecond)
	SetDefaultConsistentlyDuration(2 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Test Integration Credentials Suite")
}

var (
	runtimeCluster *framework.Cluster
	virtualGarden  *framework.Cluster
	// proxy stands between the controller and the virtual garden.
	proxy *framework.Proxy
)

var _ = BeforeSuite(func(ctx context.Context) {
	runtimeCluster = framework.StartCluster(framework.RuntimeCRDs...)
	virtualGarden = framework.StartVirtualGarden()
	proxy = framework.StartProxy(virtualGarden.Address())

	for _, object := range credentialscontroller.VirtualGardenObjects() {
		Expect(virtualGarden.Client.Create(ctx, object)).To(Succeed())
	}
	createAccess(ctx)
	createGarden(ctx)

	framework.StartManager(runtimeCluster, func(ctx context.Context, mgr manager.Manager) error {
		return credentialscontroller.AddToManagerWithOptions(ctx, mgr, credentialscontroller.AddOptions{
			Controller:       framework.ControllerOptions(),
			ExtensionClasses: []extensionsv1alpha1.ExtensionClass{extensionsv1alpha1.ExtensionClassGarden},
		})
	})
}, NodeTimeout(2*time.Minute))
