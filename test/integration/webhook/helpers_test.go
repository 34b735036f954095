// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"net"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrlconfig "sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	extensionswebhook "github.com/gardener/gardener/extensions/pkg/webhook"
	extensionscmdwebhook "github.com/gardener/gardener/extensions/pkg/webhook/cmd"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/cmd/gardener-extension-otel-federation/app"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
	"github.com/gardener/gardener-extension-otel-federation/pkg/webhook"
)

const (
	namespace   = "garden"
	stopTimeout = 40 * time.Second
)

// replica is one of the managers that serve the webhook at an address of their own.
type replica struct {
	port    int
	certDir string
	cancel  context.CancelFunc
	result  chan error
}

func (r *replica) address() string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.port))
}

// start returns when the server serves.
func (r *replica) start() {
	GinkgoHelper()

	opts := app.ManagerOptions()
	opts.Metrics = metricsserver.Options{BindAddress: "0"}
	opts.Controller = ctrlconfig.Controller{SkipNameValidation: new(true)}
	opts.LeaderElection = true
	opts.LeaderElectionID = "test"
	opts.LeaderElectionNamespace = releaseNamespace
	opts.LeaderElectionReleaseOnCancel = true
	opts.RetryPeriod = new(200 * time.Millisecond)
	opts.WebhookServer = ctrlwebhook.NewServer(ctrlwebhook.Options{Host: "127.0.0.1", Port: r.port, CertDir: r.certDir})

	mgr, err := manager.New(cluster.Config, opts)
	Expect(err).NotTo(HaveOccurred())

	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	Expect(webhook.AddToManager(ctx, mgr, &extensionscmdwebhook.ServerConfig{
		Mode:           extensionswebhook.ModeURL,
		URL:            service.Address(),
		Namespace:      releaseNamespace,
		OwnerNamespace: releaseNamespace,
	})).To(Succeed())

	r.result = make(chan error, 1)
	go func() {
		r.result <- mgr.Start(ctx)
	}()
	Eventually(func() error {
		return mgr.GetWebhookServer().StartedChecker()(nil)
	}).Should(Succeed())
}

// stop does nothing if the replica does not run.
func (r *replica) stop() {
	GinkgoHelper()
	if r.result == nil {
		return
	}
	r.cancel()
	Eventually(r.result).WithTimeout(stopTimeout).Should(Receive(BeNil()))
	r.result = nil
}

// freePorts returns ports that nobody listens at.
func freePorts(n int) []int {
	GinkgoHelper()
	var ports []int
	for range n {
		listener, err := (&net.ListenConfig{}).Listen(GinkgoT().Context(), "tcp", "127.0.0.1:0")
		Expect(err).NotTo(HaveOccurred())
		// Only when all are known, so that they differ.
		defer func() { Expect(listener.Close()).To(Succeed()) }()
		ports = append(ports, listener.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

// newPrometheus returns what gardener-operator deploys, as far as it matters.
func newPrometheus(name string) *monitoringv1.Prometheus {
	p := &monitoringv1.Prometheus{ObjectMeta: metav1.ObjectMeta{
		Namespace: namespace,
		Name:      name,
		Labels:    map[string]string{"app": "prometheus", "role": "monitoring", "name": name},
	}}
	p.Spec.EvaluationInterval = "1m"
	p.Spec.Replicas = new(int32(2))
	return p
}

func newExtension() *extensionsv1alpha1.Extension {
	return &extensionsv1alpha1.Extension{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "garden-otel-federation", Finalizers: []string{"example.com/test"}},
		Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
			Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden),
		}},
	}
}

// create creates an object until the test ends.
func create(ctx context.Context, object client.Object) {
	GinkgoHelper()
	Expect(cluster.Client.Create(ctx, object)).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		withoutFinalizers := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
		Expect(client.IgnoreNotFound(cluster.Client.Delete(ctx, object))).To(Succeed())
		Expect(client.IgnoreNotFound(cluster.Client.Patch(ctx, object, withoutFinalizers))).To(Succeed())
	})
}

// apply writes Gardener's version of the object over the one that exists, as gardener-resource-manager does, and returns the
// result.
func apply(ctx context.Context, g Gomega, desired *monitoringv1.Prometheus) *monitoringv1.Prometheus {
	GinkgoHelper()
	p := &monitoringv1.Prometheus{}
	g.Expect(cluster.Client.Get(ctx, keyOf(desired), p)).To(Succeed())
	p.Spec = *desired.Spec.DeepCopy()
	g.Expect(cluster.Client.Update(ctx, p)).To(Succeed())
	return p
}

// enabled says whether the Prometheus has all that the webhook sets; untouched whether it has nothing of it.
func enabled(p *monitoringv1.Prometheus) bool {
	return receiver.Enabled(p, receiver.DefaultOutOfOrderTimeWindow)
}

func untouched(p *monitoringv1.Prometheus) bool {
	return !ptr.Deref(p.Spec.EnableOTLPReceiver, false) && p.Spec.OTLP == nil && p.Spec.TSDB == nil
}

func keyOf(object metav1.Object) client.ObjectKey {
	return client.ObjectKey{Namespace: object.GetNamespace(), Name: object.GetName()}
}

func annotate(ctx context.Context, object client.Object, key, value string) {
	GinkgoHelper()
	patch := client.MergeFrom(object.DeepCopyObject().(client.Object))
	accessor, err := meta.Accessor(object)
	Expect(err).NotTo(HaveOccurred())
	annotations := map[string]string{key: value}
	for k, v := range accessor.GetAnnotations() {
		annotations[k] = v
	}
	accessor.SetAnnotations(annotations)
	Expect(cluster.Client.Patch(ctx, object, patch)).To(Succeed())
}
