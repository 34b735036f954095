// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seed_test

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/seed"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

const (
	leavingSince = "otel-federation.extensions.gardener.cloud/leaving-since"
	pulledSince  = "otel-federation.extensions.gardener.cloud/pulled-since"
)

var _ = Describe("Leaving", func() {
	var (
		ctx         = context.Background()
		c           client.Client
		garden      client.WithWatch
		clock       *testclock.FakeClock
		ex          *extensionsv1alpha1.Extension
		credentials *corev1.Secret
		lease       *coordinationv1.Lease
		// beforeRead and onRead are called before each read from the virtual garden. The latter's error is that of the read.
		beforeRead func()
		onRead     func(context.Context, client.Object) error
		logged     []string
		collectors *collectortest.Collectors

		inAnyCase string
	)

	actuator := func() interface {
		Delete(context.Context, logr.Logger, *extensionsv1alpha1.Extension) error
		ForceDelete(context.Context, logr.Logger, *extensionsv1alpha1.Extension) error
	} {
		reader := interceptor.NewClient(garden, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
				beforeRead()
				if err := onRead(ctx, obj); err != nil {
					return err
				}
				return c.Get(ctx, key, obj, opts...)
			},
		})
		return NewActuator(c, c, reader, collectors.HTTPClient(), clock, "my-seed")
	}
	remove := func() error {
		logged = nil
		log := funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{})
		return actuator().Delete(ctx, log, ex)
	}
	getCollector := func() error {
		return c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: name}, &resourcesv1alpha1.ManagedResource{})
	}
	expectWaiting := func(reason string) {
		GinkgoHelper()
		err := remove()
		Expect(err).To(MatchError(ContainSubstring(reason)))
		Expect(err).To(MatchError(HaveSuffix(inAnyCase)))
		Expect(getCollector()).To(Succeed())
		Expect(logged).To(ConsistOf(And(ContainSubstring("Waiting until the seed is pulled again"), ContainSubstring("reason"))))
	}
	expectRemoved := func() {
		GinkgoHelper()
		Expect(remove()).To(Succeed())
		Expect(getCollector()).To(BeNotFoundError())
	}
	configure := func(config string) {
		ex.Spec.ProviderConfig = &runtime.RawExtension{Raw: []byte(`{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"SeedFederationConfig",` + config + `}`)}
	}
	answer := func() {
		GinkgoHelper()
		metav1.SetMetaDataAnnotation(&lease.ObjectMeta, pulledSince, "2026-01-01T00:00:00Z")
		Expect(garden.Update(ctx, lease)).To(Succeed())
	}

	BeforeEach(func() {
		timeout, interval := LeavingTimeout, LeavingInterval
		LeavingTimeout, LeavingInterval = 100*time.Millisecond, 5*time.Millisecond
		DeferCleanup(func() { LeavingTimeout, LeavingInterval = timeout, interval })
		collectors = &collectortest.Collectors{}
		beforeRead, onRead = func() {}, func(context.Context, client.Object) error { return nil }

		ex = &extensionsv1alpha1.Extension{ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "garden", Finalizers: []string{"extension"}}}
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(ex,
			&resourcesv1alpha1.ManagedResource{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "garden"}},
		).Build()
		Expect(c.Delete(ctx, ex)).To(Succeed())
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		clock = testclock.NewFakeClock(ex.DeletionTimestamp.Add(time.Second))
		inAnyCase = "? It goes on in any case at " + ex.DeletionTimestamp.Add(10*time.Minute).UTC().Format(time.RFC3339)

		credentials = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "otel-federation", Namespace: "seed-my-seed"}}
		lease = &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{
			Name:        "otel-federation",
			Namespace:   "seed-my-seed",
			Labels:      map[string]string{"app.kubernetes.io/managed-by": "gardener-extension-otel-federation"},
			Annotations: map[string]string{leavingSince: ex.DeletionTimestamp.UTC().Format(time.RFC3339)},
		}}
		garden = fakeclient.NewClientBuilder().WithScheme(kubernetes.GardenScheme).WithObjects(credentials, lease).Build()
		Expect(garden.Get(ctx, client.ObjectKeyFromObject(lease), lease)).To(Succeed())
	})

	Context("the seed is not pulled again", func() {
		It("should keep the collector and say what the garden has to do", func() {
			expectWaiting("seed my-seed is not pulled again yet: the garden part of the extension has not answered in Lease seed-my-seed/otel-federation of the virtual garden " +
				"(annotation " + pulledSince + "): is it running, and is Prometheus garden/garden healthy?")
		})

		It("should remove the collector as soon as the answer is there", func() {
			reads := 0
			beforeRead = func() {
				if reads++; reads == 6 {
					answer()
				}
			}
			expectRemoved()
			Expect(reads).To(Equal(7), "three times a Secret and a Lease, and once the Secret because of the queue")
		})

		It("should remove the collector as soon as the credentials are withdrawn", func() {
			reads := 0
			beforeRead = func() {
				if reads++; reads == 5 {
					Expect(garden.Delete(ctx, credentials)).To(Succeed())
				}
			}
			expectRemoved()
			Expect(reads).To(Equal(6), "once more because of the queue")
		})

		It("should not wait if the deletion is forced", func() {
			Expect(actuator().ForceDelete(ctx, logr.Discard(), ex)).To(Succeed())
			Expect(getCollector()).To(BeNotFoundError())
		})

		It("should not wait without access to the virtual garden", func() {
			Expect(NewActuator(c, c, nil, nil, clock, "my-seed").Delete(ctx, logr.Discard(), ex)).To(Succeed())
			Expect(getCollector()).To(BeNotFoundError())
		})

		It("should not wait if the operation is cancelled, but keep the collector", func() {
			cancelled, cancel := context.WithCancel(ctx)
			cancel()
			LeavingTimeout = 5 * time.Second
			defer expectLessThan(LeavingTimeout)()
			Expect(actuator().Delete(cancelled, logr.Discard(), ex)).To(MatchError(ContainSubstring("not pulled again yet")))
			Expect(getCollector()).To(Succeed())
		})
	})

	Context("the queue of the collector", func() {
		BeforeEach(func() {
			Expect(c.Create(ctx, collectortest.Pod("otel-federation-seed-collector-0", name, "10.0.0.1"))).To(Succeed())
			collectors.Set("10.0.0.1", 0, 1234)
			// Nobody removes the pod.
			timeout := collector.TimeoutWaitForManagedResource
			collector.TimeoutWaitForManagedResource = 100 * time.Millisecond
			DeferCleanup(func() { collector.TimeoutWaitForManagedResource = timeout })
		})

		expectBeingRemoved := func() {
			GinkgoHelper()
			Expect(remove()).To(MatchError(ContainSubstring("1 objects (*v1.PodList) of otel-federation-seed in namespace garden are left")))
			Expect(getCollector()).To(BeNotFoundError())
		}

		It("should not be looked at before the seed is pulled again", func() {
			expectWaiting("the garden part of the extension has not answered")
			Expect(collectors.Asked()).To(BeZero())
		})

		It("should be emptied before the collector goes", func() {
			answer()
			Expect(remove()).To(MatchError(HavePrefix("the queues of otel-federation-seed are not empty yet, 1234 samples are left in pods otel-federation-seed-collector-0: can the collector reach the garden")))
			Expect(getCollector()).To(Succeed())

			collectors.Set("10.0.0.1", 0, 0)
			expectBeingRemoved()

			By("the pod is being removed, and is not asked any more")
			collectors.Set("10.0.0.1", 0, 1)
			Expect(c.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace("garden"))).To(Succeed())
			expectRemoved()
		})

		It("should not be looked at if the garden has withdrawn the credentials: nobody accepts what is in it", func() {
			Expect(garden.Delete(ctx, credentials)).To(Succeed())
			expectBeingRemoved()
			Expect(collectors.Asked()).To(BeZero())
		})

		It("should be emptied even if the samples go elsewhere", func() {
			configure(`"garden":{"endpoint":"https://other.example.com","tokenSecretRef":{"name":"mine"}}`)
			Expect(remove()).To(MatchError(ContainSubstring("1234 samples are left")))
			Expect(getCollector()).To(Succeed())
		})

		It("should be given up after ten minutes", func() {
			answer()
			Expect(remove()).To(MatchError(HaveSuffix("(the deletion goes on in any case at %s, and what is left then is lost)", clock.Now().Add(10*time.Minute).UTC().Format(time.RFC3339))))
			clock.Step(10 * time.Minute)
			expectBeingRemoved()
			Expect(logged).To(ContainElement(ContainSubstring(`"samples"=1234`)))
		})

		It("should not be looked at if the deletion is forced", func() {
			Expect(actuator().ForceDelete(ctx, logr.Discard(), ex)).To(Succeed())
			Expect(getCollector()).To(BeNotFoundError())
			Expect(collectors.Asked()).To(BeZero())
		})
	})

	It("should not wait if the garden has already answered", func() {
		answer()
		expectRemoved()
		Expect(logged).To(BeEmpty())
	})

	It("should not wait without credentials in the virtual garden", func() {
		Expect(garden.Delete(ctx, credentials)).To(Succeed())
		expectRemoved()
		Expect(logged).To(BeEmpty())
	})

	It("should not take the answer to an earlier deletion for its own", func() {
		lease.Annotations[leavingSince] = "2025-12-24T00:00:00Z"
		answer()
		expectWaiting("controller lease of this extension has not asked for it in Lease seed-my-seed/otel-federation of the virtual garden (annotation " + leavingSince + "): may it write there?")
	})

	It("should not take an answer without a question", func() {
		delete(lease.Annotations, leavingSince)
		answer()
		expectWaiting("controller lease of this extension has not asked for it")
	})

	It("should wait for the Lease", func() {
		Expect(garden.Delete(ctx, lease)).To(Succeed())
		expectWaiting("controller lease of this extension has not asked for it")
	})

	It("should say that a Lease of somebody else is in the way", func() {
		lease.Labels = nil
		answer()
		expectWaiting("Lease seed-my-seed/otel-federation in the virtual garden, by which the garden is asked for it, was not created by this extension: can it be deleted?")
	})

	Context("providerConfig", func() {
		It("should not wait, nor look, if it names another endpoint", func() {
			configure(`"garden":{"endpoint":"https://other.example.com","tokenSecretRef":{"name":"mine"}}`)
			onRead = func(context.Context, client.Object) error { return errors.New("no permission") }
			expectRemoved()
			Expect(logged).To(BeEmpty())
		})

		It("should wait if it is invalid, but the seed had pushed before", func() {
			configure(`"foo":"bar"`)
			expectWaiting("the garden part of the extension has not answered")
		})

		It("should not wait if it is invalid and the seed has not pushed before", func() {
			configure(`"foo":"bar"`)
			Expect(garden.Delete(ctx, lease)).To(Succeed())
			expectRemoved()
			Expect(logged).To(BeEmpty())
		})
	})

	Context("the virtual garden cannot be read", func() {
		resource := schema.GroupResource{Resource: "foos"}

		DescribeTable("should keep the collector and say so", func(failure error) {
			onRead = func(context.Context, client.Object) error { return failure }
			expectWaiting("cannot find out whether seed my-seed is pulled again, failed to get Secret seed-my-seed/otel-federation in the virtual garden: " + failure.Error() +
				": is its API server up, and may the extension read there?")
			Expect(errors.Is(remove(), failure)).To(BeTrue())
		},
			Entry("because it is down", errors.New("connection refused")),
			Entry("because it forbids it", apierrors.NewForbidden(resource, "foo", errors.New("no permission"))),
			Entry("because it does not know the extension", apierrors.NewUnauthorized("who are you")),
		)

		It("should keep the collector if the Lease cannot be read", func() {
			answer()
			onRead = func(_ context.Context, obj client.Object) error {
				if _, ok := obj.(*coordinationv1.Lease); ok {
					return errors.New("no permission")
				}
				return nil
			}
			expectWaiting("failed to get Lease seed-my-seed/otel-federation in the virtual garden: no permission")
		})

		It("should remove the collector as soon as it can be read and there is an answer", func() {
			answer()
			failures := 0
			onRead = func(context.Context, client.Object) error {
				if failures++; failures <= 3 {
					return errors.New("connection refused")
				}
				return nil
			}
			expectRemoved()
		})

		It("should rather name what was known before than that the time was over", func() {
			reads := 0
			onRead = func(ctx context.Context, _ client.Object) error {
				if reads++; reads < 3 {
					return nil
				}
				<-ctx.Done()
				return ctx.Err()
			}
			expectWaiting("the garden part of the extension has not answered")
		})
	})

	Context("ten minutes after the deletion was asked for", func() {
		DescribeTable("should go on and say so", func(prepare func()) {
			prepare()
			clock.SetTime(ex.DeletionTimestamp.Add(10*time.Minute - 10*time.Millisecond))
			expectWaiting("")

			clock.SetTime(ex.DeletionTimestamp.Add(10 * time.Minute))
			expectRemoved()
			Expect(logged).To(ConsistOf(ContainSubstring("Removing the collector although the garden has not answered")))
		},
			Entry("without an answer", func() {}),
			Entry("without a Lease", func() { Expect(garden.Delete(ctx, lease)).To(Succeed()) }),
			Entry("without a virtual garden", func() {
				onRead = func(context.Context, client.Object) error { return errors.New("connection refused") }
			}),
		)

		It("should not wait beyond that", func() {
			LeavingTimeout = 5 * time.Second
			defer expectLessThan(LeavingTimeout)()
			clock.SetTime(ex.DeletionTimestamp.Add(10*time.Minute - 50*time.Millisecond))
			expectWaiting("the garden part of the extension has not answered")
		})
	})
})

// expectLessThan returns a function that expects that less time has passed since.
func expectLessThan(duration time.Duration) func() {
	start := time.Now()
	return func() {
		Expect(time.Since(start)).To(BeNumerically("<", duration))
	}
}
