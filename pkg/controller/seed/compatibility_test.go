// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seed_test

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/extensions/pkg/controller/extension"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/seed"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

var _ = Describe("What is looked at regularly", func() {
	var (
		ctx               = context.Background()
		c                 client.Client
		ex                *extensionsv1alpha1.Extension
		clock             *testclock.FakeClock
		a                 extension.Actuator
		kindErr, podsErr  error
		pod               *corev1.Pod
		reconciledWithout = func(err error) {
			GinkgoHelper()
			kindErr = err
			Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
			Expect(a.Reconcile(ctx, logr.Discard(), ex)).To(Succeed())
		}
	)

	BeforeEach(func() {
		kindErr, podsErr = nil, nil
		clock = testclock.NewFakeClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
		ex = &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Name: "otel-federation", Namespace: "garden"},
			Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
				Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassSeed),
			}},
		}
		var claim *corev1.PersistentVolumeClaim
		pod, claim = collectortest.CrashingPod(name, name, clock.Now())
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(ex, pod, claim).WithStatusSubresource(ex).
			WithInterceptorFuncs(interceptor.Funcs{
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					switch list.(type) {
					case *otelv1beta1.OpenTelemetryCollectorList:
						if kindErr != nil {
							return kindErr
						}
					case *corev1.PodList:
						if podsErr != nil {
							return podsErr
						}
					}
					return c.List(ctx, list, opts...)
				},
			}).Build()
		a = NewActuator(c, c, nil, nil, clock, "my-seed")
	})

	seen := func() string {
		GinkgoHelper()
		text, err := Observe(ctx, a)
		Expect(err).NotTo(HaveOccurred())
		return text
	}

	It("should not change when nothing has changed but the time", func() {
		for _, err := range []error{nil, &meta.NoKindMatchError{}} {
			reconciledWithout(err)
			before := seen()
			clock.Step(time.Hour)
			Expect(seen()).To(Equal(before))
		}
	})

	It("should change when the kind of the collector appears or vanishes", func() {
		reconciledWithout(&meta.NoKindMatchError{})
		missing := seen()
		kindErr = nil
		Expect(seen()).NotTo(Equal(missing))

		reconciledWithout(nil)
		there := seen()
		kindErr = &meta.NoKindMatchError{}
		Expect(seen()).NotTo(Equal(there))
	})

	It("should change as long as the condition says something else", func() {
		reconciledWithout(&meta.NoKindMatchError{})
		kindErr = nil
		before := seen()
		clock.Step(time.Second)
		Expect(seen()).NotTo(Equal(before))
	})

	It("should change when a Secret comes that only the providerConfig names", func() {
		ex.Spec.ProviderConfig = &runtime.RawExtension{Raw: []byte(`{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"SeedFederationConfig",
			"garden":{"endpoint":"https://other.example.com","tokenSecretRef":{"name":"mine"}}}`)}
		Expect(c.Update(ctx, ex)).To(Succeed())
		reconciledWithout(nil)
		missing := seen()

		secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "mine", Namespace: "garden"}}
		Expect(c.Create(ctx, secret)).To(Succeed())
		empty := seen()
		Expect(empty).NotTo(Equal(missing))

		secret.Data = map[string][]byte{"token": []byte("t")}
		Expect(c.Update(ctx, secret)).To(Succeed())
		complete := seen()
		Expect(complete).NotTo(Equal(empty))
		secret.Data["token"] = []byte("renewed")
		Expect(c.Update(ctx, secret)).To(Succeed())
		Expect(seen()).To(Equal(complete), "the collector reads a renewed token by itself")
	})

	It("should not depend on a wrong providerConfig", func() {
		ex.Spec.ProviderConfig = &runtime.RawExtension{Raw: []byte(`{"foo":"bar"}`)}
		Expect(c.Update(ctx, ex)).To(Succeed())
		Expect(seen()).To(BeEmpty())
	})

	It("should say what cannot be read", func() {
		kindErr = errors.New("no permission")
		_, err := Observe(ctx, a)
		Expect(err).To(MatchError(ContainSubstring("no permission")))
	})

	It("should replace a pod whose collector crashes again and again", func() {
		seen()
		Expect(c.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(BeNotFoundError())
	})

	It("should not depend on whether the pods can be read", func() {
		reconciledWithout(nil)
		before := seen()
		podsErr = errors.New("no permission")
		Expect(seen()).To(Equal(before))
	})
})
