// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	vpaautoscalingv1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	extensionscontroller "github.com/gardener/gardener/extensions/pkg/controller"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
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
	return manager.Options{
		Scheme:  managerScheme(),
		Metrics: metricsserver.Options{BindAddress: "0"},
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{
			&corev1.ConfigMap{},
			&corev1.Namespace{},
			&corev1.PersistentVolumeClaim{},
			&corev1.Pod{},
			&corev1.Secret{},
			&appsv1.StatefulSet{},
			&coordinationv1.Lease{},
			&otelv1beta1.OpenTelemetryCollector{},
		}}},
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{v1beta1constants.GardenNamespace: {}},
			ByObject: map[client.Object]cache.ByObject{
				&corev1.Secret{}: {Field: fields.OneTermEqualSelector(metav1.ObjectNameField, constants.CredentialsSecretName)},
			},
		},
	}
}

func managerScheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	utilruntime.Must(extensionscontroller.AddToScheme(scheme))
	utilruntime.Must(operatorv1alpha1.AddToScheme(scheme))
	utilruntime.Must(otelv1beta1.AddToScheme(scheme))
	utilruntime.Must(monitoringv1.AddToScheme(scheme))
	utilruntime.Must(istionetworkingv1beta1.AddToScheme(scheme))
	return scheme
}

// clientScheme also knows what the controllers only write into ManagedResources, and what the virtual garden serves.
func clientScheme() *runtime.Scheme {
	scheme := managerScheme()
	utilruntime.Must(vpaautoscalingv1.AddToScheme(scheme))
	utilruntime.Must(gardencorev1beta1.AddToScheme(scheme))
	return scheme
}
