// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	extensionscmdwebhook "github.com/gardener/gardener/extensions/pkg/webhook/cmd"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/webhook"
)

// fakeManager has what building the configuration takes.
type fakeManager struct {
	manager.Manager

	client client.Client
}

func (m fakeManager) GetClient() client.Client   { return m.client }
func (m fakeManager) GetScheme() *runtime.Scheme { return m.client.Scheme() }
func (m fakeManager) GetLogger() logr.Logger     { return logr.Discard() }

var _ = Describe("Webhook", func() {
	var (
		ctx    = context.Background()
		kind   = monitoringv1.SchemeGroupVersion.WithKind(monitoringv1.PrometheusesKind)
		kinds  = []schema.GroupVersionKind{kind, monitoringv1alpha1.SchemeGroupVersion.WithKind(monitoringv1alpha1.ScrapeConfigsKind)}
		mapper *meta.DefaultRESTMapper
	)

	BeforeEach(func() {
		mapper = meta.NewDefaultRESTMapper([]schema.GroupVersion{monitoringv1.SchemeGroupVersion, monitoringv1alpha1.SchemeGroupVersion})
	})

	Describe("registration", func() {
		var mgr fakeManager

		BeforeEach(func() {
			for _, kind := range kinds {
				mapper.Add(kind, meta.RESTScopeNamespace)
			}
			mgr = fakeManager{client: fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithRESTMapper(mapper).Build()}
		})

		expected := func(clientConfig func(name string) admissionregistrationv1.WebhookClientConfig) *admissionregistrationv1.MutatingWebhookConfiguration {
			return &admissionregistrationv1.MutatingWebhookConfiguration{
				ObjectMeta: metav1.ObjectMeta{
					Name:   "gardener-extension-otel-federation-runtime",
					Labels: map[string]string{"remediation.webhook.shoot.gardener.cloud/exclude": "true"},
				},
				Webhooks: []admissionregistrationv1.MutatingWebhook{{
					Name:         "prometheus.otel-federation-runtime.extensions.gardener.cloud",
					ClientConfig: clientConfig("prometheus"),
					Rules: []admissionregistrationv1.RuleWithOperations{{
						Operations: []admissionregistrationv1.OperationType{"CREATE", "UPDATE"},
						Rule:       admissionregistrationv1.Rule{APIGroups: []string{"monitoring.coreos.com"}, APIVersions: []string{"v1"}, Resources: []string{"prometheuses"}},
					}},
					FailurePolicy:     new(admissionregistrationv1.Fail),
					MatchPolicy:       new(admissionregistrationv1.Exact),
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "garden"}},
					ObjectSelector:    &metav1.LabelSelector{MatchLabels: map[string]string{"app": "prometheus", "role": "monitoring", "name": "garden"}},
					MatchConditions: []admissionregistrationv1.MatchCondition{
						{Name: "name", Expression: `request.name == "garden"`},
						{Name: "not-being-deleted", Expression: "!has(object.metadata.deletionTimestamp)"},
					},
					SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
					TimeoutSeconds:          new(int32(10)),
					AdmissionReviewVersions: []string{"v1", "v1beta1"},
				}, {
					Name:         "scrapeconfig.otel-federation-runtime.extensions.gardener.cloud",
					ClientConfig: clientConfig("scrapeconfig"),
					Rules: []admissionregistrationv1.RuleWithOperations{{
						Operations: []admissionregistrationv1.OperationType{"CREATE", "UPDATE"},
						Rule:       admissionregistrationv1.Rule{APIGroups: []string{"monitoring.coreos.com"}, APIVersions: []string{"v1alpha1"}, Resources: []string{"scrapeconfigs"}},
					}},
					FailurePolicy:     new(admissionregistrationv1.Ignore),
					MatchPolicy:       new(admissionregistrationv1.Exact),
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": "garden"}},
					MatchConditions: []admissionregistrationv1.MatchCondition{
						{Name: "name", Expression: `request.name in ["garden-prometheus-aggregate", "garden-prometheus-aggregate-ingress"]`},
						{Name: "not-being-deleted", Expression: "!has(object.metadata.deletionTimestamp)"},
					},
					SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
					TimeoutSeconds:          new(int32(10)),
					AdmissionReviewVersions: []string{"v1", "v1beta1"},
				}},
			}
		}
		serviceAt := func(port int32) func(string) admissionregistrationv1.WebhookClientConfig {
			return func(name string) admissionregistrationv1.WebhookClientConfig {
				return admissionregistrationv1.WebhookClientConfig{Service: &admissionregistrationv1.ServiceReference{
					Namespace: "runtime-extension-foo", Name: "gardener-extension-otel-federation-runtime", Path: new("/webhooks/" + name), Port: new(port),
				}}
			}
		}

		DescribeTable("should concern nothing but the garden Prometheus and its federation", func(server *extensionscmdwebhook.ServerConfig, clientConfig func(string) admissionregistrationv1.WebhookClientConfig) {
			Expect(ConfigFor(mgr, server, 10250)).To(Equal(expected(clientConfig)))
		},
			Entry("with a Service",
				&extensionscmdwebhook.ServerConfig{Mode: "service", Namespace: "runtime-extension-foo", ServicePort: 443}, serviceAt(443),
			),
			Entry("with a Service at the port of the server",
				&extensionscmdwebhook.ServerConfig{Mode: "service", Namespace: "runtime-extension-foo"}, serviceAt(10250),
			),
			Entry("with a URL",
				&extensionscmdwebhook.ServerConfig{Mode: "url", Namespace: "runtime-extension-foo", URL: "127.0.0.1:8443"},
				func(name string) admissionregistrationv1.WebhookClientConfig {
					return admissionregistrationv1.WebhookClientConfig{URL: new("https://127.0.0.1:8443/webhooks/" + name)}
				},
			),
		)
	})

	Describe("AddToManager", func() {
		DescribeTable("should refuse arguments that cannot work", func(server *extensionscmdwebhook.ServerConfig, message string) {
			Expect(AddToManager(ctx, nil, server)).To(MatchError(ContainSubstring(message)))
		},
			Entry("no namespace", &extensionscmdwebhook.ServerConfig{Mode: "service"}, "set the environment variable WEBHOOK_CONFIG_NAMESPACE or --webhook-config-namespace"),
			Entry("no URL", &extensionscmdwebhook.ServerConfig{Mode: "url", Namespace: "foo"}, "set --webhook-config-url"),
			Entry("unsupported mode", &extensionscmdwebhook.ServerConfig{Mode: "url-service", Namespace: "foo"}, `set --webhook-config-mode to "service" or "url"`),
		)
	})

	Describe("owner", func() {
		var (
			c      client.Client
			config *admissionregistrationv1.MutatingWebhookConfiguration
		)

		BeforeEach(func() {
			c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).
				WithObjects(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "runtime-extension-foo", UID: "1"}}).Build()
			config = &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: "foo"}}
		})

		It("should be the namespace, whoever creates the configuration", func() {
			Expect(SetOwner(ctx, c, config, "runtime-extension-foo")).To(Succeed())
			Expect(config.OwnerReferences).To(ConsistOf(metav1.OwnerReference{
				APIVersion: "v1", Kind: "Namespace", Name: "runtime-extension-foo", UID: "1", Controller: new(true), BlockOwnerDeletion: new(false),
			}))
		})

		It("should be nobody if no namespace is named", func() {
			Expect(SetOwner(ctx, c, config, "")).To(Succeed())
			Expect(config.OwnerReferences).To(BeEmpty())
		})

		It("should say which flag is wrong if the namespace does not exist", func() {
			Expect(SetOwner(ctx, c, config, "bar")).To(MatchError(And(ContainSubstring("namespace bar"), ContainSubstring("--webhook-config-owner-namespace"))))
		})
	})

	Describe("kinds", func() {
		It("should go on with a kind that is served", func() {
			mapper.Add(kind, meta.RESTScopeNamespace)
			Expect(WaitForKind(ctx, mapper, kind.GroupKind())).To(Succeed())
		})

		It("should give up with the name of the kind and a cure", func() {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			Expect(WaitForKind(ctx, mapper, kind.GroupKind())).To(MatchError(And(
				ContainSubstring("Prometheus.monitoring.coreos.com"),
				ContainSubstring("no matches for"),
				ContainSubstring("CustomResourceDefinition, which gardener-operator deploys, exists"),
			)))
		})
	})
})
