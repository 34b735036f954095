// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seed_test

import (
	"context"
	"errors"
	"reflect"
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
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/utils/managedresources"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/seed"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

const name = "otel-federation-seed"

var _ = Describe("Actuator", func() {
	var (
		ctx    = context.Background()
		now    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.Local)
		c      client.Client
		reader client.Reader
		ex     *extensionsv1alpha1.Extension
		secret *corev1.Secret
		a      extension.Actuator
	)

	BeforeEach(func() {
		ex = &extensionsv1alpha1.Extension{ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "garden"}}
		secret = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: "otel-federation", Namespace: "garden"},
			Data: map[string][]byte{
				"endpoint":   []byte("https://garden.example.com"),
				"bundle.crt": []byte("CA"),
				"token":      []byte("secret-token"),
				"instance":   []byte("p-seed.foo"),
			},
		}
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(ex).WithStatusSubresource(ex).Build()
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		reader = c
	})

	JustBeforeEach(func() {
		a = NewActuator(c, reader, nil, nil, testclock.NewFakeClock(now), "my-seed")
	})

	reconcile := func() error { return a.Reconcile(ctx, logr.Discard(), ex) }

	collector := func() *otelv1beta1.OpenTelemetryCollector {
		GinkgoHelper()
		obj, err := collectortest.DeployedCollector(ctx, c, name, name)
		Expect(err).NotTo(HaveOccurred())
		return obj
	}

	managedResource := func() *resourcesv1alpha1.ManagedResource {
		GinkgoHelper()
		obj := &resourcesv1alpha1.ManagedResource{}
		Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: name}, obj)).To(Succeed())
		return obj
	}

	expectNoCollector := func() {
		GinkgoHelper()
		objects, err := managedresources.GetObjects(ctx, c, "garden", name)
		Expect(err).NotTo(HaveOccurred())
		var kinds []string
		for _, object := range objects {
			kinds = append(kinds, object.GetObjectKind().GroupVersionKind().Kind)
		}
		Expect(kinds).To(ConsistOf("ConfigMap", "ServiceAccount", "ServiceMonitor", "VerticalPodAutoscaler"))
	}

	// expectProblem is what the condition CredentialsValid says.
	expectProblem := func(message string) {
		GinkgoHelper()
		cfg, err := loader.DecodeSeedFederationConfig(ex.Spec.ProviderConfig)
		Expect(err).NotTo(HaveOccurred())
		destination, _, problem, err := FindDestination(ctx, c, "my-seed", "garden", cfg.Garden)
		Expect(err).NotTo(HaveOccurred())
		Expect(problem).To(Equal(message))
		Expect(destination == nil).To(Equal(message != ""))
	}

	provide := func(providerConfig string) {
		GinkgoHelper()
		ex.Spec.ProviderConfig = &runtime.RawExtension{Raw: []byte(`{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"SeedFederationConfig",` + providerConfig + `}`)}
		Expect(c.Update(ctx, ex)).To(Succeed())
	}

	// externalLabels finds the relabelling by which external labels do not travel with each series.
	externalLabels := HaveKeyWithValue("metric_relabel_configs", ContainElement(HaveKeyWithValue("source_labels", []any{"prometheus", "prometheus_replica"})))

	Describe("#Reconcile", func() {
		It("should let the pod check its queue by the image of the extension, if that is known", func() {
			Expect(c.Create(ctx, secret)).To(Succeed())
			Expect(reconcile()).To(Succeed())
			Expect(collector().Spec.InitContainers).To(BeEmpty())

			GinkgoT().Setenv("IMAGE", "extension:v1")
			Expect(reconcile()).To(Succeed())
			Expect(collector().Spec.InitContainers).To(ConsistOf(And(HaveField("Name", "check-queue"), HaveField("Image", "extension:v1"))))
		})

		It("should succeed without credentials and deploy all but the collector", func() {
			Expect(reconcile()).To(Succeed())

			expectNoCollector()
			expectProblem("Credentials for seed my-seed have not been issued yet: is the extension enabled in the Garden?")
		})

		for _, key := range []string{"endpoint", "token"} {
			It("should succeed without the key "+key+" and deploy all but the collector", func() {
				delete(secret.Data, key)
				Expect(c.Create(ctx, secret)).To(Succeed())

				Expect(reconcile()).To(Succeed())

				expectNoCollector()
				expectProblem(`Secret garden/otel-federation has no key "` + key +
					`": it is a copy of Secret seed-my-seed/otel-federation in the virtual garden, which the garden part of the extension writes.`)
			})
		}

		It("should deploy the collector as soon as there are credentials", func() {
			Expect(reconcile()).To(Succeed())
			Expect(c.Create(ctx, secret)).To(Succeed())

			Expect(reconcile()).To(Succeed())

			Expect(collector().Spec.Volumes[0].Secret.SecretName).To(Equal("otel-federation"))
			Expect(collector().Spec.Config.Exporters.Object["otlp_http/garden"]).To(And(
				HaveKeyWithValue("endpoint", "https://garden.example.com"),
				HaveKeyWithValue("tls", map[string]any{"min_version": "1.2", "ca_pem": "CA"}),
				HaveKeyWithValue("compression", "zstd"),
			))
			Expect(targetLabels(collector())).To(Equal(map[string]any{"instance": "p-seed.foo"}))
			expectProblem("")
		})

		It("should name the target after its job if the seed has never been a target of pull", func() {
			delete(secret.Data, "instance")
			Expect(c.Create(ctx, secret)).To(Succeed())

			Expect(reconcile()).To(Succeed())

			Expect(targetLabels(collector())).To(Equal(map[string]any{"instance": "prometheus-aggregate"}))
		})

		It("should leave a running collector alone if the credentials vanish", func() {
			Expect(c.Create(ctx, secret)).To(Succeed())
			Expect(reconcile()).To(Succeed())
			Expect(c.Create(ctx, collector())).To(Succeed())
			before := managedResource()
			Expect(c.Delete(ctx, secret)).To(Succeed())
			provide(`"compression":{"algorithm":"gzip"}`)

			Expect(reconcile()).To(Succeed())

			Expect(managedResource()).To(Equal(before))
			expectProblem("Credentials for seed my-seed have not been issued yet: is the extension enabled in the Garden?")
		})

		It("should use the garden endpoint of the providerConfig", func() {
			Expect(c.Create(ctx, secret)).To(Succeed())
			Expect(c.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "mine", Namespace: "garden"}, Data: map[string][]byte{"token": []byte("t")}})).To(Succeed())
			provide(`"garden":{"endpoint":"https://other.example.com","tokenSecretRef":{"name":"mine"}}`)

			Expect(reconcile()).To(Succeed())

			Expect(collector().Spec.Volumes[0].Secret.SecretName).To(Equal("mine"))
			Expect(collector().Spec.Config.Exporters.Object["otlp_http/garden"]).To(And(
				HaveKeyWithValue("endpoint", "https://other.example.com"),
				HaveKeyWithValue("tls", map[string]any{"min_version": "1.2"}),
			))
			Expect(targetLabels(collector())).To(Equal(map[string]any{"instance": "prometheus-aggregate"}))
			Expect(scrapeConfig(collector())).NotTo(externalLabels, "whatever is behind the endpoint may not add labels")
			expectProblem("")
		})

		It("should say which Secret the providerConfig names in vain", func() {
			provide(`"garden":{"endpoint":"https://other.example.com","tokenSecretRef":{"name":"mine"}}`)
			Expect(reconcile()).To(Succeed())
			expectNoCollector()
			expectProblem(`Secret garden/mine, which spec.providerConfig.garden.tokenSecretRef names, does not exist: create it with the key "token".`)

			Expect(c.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "mine", Namespace: "garden"}})).To(Succeed())
			Expect(reconcile()).To(Succeed())
			expectNoCollector()
			expectProblem(`Secret garden/mine, which spec.providerConfig.garden.tokenSecretRef names, has no key "token".`)
		})

		It("should name the wrong field of the providerConfig and change nothing", func() {
			Expect(c.Create(ctx, secret)).To(Succeed())
			Expect(reconcile()).To(Succeed())
			before := managedResource()

			provide(`"compression":{"algorithm":"lzma"}`)
			Expect(reconcile()).To(MatchError(ContainSubstring("spec.providerConfig.compression.algorithm")))
			provide(`"foo":"bar"`)
			Expect(reconcile()).To(MatchError(And(ContainSubstring("spec.providerConfig"), ContainSubstring("foo"))))

			Expect(managedResource()).To(Equal(before))
		})

		It("should replace the default selectors and add to them", func() {
			Expect(c.Create(ctx, secret)).To(Succeed())
			provide(`"selectors":["{__name__=\"a\"}"],"additionalSelectors":["{__name__=\"b\"}"]`)

			Expect(reconcile()).To(Succeed())

			Expect(scrapeConfig(collector())["params"]).To(Equal(map[string]any{"match[]": []any{`{__name__="a"}`, `{__name__="b"}`}}))
			Expect(scrapeConfig(collector())).To(externalLabels)
		})

		Context("when the kind of the collector does not exist", func() {
			BeforeEach(func() {
				reader = readerWithError(&meta.NoKindMatchError{})
			})

			It("should deploy all but the collector, and say what is missing", func() {
				Expect(reconcile()).To(Succeed())
				expectNoCollector()
				stored := &extensionsv1alpha1.Extension{}
				Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), stored)).To(Succeed())
				Expect(stored.Status.Conditions).To(ContainElement(And(
					HaveField("Type", gardencorev1beta1.ConditionType("Compatible")),
					HaveField("Status", gardencorev1beta1.ConditionFalse),
					HaveField("Reason", "CollectorKindMissing"),
				)))
			})
		})

		Context("when the cluster cannot be read", func() {
			var failing client.ObjectList

			BeforeEach(func() {
				reader = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
					Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
						return errors.New("no permission")
					},
					List: func(_ context.Context, _ client.WithWatch, list client.ObjectList, _ ...client.ListOption) error {
						if reflect.TypeOf(list) == reflect.TypeOf(failing) {
							return errors.New("no permission")
						}
						return nil
					},
				}).Build()
			})

			It("should fail", func() {
				failing = &otelv1beta1.OpenTelemetryCollectorList{}
				Expect(reconcile()).To(MatchError("failed to find out whether OpenTelemetryCollectors can be created in namespace garden: no permission"))
				failing = nil
				Expect(reconcile()).To(MatchError("failed to get OpenTelemetryCollector garden/otel-federation-seed: no permission"))
			})
		})
	})

	DescribeTable("deletion", func(remove func() error) {
		Expect(c.Create(ctx, secret)).To(Succeed())
		Expect(reconcile()).To(Succeed())

		Expect(remove()).To(Succeed())

		Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: name}, &resourcesv1alpha1.ManagedResource{})).To(BeNotFoundError())
		Expect(c.Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(BeNotFoundError())
		Expect(remove()).To(Succeed(), "a second time")
	},
		Entry("#Delete", func() error { return a.Delete(ctx, logr.Discard(), ex) }),
		Entry("#ForceDelete", func() error { return a.ForceDelete(ctx, logr.Discard(), ex) }),
	)

	It("should do nothing on Migrate, and on Restore what Reconcile does", func() {
		Expect(a.Migrate(ctx, logr.Discard(), ex)).To(Succeed())
		Expect(a.Restore(ctx, logr.Discard(), ex)).To(Succeed())
		expectNoCollector()
	})
})

func readerWithError(err error) client.Reader {
	return fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return err
		},
		List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
			return err
		},
	}).Build()
}

func scrapeConfig(obj *otelv1beta1.OpenTelemetryCollector) map[string]any {
	config := obj.Spec.Config.Receivers.Object["prometheus"].(map[string]any)["config"].(map[string]any)
	return config["scrape_configs"].([]any)[0].(map[string]any)
}

func targetLabels(obj *otelv1beta1.OpenTelemetryCollector) any {
	return scrapeConfig(obj)["static_configs"].([]any)[0].(map[string]any)["labels"]
}
