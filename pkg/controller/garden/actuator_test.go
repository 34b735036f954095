// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	"bytes"
	"context"
	"reflect"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/extensions/pkg/controller/extension"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/garden"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

var _ = Describe("Actuator", func() {
	var (
		ctx    = context.Background()
		now    = time.Now().Truncate(time.Second)
		c      client.Client
		ex     *extensionsv1alpha1.Extension
		garden *operatorv1alpha1.Garden
		a      extension.Actuator
	)

	BeforeEach(func() {
		ex = &extensionsv1alpha1.Extension{ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "garden"}}
		garden = newGarden("local")
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(ex, garden, newEnabledPrometheus(), newPrometheusPod(0, true), newPrometheusPod(1, true)).WithStatusSubresource(ex).
			WithInterceptorFuncs(interceptor.Funcs{Patch: ignoreEmptyPatch}).Build()
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		a = NewActuator(c, c, nil, testclock.NewFakeClock(now))
	})

	reconcile := func() error { return a.Reconcile(ctx, logr.Discard(), ex) }

	provide := func(providerConfig string) {
		GinkgoHelper()
		ex.Spec.ProviderConfig = &runtime.RawExtension{Raw: []byte(`{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"GardenFederationConfig",` + providerConfig + `}`)}
		Expect(c.Update(ctx, ex)).To(Succeed())
	}
	create := func(objects ...client.Object) {
		GinkgoHelper()
		for _, obj := range objects {
			Expect(c.Create(ctx, obj)).To(Succeed())
		}
	}
	issuer := func() *credentials.IssuerConfig {
		GinkgoHelper()
		configMap := &corev1.ConfigMap{}
		Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: "otel-federation-issuer"}, configMap)).To(Succeed())
		config, err := credentials.ParseIssuerConfig(configMap)
		Expect(err).NotTo(HaveOccurred())
		return config
	}
	// deployed returns the object of the given name and kind from the ManagedResource of the fan-out.
	deployed := func(name string, kind client.Object) client.Object {
		GinkgoHelper()
		objects, err := managedresources.GetObjects(ctx, c, "garden", "otel-federation-garden")
		Expect(err).NotTo(HaveOccurred())
		for _, obj := range objects {
			if obj.GetName() == name && reflect.TypeOf(obj) == reflect.TypeOf(kind) {
				return obj
			}
		}
		return nil
	}
	expectCondition := func(status gardencorev1beta1.ConditionStatus, reason, message string) {
		GinkgoHelper()
		stored := &extensionsv1alpha1.Extension{}
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), stored)).To(Succeed())
		Expect(stored.Status.Conditions).To(ContainElement(gardencorev1beta1.Condition{
			Type:               "IngressReady",
			Status:             status,
			Reason:             reason,
			Message:            message,
			LastTransitionTime: metav1.NewTime(now),
			LastUpdateTime:     metav1.NewTime(now),
		}))
	}

	Describe("#Reconcile", func() {
		It("should let the pods check their queues by the image of the extension", func() {
			GinkgoT().Setenv("IMAGE", "extension:v1")
			Expect(reconcile()).To(Succeed())
			collector, err := collectortest.DeployedCollector(ctx, c, name+"-0", name)
			Expect(err).NotTo(HaveOccurred())
			Expect(collector.Spec.InitContainers).To(ConsistOf(And(HaveField("Name", "check-queue"), HaveField("Image", "extension:v1"))))
		})

		It("should deploy the fan-out without an ingress as long as the garden Prometheus has none", func() {
			Expect(reconcile()).To(Succeed())

			Expect(deployed(name, &istionetworkingv1beta1.Gateway{})).To(BeNil())
			expectCondition("Progressing", "GatewayMissing", "The fan-out is not exposed yet: Gateway and VirtualService garden/virtual-garden-prometheus-garden of the garden Prometheus, whose ingress gateway it shares, do not exist.")
		})

		It("should expose the fan-out on the gateway of the garden Prometheus", func() {
			create(prometheusIngress()...)

			Expect(reconcile()).To(Succeed())

			gateway := deployed(name, &istionetworkingv1beta1.Gateway{}).(*istionetworkingv1beta1.Gateway)
			Expect(gateway.Spec.Selector).To(Equal(map[string]string{"istio": "gateway"}))
			Expect(gateway.Spec.Servers[0].Hosts).To(ConsistOf(host))
			virtualService := deployed(name, &istionetworkingv1beta1.VirtualService{}).(*istionetworkingv1beta1.VirtualService)
			Expect(virtualService.Spec.ExportTo).To(ConsistOf(gatewayNamespace))
			expectCondition("True", "Exposed", "The fan-out is exposed as https://"+host+".")
		})

		It("should stay exposed if the gateway of the garden Prometheus vanishes", func() {
			create(prometheusIngress()...)
			Expect(reconcile()).To(Succeed())
			create(deployed(name, &istionetworkingv1beta1.Gateway{}), deployed(name, &istionetworkingv1beta1.VirtualService{}))

			for _, obj := range prometheusIngress() {
				Expect(c.Delete(ctx, obj)).To(Succeed())
			}
			Expect(reconcile()).To(Succeed())
			Expect(deployed(name, &istionetworkingv1beta1.Gateway{}).(*istionetworkingv1beta1.Gateway).Spec.Selector).To(Equal(map[string]string{"istio": "gateway"}))
			expectCondition("True", "Exposed", "The fan-out is exposed as https://"+host+".")
		})

		It("should refuse a gateway whose namespace is not clear", func() {
			objects := prometheusIngress()
			objects[1].(*istionetworkingv1beta1.VirtualService).Spec.ExportTo = []string{"a", "b"}
			create(objects...)
			Expect(reconcile()).To(MatchError(ContainSubstring("VirtualService garden/virtual-garden-prometheus-garden must be exported to exactly one namespace")))
		})

		It("should let the alerts follow the configuration", func() {
			provide(`"handOver":{"returnAfter":"10s"},"token":{"validity":"48h","renewAfter":"6h"}`)
			create(newVirtualService("prometheus-aggregate", "p-seed.ingress.local"))

			Expect(reconcile()).To(Succeed())

			group := deployed("garden-"+name, &monitoringv1.PrometheusRule{}).(*monitoringv1.PrometheusRule).Spec.Groups[0]
			Expect(group.Interval).To(HaveValue(BeEquivalentTo("5s")))
			Expect(group.Rules).To(ContainElements(
				And(HaveField("Alert", "OTelFederationSeedSilent"), HaveField("Expr.StrVal", ContainSubstring(" > 10 and on (seed)"))),
				And(HaveField("Alert", "OTelFederationTokenExpiring"), HaveField("Expr.StrVal", HaveSuffix(" - time() < 43200"))),
			))
		})

		It("should publish the key that it generated, and how credentials are issued", func() {
			provide(`"seedSelector":{"matchLabels":{"a":"b"}},"deniedSeeds":["evil"],"ingress":{"hostPrefix":"push"},"token":{"validity":"48h","renewAfter":"6h"}`)
			create(newVirtualService("prometheus-aggregate", "p-seed.ingress.local"))

			Expect(reconcile()).To(Succeed())

			config := issuer()
			key := &corev1.Secret{}
			Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: config.SigningKeySecretName}, key)).To(Succeed())
			signingKey, err := credentials.ParseSigningKey(key)
			Expect(err).NotTo(HaveOccurred())
			jwks, err := credentials.JWKS(signingKey.Public())
			Expect(err).NotTo(HaveOccurred())
			Expect(deployed(name+"-jwks", &corev1.ConfigMap{}).(*corev1.ConfigMap).Data).To(Equal(map[string]string{"jwks.json": string(jwks)}))

			Expect(config.CABundle).To(HavePrefix("-----BEGIN CERTIFICATE-----"))
			Expect(config).To(Equal(&credentials.IssuerConfig{
				Endpoint:                "https://push.ingress.garden.local",
				CABundle:                config.CABundle,
				SigningKeySecretName:    key.Name,
				TokenValidity:           metav1.Duration{Duration: 48 * time.Hour},
				TokenRenewAfter:         metav1.Duration{Duration: 6 * time.Hour},
				SeedSelector:            &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
				DeniedSeeds:             []string{"evil"},
				AggregatePrometheusHost: "p-seed.ingress.local",
			}))
		})

		It("should deploy the access to the virtual garden", func() {
			Expect(reconcile()).To(Succeed())

			secret := &corev1.Secret{}
			Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: "shoot-access-otel-federation"}, secret)).To(Succeed())
			Expect(secret.Annotations).To(HaveKeyWithValue("serviceaccount.resources.gardener.cloud/name", "otel-federation"))
			objects, err := managedresources.GetObjects(ctx, c, "garden", "otel-federation-garden-access")
			Expect(err).NotTo(HaveOccurred())
			Expect(objects).To(HaveLen(3))
		})

		It("should change nothing in a second run", func() {
			create(prometheusIngress()...)
			Expect(reconcile()).To(Succeed())
			before := resourceVersions(ctx, c)
			version := ex.ResourceVersion

			Expect(reconcile()).To(Succeed())

			Expect(resourceVersions(ctx, c)).To(Equal(before))
			Expect(ex.ResourceVersion).To(Equal(version))
		})

		Context("with a wildcard certificate", func() {
			var (
				certificate *corev1.Secret
				ca          []byte
			)

			BeforeEach(func() {
				certificate, ca = wildcard()
				create(prometheusIngress()...)
			})

			expectWildcard := func(bundle []byte) {
				GinkgoHelper()
				create(certificate)
				Expect(reconcile()).To(Succeed())

				Expect(issuer().CABundle).To(Equal(string(bundle)))
				copied := deployed("garden-otel-federation-garden-wildcard", &corev1.Secret{}).(*corev1.Secret)
				Expect(copied.Namespace).To(Equal(gatewayNamespace))
				Expect(copied.Data).To(Equal(map[string][]byte{"tls.crt": certificate.Data["tls.crt"], "tls.key": certificate.Data["tls.key"]}))
			}

			It("should publish the root if it is in the chain", func() {
				certificate.Data["tls.crt"] = bytes.Join([][]byte{certificate.Data["tls.crt"], ca}, nil)
				expectWildcard(ca)
			})

			It("should publish ca.crt", func() {
				certificate.Data["ca.crt"] = ca
				expectWildcard(ca)
			})

			It("should publish nothing if ca.crt is an intermediate certificate of a public CA", func() {
				certificate.Data["ca.crt"] = certificate.Data["tls.crt"]
				expectWildcard(nil)
			})

			It("should publish nothing if the root is public", func() {
				expectWildcard(nil)
			})

			It("should remove the certificate that it had issued before", func() {
				Expect(reconcile()).To(Succeed())
				Expect(resourceVersions(ctx, c)).To(HaveKey(ContainSubstring("otel-federation-server")))
				expectWildcard(nil)
				Expect(resourceVersions(ctx, c)).NotTo(HaveKey(ContainSubstring("otel-federation-server")))
			})

			It("should fail if it is no certificate", func() {
				certificate.Data["tls.crt"] = []byte("foo")
				create(certificate)
				Expect(reconcile()).To(MatchError(ContainSubstring("the wildcard certificate in Secret garden/wildcard is invalid")))
			})
		})

		It("should fail if there is no Garden", func() {
			Expect(c.Delete(ctx, garden)).To(Succeed())
			Expect(reconcile()).To(MatchError("there must be exactly one Garden in the runtime cluster, but there are 0"))
		})

		It("should fail if there are two Gardens", func() {
			create(newGarden("second"))
			Expect(reconcile()).To(MatchError("there must be exactly one Garden in the runtime cluster, but there are 2"))
		})

		It("should fail if the Garden has no ingress domain", func() {
			garden.Spec.RuntimeCluster.Ingress.Domains = nil
			Expect(c.Update(ctx, garden)).To(Succeed())
			Expect(reconcile()).To(MatchError("Garden local has no ingress domain: set spec.runtimeCluster.ingress.domains"))
		})

		It("should name the wrong field of the providerConfig and change nothing", func() {
			provide(`"replicas":-1`)
			Expect(reconcile()).To(MatchError(ContainSubstring("spec.providerConfig.replicas")))
			Expect(resourceVersions(ctx, c)).To(BeEmpty())
		})
	})

	DescribeTable("deletion", func(remove func() error, remaining ...string) {
		create(prometheusIngress()...)
		create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "other", Namespace: "garden"}})
		Expect(reconcile()).To(Succeed())

		Expect(remove()).To(Succeed())

		versions := resourceVersions(ctx, c)
		Expect(versions).To(HaveLen(len(remaining)))
		for _, key := range remaining {
			Expect(versions).To(HaveKey(key))
		}
		Expect(remove()).To(Succeed(), "a second time")
	},
		Entry("#Delete", func() error { return a.Delete(ctx, logr.Discard(), ex) }, "Secret garden/other"),
		Entry("#ForceDelete", func() error { return a.ForceDelete(ctx, logr.Discard(), ex) }, "Secret garden/other"),
	)
})
