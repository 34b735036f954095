// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/cmd/gardener-extension-otel-federation/app"
)

const stopTimeout = 40 * time.Second

// ControllerOptions are the options for the controllers of a suite.
func ControllerOptions() controller.Options {
	return controller.Options{SkipNameValidation: new(true)}
}

// StartManager runs a manager like that of the extension until the suite or test that starts it ends. The given function adds
// the controllers.
func StartManager(cluster *Cluster, add func(context.Context, manager.Manager) error) {
	GinkgoHelper()

	mgr, err := manager.New(cluster.Config, managerOptions())
	Expect(err).NotTo(HaveOccurred())

	ctx, cancel := context.WithCancel(context.Background())
	Expect(add(ctx, mgr)).To(Succeed())

	result := make(chan error, 1)
	go func() {
		result <- mgr.Start(ctx)
	}()
	DeferCleanup(func() {
		cancel()
		Eventually(result).WithTimeout(stopTimeout).Should(Receive(BeNil()))
	})
}

// managerOptions are those of the command of the extension, without its servers and leader election.
func managerOptions() manager.Options {
	opts := app.ManagerOptions()
	opts.Metrics = metricsserver.Options{BindAddress: "0"}
	return opts
}

// clientScheme also knows what the virtual garden serves.
func clientScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(kubernetes.AddSeedSchemeToScheme(scheme))
	utilruntime.Must(gardencorev1beta1.AddToScheme(scheme))
	return scheme
}
