// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	gardenprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

const (
	namespace   = "garden"
	nameTargets = "garden-prometheus-aggregate"
	nameIngress = "garden-prometheus-aggregate-ingress"

	annotationWithheld     = "otel-federation.extensions.gardener.cloud/withheld-targets"
	annotationLeavingSince = "otel-federation.extensions.gardener.cloud/leaving-since"
	annotationPulledSince  = "otel-federation.extensions.gardener.cloud/pulled-since"
)

// replica plays a replica of the garden Prometheus: it answers the queries of the hand-over by what it is told.
type replica struct {
	mutex    sync.Mutex
	scraped  map[handover.Series]time.Time
	rejected bool
	down     bool
}

func (r *replica) set(change func(*replica)) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	change(r)
}

// answer answers a query. A target that is pulled has been scraped with success.
func (r *replica) answer(query string) []map[string]any {
	r.mutex.Lock()
	defer r.mutex.Unlock()

	result := []map[string]any{}
	add := func(series handover.Series, at time.Time) {
		metric := map[string]string{"job": "prometheus-aggregate", "instance": series.Instance}
		if series.Seed != "" {
			metric["seed"] = series.Seed
		}
		result = append(result, map[string]any{"metric": metric, "value": []any{0, fmt.Sprint(float64(at.UnixMilli()) / 1000)}})
	}
	switch {
	case strings.Contains(query, "prometheus_http_requests_total"):
		if r.rejected {
			result = append(result, map[string]any{"metric": map[string]string{}, "value": []any{0, "1"}})
		}
	default:
		way := handover.Push
		switch {
		case strings.Contains(query, `seed=""`):
			way = handover.Pull
		case strings.Contains(query, "shadow:up"):
			way = handover.Shadow
		}
		for series, at := range r.scraped {
			if series.Way == way {
				add(series, at)
			}
		}
	}
	return result
}

// fixture is a runtime cluster with a garden Prometheus, and a virtual garden with two seeds, one of which is the runtime cluster.
type fixture struct {
	clock          *testclock.FakeClock
	runtimeClient  client.Client
	garden         client.Client
	connected      bool
	replicas       map[string]*replica
	extension      *extensionsv1alpha1.Extension
	reconciler     *Reconciler
	failStatus     error
	statusWrites   int
	podAnnotations int
	board          handover.Board
	recorder       *events.FakeRecorder
}

func newFixture(ctx context.Context) *fixture {
	GinkgoHelper()
	f := &fixture{clock: testclock.NewFakeClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)), connected: true, replicas: map[string]*replica{}, recorder: events.NewFakeRecorder(100)}

	f.extension = &extensionsv1alpha1.Extension{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "garden-otel-federation", Finalizers: []string{"test"}},
		Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
			Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden),
		}},
	}
	f.runtimeClient = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(f.extension).WithStatusSubresource(f.extension).
		WithInterceptorFuncs(interceptor.Funcs{
			SubResourcePatch: func(ctx context.Context, c client.Client, subResource string, obj client.Object, patch client.Patch, opts ...client.SubResourcePatchOption) error {
				f.statusWrites++
				if f.failStatus != nil {
					return f.failStatus
				}
				return c.SubResource(subResource).Patch(ctx, obj, patch, opts...)
			},
			Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
				if _, ok := obj.(*corev1.Pod); ok {
					f.podAnnotations++
				}
				return c.Patch(ctx, obj, patch, opts...)
			},
		}).Build()
	f.garden = fakeclient.NewClientBuilder().WithScheme(kubernetes.GardenScheme).Build()

	f.deployPrometheus(ctx)
	f.deploySeeds(ctx)
	f.newReconciler()
	return f
}

// newReconciler is what a restart of the process does.
func (f *fixture) newReconciler() {
	f.reconciler = &Reconciler{
		Client: f.runtimeClient, Reader: f.runtimeClient, Clock: f.clock, Namespace: namespace,
		VirtualGarden: func() (client.Client, bool) { return f.garden, f.connected },
		HTTPClient:    &http.Client{Transport: roundTripper(f.query)},
		Board:         &f.board,
		Recorder:      f.recorder,
	}
}

// told returns the events since it was called last.
func (f *fixture) told() []string {
	var told []string
	for {
		select {
		case event := <-f.recorder.Events:
			told = append(told, event)
		default:
			return told
		}
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// query leads the requests to a pod to the replica that it is.
func (f *fixture) query(request *http.Request) (*http.Response, error) {
	host, port, err := net.SplitHostPort(request.URL.Host)
	if err != nil || port != "9090" {
		return nil, fmt.Errorf("unexpected address %s", request.URL.Host)
	}
	r := f.replicas[host]
	if r == nil || r.down {
		return nil, fmt.Errorf("no route to %s", host)
	}
	if err := request.ParseForm(); err != nil {
		return nil, err
	}
	recorder := httptest.NewRecorder()
	recorder.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(recorder).Encode(map[string]any{
		"status": "success", "data": map[string]any{"resultType": "vector", "result": r.answer(request.Form.Get("query"))},
	}); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

func (f *fixture) deployPrometheus(ctx context.Context) {
	GinkgoHelper()
	registry := managedresources.NewRegistry(kubernetes.SeedScheme, kubernetes.SeedCodec, kubernetes.SeedSerializer)
	var objects []client.Object
	for _, scrapeConfig := range gardenersScrapeConfigs() {
		objects = append(objects, scrapeConfig)
		Expect(f.runtimeClient.Create(ctx, scrapeConfig.DeepCopy())).To(Succeed())
	}
	data, err := registry.AddAllAndSerialize(objects...)
	Expect(err).NotTo(HaveOccurred())
	Expect(managedresources.CreateForSeed(ctx, f.runtimeClient, namespace, "prometheus-garden", false, data)).To(Succeed())

	for i, name := range []string{"prometheus-garden-0", "prometheus-garden-1"} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		pod.Status.PodIP = fmt.Sprintf("10.0.0.%d", i)
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		Expect(f.runtimeClient.Create(ctx, pod)).To(Succeed())
		f.replicas[pod.Status.PodIP] = &replica{scraped: map[handover.Series]time.Time{}}
	}
}

// gardenersScrapeConfigs are those that gardener-operator deploys, with the labels that the component of the Prometheus adds.
func gardenersScrapeConfigs() []*monitoringv1alpha1.ScrapeConfig {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "observability-ingress"}}
	scrapeConfigs := gardenprometheus.CentralScrapeConfigs([]monitoringv1alpha1.Target{"prometheus-aggregate"}, []monitoringv1alpha1.Target{"p-seed.ingress.other"}, secret)
	for _, scrapeConfig := range scrapeConfigs {
		scrapeConfig.Namespace, scrapeConfig.Name = namespace, "garden-"+scrapeConfig.Name
		scrapeConfig.Labels = map[string]string{"prometheus": "garden"}
	}
	return scrapeConfigs
}

func (f *fixture) deploySeeds(ctx context.Context) {
	GinkgoHelper()
	issuer := &credentials.IssuerConfig{
		Endpoint: "https://otel-federation.garden", SigningKeySecretName: "key", AggregatePrometheusHost: "p-seed.ingress.local",
		TokenValidity: metav1.Duration{Duration: 24 * time.Hour}, TokenRenewAfter: metav1.Duration{Duration: time.Hour},
	}
	Expect(f.runtimeClient.Create(ctx, issuer.ConfigMap(namespace))).To(Succeed())

	for _, name := range []string{"local", "other"} {
		Expect(f.garden.Create(ctx, &gardencorev1beta1.Seed{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       gardencorev1beta1.SeedSpec{Ingress: &gardencorev1beta1.Ingress{Domain: "ingress." + name}},
		})).To(Succeed())
		f.enable(ctx, name)
	}
}

// configure sets the hand-over's part of the providerConfig.
func (f *fixture) configure(ctx context.Context, handOver string) {
	GinkgoHelper()
	f.read(ctx)
	f.extension.Spec.ProviderConfig = &runtime.RawExtension{Raw: []byte(`{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"GardenFederationConfig","handOver":` + handOver + `}`)}
	Expect(f.runtimeClient.Update(ctx, f.extension)).To(Succeed())
}

func (f *fixture) read(ctx context.Context) {
	GinkgoHelper()
	Expect(f.runtimeClient.Get(ctx, client.ObjectKeyFromObject(f.extension), f.extension)).To(Succeed())
}

// scrape lets all replicas have a sample of now.
func (f *fixture) scrape(series ...handover.Series) {
	for _, r := range f.replicas {
		r.set(func(r *replica) {
			for _, s := range series {
				r.scraped[s] = f.clock.Now()
			}
		})
	}
}

func (f *fixture) reconcile(ctx context.Context) reconcile.Result {
	GinkgoHelper()
	result, err := f.reconciler.Reconcile(ctx, reconcile.Request{})
	Expect(err).NotTo(HaveOccurred())
	return result
}

// pass lets time pass, in which the given series get a sample every interval, and the controller runs.
func (f *fixture) pass(ctx context.Context, duration time.Duration, series ...handover.Series) {
	GinkgoHelper()
	for until := f.clock.Now().Add(duration); f.clock.Now().Before(until); {
		f.clock.Step(10 * time.Second)
		f.scrape(series...)
		f.reconcile(ctx)
	}
}

func (f *fixture) states(ctx context.Context) map[string]configv1alpha1.SeedFederationState {
	GinkgoHelper()
	states := map[string]configv1alpha1.SeedFederationState{}
	for _, seed := range f.statusOf(ctx).Seeds {
		states[seed.Name] = seed.State
	}
	return states
}

func (f *fixture) statusOf(ctx context.Context) *configv1alpha1.GardenFederationStatus {
	GinkgoHelper()
	f.read(ctx)
	status, err := loader.DecodeGardenFederationStatus(f.extension.Status.ProviderStatus)
	Expect(err).NotTo(HaveOccurred())
	return status
}

func (f *fixture) scrapeConfig(ctx context.Context, name string) *monitoringv1alpha1.ScrapeConfig {
	GinkgoHelper()
	scrapeConfig := &monitoringv1alpha1.ScrapeConfig{}
	Expect(f.runtimeClient.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, scrapeConfig)).To(Succeed())
	return scrapeConfig
}

// targets are the targets that a Prometheus would select.
func (f *fixture) targets(ctx context.Context) []string {
	GinkgoHelper()
	var targets []string
	for _, name := range []string{nameTargets, nameIngress} {
		if scrapeConfig := f.scrapeConfig(ctx, name); scrapeConfig.Labels["prometheus"] == "garden" {
			targets = append(targets, handover.Targets(scrapeConfig)...)
		}
	}
	return targets
}

func (f *fixture) rules(ctx context.Context) []string {
	GinkgoHelper()
	list := &monitoringv1.PrometheusRuleList{}
	Expect(f.runtimeClient.List(ctx, list)).To(Succeed())
	var expressions []string
	for _, rule := range list.Items {
		Expect(rule.Name).To(Equal("garden-otel-federation-hand-over"))
		Expect(rule.Labels).To(Equal(map[string]string{"prometheus": "garden"}))
		expressions = append(expressions, rule.Spec.Groups[0].Rules[0].Expr.String())
	}
	return expressions
}

func (f *fixture) lease(ctx context.Context, seed string) *coordinationv1.Lease {
	GinkgoHelper()
	lease := &coordinationv1.Lease{}
	Expect(f.garden.Get(ctx, client.ObjectKey{Namespace: "seed-" + seed, Name: "otel-federation"}, lease)).To(Succeed())
	return lease
}

// enable creates the Lease of a seed's extension.
func (f *fixture) enable(ctx context.Context, seed string) {
	GinkgoHelper()
	Expect(f.garden.Create(ctx, &coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{Namespace: "seed-" + seed, Name: "otel-federation", Labels: credentials.ObjectLabels()},
		Spec:       coordinationv1.LeaseSpec{RenewTime: new(metav1.NewMicroTime(f.clock.Now()))},
	})).To(Succeed())
}

func (f *fixture) leave(ctx context.Context, seed string) {
	GinkgoHelper()
	lease := f.lease(ctx, seed)
	lease.Annotations = map[string]string{annotationLeavingSince: f.clock.Now().Format(time.RFC3339)}
	Expect(f.garden.Update(ctx, lease)).To(Succeed())
}

func (f *fixture) deny(ctx context.Context, seed string) {
	GinkgoHelper()
	configMap := &corev1.ConfigMap{}
	Expect(f.runtimeClient.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "otel-federation-issuer"}, configMap)).To(Succeed())
	issuer, err := credentials.ParseIssuerConfig(configMap)
	Expect(err).NotTo(HaveOccurred())
	issuer.DeniedSeeds = []string{seed}
	configMap.Data = issuer.ConfigMap(namespace).Data
	Expect(f.runtimeClient.Update(ctx, configMap)).To(Succeed())
}
