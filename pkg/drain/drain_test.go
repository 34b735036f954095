// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package drain_test

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/drain"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

const (
	annotation = "otel-federation.extensions.gardener.cloud/draining-since"
	component  = "foo"
)

var _ = Describe("Queues", func() {
	var (
		ctx             = context.Background()
		now             = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		clock           *testclock.FakeClock
		c               client.Client
		ex              *extensionsv1alpha1.Extension
		managedResource *resourcesv1alpha1.ManagedResource
		pod             *corev1.Pod
		collectors      *collectortest.Collectors
		queues          *Queues
		logged          []string
	)

	BeforeEach(func() {
		timeout, interval := AttemptTimeout, Interval
		AttemptTimeout, Interval = 100*time.Millisecond, 5*time.Millisecond
		DeferCleanup(func() { AttemptTimeout, Interval = timeout, interval })

		clock = testclock.NewFakeClock(now)
		ex = &extensionsv1alpha1.Extension{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "foo"}}
		managedResource = &resourcesv1alpha1.ManagedResource{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: component, Finalizers: []string{"test"}}}
		pod = collectortest.Pod("foo-collector-0", component, "10.0.0.1")
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(ex, managedResource, pod, collectortest.Pod("bar-collector-0", "bar", "10.0.0.9")).WithStatusSubresource(pod).Build()
		collectors, logged = &collectortest.Collectors{}, nil
		queues = &Queues{Client: c, Reader: c, Clock: clock, HTTPClient: collectors.HTTPClient(), Component: component, Hint: "is somebody there?"}
	})

	wait := func() error {
		logged = nil
		return queues.Wait(ctx, funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{}), ex)
	}
	since := func() string {
		GinkgoHelper()
		stored := &extensionsv1alpha1.Extension{}
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), stored)).To(Succeed())
		return stored.Annotations[annotation]
	}

	It("should go on at once if the queues are empty", func() {
		collectors.Set("10.0.0.1", 0, 0, 0)
		Expect(wait()).To(Succeed())
		Expect(collectors.Asked()).To(Equal(2), "it looks twice")
		Expect(since()).To(BeEmpty())
		Expect(logged).To(BeEmpty())
	})

	It("should wait until they are, and say what is left and until when", func() {
		collectors.Set("10.0.0.1", 0, 0, 1234)
		Expect(wait()).To(MatchError("the queues of foo are not empty yet, 1234 samples are left in pods foo-collector-0: is somebody there? " +
			"(the deletion goes on in any case at 2026-01-01T12:10:00Z, and what is left then is lost)"))
		Expect(since()).To(Equal("2026-01-01T12:00:00Z"))
		Expect(logged).To(ConsistOf(ContainSubstring("Waiting until the queues are empty")))

		By("another process goes on")
		clock.Step(9 * time.Minute)
		Expect(wait()).To(MatchError(ContainSubstring("goes on in any case at 2026-01-01T12:10:00Z")))
		Expect(since()).To(Equal("2026-01-01T12:00:00Z"))

		By("they become empty")
		collectors.Set("10.0.0.1", 0, 0, 0)
		Expect(wait()).To(Succeed())
	})

	It("should go on as soon as they are empty", func() {
		AttemptTimeout = 10 * time.Second
		collectors.Set("10.0.0.1", 0, 5)
		go func() {
			defer GinkgoRecover()
			Eventually(collectors.Asked).Should(BeNumerically(">", 3))
			collectors.Set("10.0.0.1", 0, 0)
		}()
		Expect(wait()).To(Succeed())
	})

	It("should wait for requests that a queue in memory does not count", func() {
		collectors.Set("10.0.0.1", 1, 0)
		Expect(wait()).To(MatchError(ContainSubstring("1 samples are left in pods foo-collector-0")))
	})

	It("should sum up what is left", func() {
		Expect(c.Create(ctx, collectortest.Pod("foo-collector-1", component, "10.0.0.2"))).To(Succeed())
		collectors.Set("10.0.0.1", 0, 1, 2)
		collectors.Set("10.0.0.2", 0, 4)
		Expect(wait()).To(MatchError(ContainSubstring("7 samples are left in pods foo-collector-0, foo-collector-1")))
	})

	DescribeTable("should not take a collector that does not tell anything for empty", func(prepare func(), reason string) {
		Expect(c.Create(ctx, collectortest.Pod("foo-collector-1", component, "10.0.0.2"))).To(Succeed())
		collectors.Set("10.0.0.2", 0, 3)
		prepare()
		Expect(wait()).To(MatchError(And(
			HavePrefix("cannot find out whether the queues of foo are empty, 3 samples are left in pods foo-collector-1 in those that answer: "), ContainSubstring(reason),
			ContainSubstring("foo-collector-0"), HaveSuffix("goes on in any case at 2026-01-01T12:10:00Z, and what is left then is lost)"),
		)))
		Expect(since()).To(Equal("2026-01-01T12:00:00Z"))
	},
		Entry("because it does not answer", func() {}, "connection refused"),
		Entry("because it has no queues yet", func() { collectors.Set("10.0.0.1", 0) }, "tells nothing of its queues"),
		Entry("because it is starting", func() {
			collectors.Set("10.0.0.1", 0, 0)
			pod.Status.Conditions[0].Status = corev1.ConditionFalse
			Expect(c.Status().Update(ctx, pod)).To(Succeed())
		}, "is not ready"),
		Entry("because it has no address", func() {
			pod.Status.PodIP = ""
			Expect(c.Status().Update(ctx, pod)).To(Succeed())
		}, "no address"),
	)

	Context("after ten minutes", func() {
		BeforeEach(func() {
			metav1.SetMetaDataAnnotation(&ex.ObjectMeta, annotation, "2026-01-01T11:50:00Z")
		})

		It("should go on and say how much is lost", func() {
			collectors.Set("10.0.0.1", 0, 0, 1234)
			Expect(wait()).To(Succeed())
			Expect(logged).To(ConsistOf(And(ContainSubstring("Not waiting any longer"), ContainSubstring(`"samples"=1234`), ContainSubstring("foo-collector-0"))))
		})

		It("should go on if a collector cannot be asked, and say that the number is not known", func() {
			Expect(wait()).To(Succeed())
			Expect(logged).To(ConsistOf(And(ContainSubstring("not all collectors tell how much that is"), ContainSubstring("connection refused"))))
		})

		It("should say nothing if nothing is lost", func() {
			collectors.Set("10.0.0.1", 0, 0)
			Expect(wait()).To(Succeed())
			Expect(logged).To(BeEmpty())
		})
	})

	It("should not wait beyond the end", func() {
		AttemptTimeout = time.Minute
		metav1.SetMetaDataAnnotation(&ex.ObjectMeta, annotation, "2026-01-01T11:50:00Z")
		clock.Step(-50 * time.Millisecond)
		collectors.Set("10.0.0.1", 0, 1)
		start := time.Now()
		Expect(wait()).To(MatchError(ContainSubstring("not empty yet")))
		Expect(time.Since(start)).To(BeNumerically("<", 10*time.Second))
	})

	DescribeTable("should not wait if there is nobody to wait for", func(prepare func()) {
		collectors.Set("10.0.0.1", 0, 1)
		prepare()
		Expect(wait()).To(Succeed())
		Expect(since()).To(BeEmpty())
	},
		Entry("because there is no pod", func() { Expect(c.Delete(ctx, pod)).To(Succeed()) }),
		Entry("because nothing is deployed", func() {
			managedResource.Finalizers = nil
			Expect(c.Update(ctx, managedResource)).To(Succeed())
			Expect(c.Delete(ctx, managedResource)).To(Succeed())
		}),
		Entry("because it is being removed already", func() { Expect(c.Delete(ctx, managedResource)).To(Succeed()) }),
	)

	Context("when something still comes in", func() {
		It("should wait until it does not, even if the queues are empty", func() {
			collectors.Set("10.0.0.1", 0, 0)
			problem := errors.New("the door is open")
			queues.Close = func(context.Context) error { return problem }
			Expect(wait()).To(MatchError(HavePrefix("cannot empty the queues of foo while samples come in: the door is open (the deletion goes on in any case at ")))
			Expect(collectors.Asked()).To(BeZero())
			problem = nil
			Expect(wait()).To(Succeed())
		})

		It("should not close what nobody stands behind", func() {
			Expect(c.Delete(ctx, pod)).To(Succeed())
			queues.Close = func(context.Context) error { return errors.New("the door is open") }
			Expect(wait()).To(Succeed())
		})
	})
})
