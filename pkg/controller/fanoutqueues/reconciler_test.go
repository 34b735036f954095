// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package fanoutqueues_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/fanoutqueues"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

const (
	namespace = "garden"
	capacity  = 1000
	first     = "otel-federation-garden-0-collector-0"
	second    = "otel-federation-garden-1-collector-0"
	garden0   = "prometheus-garden-0"
	garden1   = "prometheus-garden-1"
)

// prometheus plays a replica of the garden Prometheus that knows how full the queues are: by pod, and then by replica. The pods have been
// replaced a while ago, when their queues were full.
type prometheus struct {
	queues map[string]map[string]float64
	at     time.Time
	down   bool
}

// RoundTrip implements http.RoundTripper.
func (p *prometheus) RoundTrip(request *http.Request) (*http.Response, error) {
	if p.down {
		return nil, errors.New("connection refused")
	}
	if err := request.ParseForm(); err != nil {
		return nil, err
	}
	result := []map[string]any{}
	for pod, replicas := range p.queues {
		for replica, size := range replicas {
			value := float64(capacity)
			if strings.HasPrefix(request.Form.Get("query"), "otelcol_exporter_queue_size{") {
				value = size
			}
			before := map[string]any{
				"metric": map[string]string{"pod": pod, "exporter": "otlp_http/" + replica, "instance": "before"},
				"values": [][]any{{p.at.Add(-2 * time.Minute).Unix(), fmt.Sprint(capacity)}},
			}
			result = append(result, before, map[string]any{
				"metric": map[string]string{"pod": pod, "exporter": "otlp_http/" + replica},
				"values": [][]any{{p.at.Add(-time.Minute).Unix(), "0"}, {p.at.Unix(), fmt.Sprint(value)}},
			}, before)
		}
	}
	body, err := json.Marshal(map[string]any{"status": "success", "data": map[string]any{"resultType": "matrix", "result": result}})
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: request}, err
}

var _ = Describe("Reconciler", func() {
	var (
		ctx        = context.Background()
		start      = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		clock      *testclock.FakeClock
		c          client.Client
		ex         *extensionsv1alpha1.Extension
		garden     map[string]*prometheus
		reconciler *Reconciler
	)

	newPod := func(name, ip string, labels map[string]string) *corev1.Pod {
		return &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: labels},
			Status: corev1.PodStatus{
				PodIP:      ip,
				Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
				ContainerStatuses: []corev1.ContainerStatus{{
					Name: "otc-container", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(start)}},
				}},
			},
		}
	}

	BeforeEach(func() {
		clock = testclock.NewFakeClock(start.Add(time.Hour))
		ex = &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "otel-federation"},
			Spec:       extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden)}},
		}
		labels := collectortest.PodSelector("otel-federation-garden")
		labels["otel-federation.extensions.gardener.cloud/receives"] = "true"
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithStatusSubresource(ex).WithObjects(
			ex, newPod(first, "10.0.0.1", labels), newPod(second, "10.0.0.2", labels), newPod(garden0, "10.0.1.0", nil), newPod(garden1, "10.0.1.1", nil),
		).Build()

		garden = map[string]*prometheus{}
		for _, replica := range []string{garden0, garden1} {
			garden[replica] = &prometheus{at: clock.Now(), queues: map[string]map[string]float64{
				first:  {garden0: 0, garden1: 0},
				second: {garden0: 0, garden1: 0},
			}}
		}
		reconciler = &Reconciler{Client: c, Reader: c, Clock: clock, Namespace: namespace, HTTPClient: &http.Client{Transport: roundTripper(func(request *http.Request) (*http.Response, error) {
			return garden["prometheus-garden-"+strings.TrimPrefix(request.URL.Hostname(), "10.0.1.")].RoundTrip(request)
		})}}
	})

	reconcileOnce := func() *configv1alpha1.FanOutStatus {
		GinkgoHelper()
		Expect(reconciler.Reconcile(ctx, reconcile.Request{})).To(Equal(reconcile.Result{RequeueAfter: 5 * time.Second}))
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
		Expect(err).NotTo(HaveOccurred())
		return status.FanOut
	}
	fill := func(pod, replica string, size float64) {
		for _, p := range garden {
			p.at = clock.Now()
			p.queues[pod][replica] = size
		}
	}
	detached := func(names ...string) OmegaMatcher {
		var matchers []any
		for _, name := range names {
			matchers = append(matchers, HaveField("Name", name))
		}
		return HaveValue(HaveField("DetachedReplicas", ConsistOf(matchers...)))
	}

	It("should write nothing while there is room in all queues", func() {
		before := ex.ResourceVersion
		fill(first, garden1, 799)
		Expect(reconcileOnce()).To(BeNil())
		Expect(ex.ResourceVersion).To(Equal(before))
	})

	It("should detach a replica when a queue in front of it becomes full, and attach it when it has caught up", func() {
		fill(second, garden1, 800)
		garden[garden1].down = true
		Expect(reconcileOnce()).To(HaveValue(Equal(configv1alpha1.FanOutStatus{
			DetachedReplicas: []configv1alpha1.DetachedReplica{{Name: garden1, Since: metav1.NewTime(clock.Now().Local())}},
		})))
		written := ex.ResourceVersion

		By("It catches up")
		garden[garden1].down = false
		clock.Step(time.Minute)
		fill(second, garden1, 500)
		Expect(reconcileOnce()).To(detached(garden1))
		Expect(ex.ResourceVersion).To(Equal(written), "since when must stay")

		fill(second, garden1, 499)
		Expect(reconcileOnce()).To(BeNil())
	})

	It("should never detach all replicas, but the one that is behind most", func() {
		fill(first, garden0, 900)
		fill(first, garden1, 950)
		Expect(reconcileOnce()).To(detached(garden1))
		fill(first, garden0, 1000)
		Expect(reconcileOnce()).To(detached(garden1))
	})

	It("should change nothing while no replica answers", func() {
		fill(first, garden1, 900)
		Expect(reconcileOnce()).To(detached(garden1))
		garden[garden0].down, garden[garden1].down = true, true
		Expect(reconcileOnce()).To(detached(garden1))
	})

	It("should believe the replica that knows the newest", func() {
		fill(first, garden1, 900)
		garden[garden1].at = clock.Now().Add(-time.Minute)
		garden[garden1].queues[first][garden1] = 0
		Expect(reconcileOnce()).To(detached(garden1))
	})

	It("should not touch what others have written to the status", func() {
		signingKey := &configv1alpha1.SigningKeyStatus{Phase: configv1alpha1.SigningKeyPhaseCompleted, InitiationTime: metav1.NewTime(start)}
		var err error
		ex.Status.ProviderStatus, err = loader.EncodeGardenFederationStatus(&configv1alpha1.GardenFederationStatus{SigningKey: signingKey})
		Expect(err).NotTo(HaveOccurred())
		Expect(c.Status().Update(ctx, ex)).To(Succeed())

		fill(first, garden1, 900)
		Expect(reconcileOnce()).To(detached(garden1))
		status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
		Expect(err).NotTo(HaveOccurred())
		Expect(status.SigningKey.Phase).To(Equal(signingKey.Phase))
	})

	Context("when a collector leaves", func() {
		BeforeEach(func() {
			pod := &corev1.Pod{}
			Expect(c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: second}, pod)).To(Succeed())
			pod.Labels["otel-federation.extensions.gardener.cloud/receives"] = "false"
			Expect(c.Update(ctx, pod)).To(Succeed())
		})

		It("should say so when its queues are empty", func() {
			fill(second, garden1, 1)
			Expect(reconcileOnce()).To(BeNil())
			fill(second, garden1, 0)
			Expect(reconcileOnce()).To(HaveValue(HaveField("DrainedCollectors", ConsistOf("otel-federation-garden-1"))))

			By("It is wanted again")
			pod := &corev1.Pod{}
			Expect(c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: second}, pod)).To(Succeed())
			pod.Labels["otel-federation.extensions.gardener.cloud/receives"] = "true"
			Expect(c.Update(ctx, pod)).To(Succeed())
			Expect(reconcileOnce()).To(BeNil())
		})

		It("should not believe what was known of it before it received nothing any more", func() {
			for _, p := range garden {
				p.at = start.Add(-time.Second)
			}
			Expect(reconcileOnce()).To(BeNil())
		})

		It("should not take a queue of which nothing is known for empty", func() {
			for _, p := range garden {
				delete(p.queues[second], garden0)
			}
			Expect(reconcileOnce()).To(BeNil())
		})
	})

	It("should replace the pod of a collector that crashes again and again, even if the status cannot be read", func() {
		ex.Status.ProviderStatus = &runtime.RawExtension{Raw: []byte(`{"kind":"Unknown","apiVersion":"v1"}`)}
		Expect(c.Status().Update(ctx, ex)).To(Succeed())
		Expect(c.Create(ctx, &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "otel-federation-garden-2-queue"}})).To(Succeed())
		pod := newPod("otel-federation-garden-2-collector-0", "10.0.0.3", collectortest.PodSelector("otel-federation-garden"))
		pod.Spec.InitContainers = []corev1.Container{{Name: "check-queue"}}
		pod.Spec.Volumes = []corev1.Volume{{Name: "queue", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{}}}}
		pod.Status.ContainerStatuses[0] = corev1.ContainerStatus{
			Name: "otc-container", RestartCount: 3, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 2}},
		}
		Expect(c.Create(ctx, pod)).To(Succeed())

		_, err := reconciler.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(HaveOccurred())
		Expect(c.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(BeNotFoundError())
	})

	It("should do nothing without an Extension", func() {
		Expect(c.Delete(ctx, ex)).To(Succeed())
		Expect(reconciler.Reconcile(ctx, reconcile.Request{})).To(Equal(reconcile.Result{RequeueAfter: 5 * time.Second}))
	})

	It("should say what to do if the status cannot be read", func() {
		ex.Status.ProviderStatus = &runtime.RawExtension{Raw: []byte(`{"kind":"Unknown","apiVersion":"v1"}`)}
		Expect(c.Status().Update(ctx, ex)).To(Succeed())
		_, err := reconciler.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(And(ContainSubstring("garden/otel-federation"), ContainSubstring("remove status.providerStatus"))))
	})
})

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
