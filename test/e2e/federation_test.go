// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus/common/model"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/resourcemanager/controller/garbagecollector/references"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	credentialscontroller "github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/secrets"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

func forEach(list client.ObjectList, do func(client.Object)) error {
	return meta.EachListItem(list, func(obj runtime.Object) error {
		do(obj.(client.Object))
		return nil
	})
}

var _ = Describe("Federation", Ordered, func() {
	var (
		ctx      context.Context
		restored bool
	)

	BeforeAll(func() {
		expectAllPushed(context.Background())
	})

	BeforeEach(func() {
		ctx = context.Background()
	})

	It("writes the metrics of every seed to both garden Prometheis under the seed's name", func() {
		since := time.Now()
		for _, seed := range []string{seedLocal, seedOther} {
			expectFederated(ctx, seed, since)
		}

		for _, replica := range landscape.GardenReplicas {
			By("Look for what must not be in " + replica)
			for _, query := range []string{
				`{__name__="target_info"}`,
				// What was pulled under another seed's name is shown for a while after pull has ended.
				`{__name__=~"seed:.+|shoot:.+",seed!~"local|seed-2"}`,
				`{otel_federation_job!=""}`,
			} {
				Eventually(func(g Gomega) {
					g.Expect(ls.Prometheus(replica).Query(ctx, query)).To(BeEmpty(), query)
				}).Should(Succeed())
			}

			By("Look at job and instance of the targets in " + replica)
			// Those of pull, which have no seed, are shown for a while after pull has ended.
			Eventually(func(g Gomega) {
				targets, err := ls.Prometheus(replica).Query(ctx, `up{job="prometheus-aggregate"}`)
				g.Expect(err).NotTo(HaveOccurred())
				instances := map[string]string{}
				for _, target := range targets {
					instances[string(target.Metric["seed"])] = string(target.Metric["instance"])
				}
				g.Expect(instances).To(Equal(map[string]string{seedLocal: targetLocal, seedOther: targetOther}))
			}).Should(Succeed())
		}
	})

	It("keeps to what runs if a providerConfig is bad, and says which field is", func() {
		restoreUnless(&restored, func(ctx context.Context) error {
			return errors.Join(ls.EnableSeed(ctx, seedOther), ls.EnableGarden(ctx))
		})
		seedBefore, gardenBefore := workloadOf(ctx, ls.Seed(seedOther), constants.SeedCollectorName), workloadOf(ctx, ls.Runtime(), constants.GardenCollectorName)

		Expect(gardener.EnableSeed(ctx, ls.VirtualGarden(), ls.Seed(seedOther), seedOther, rawConfig("SeedFederationConfig", `"scrape":{"interval":"5s","timeout":"10s"}`))).To(Succeed())
		Expect(gardener.EnableGarden(ctx, ls.Runtime(), rawConfig("GardenFederationConfig", `"replicas":0`))).To(Succeed())

		expectLastError(ctx, ls.Seed(seedOther), extensionsv1alpha1.ExtensionClassSeed, "spec.providerConfig.scrape.timeout")
		expectLastError(ctx, ls.Runtime(), extensionsv1alpha1.ExtensionClassGarden, "spec.providerConfig.replicas")
		Expect(workloadOf(ctx, ls.Seed(seedOther), constants.SeedCollectorName)).To(Equal(seedBefore))
		Expect(workloadOf(ctx, ls.Runtime(), constants.GardenCollectorName)).To(Equal(gardenBefore))
		expectFederated(ctx, seedOther, time.Now())

		Expect(ls.EnableSeed(ctx, seedOther)).To(Succeed())
		Expect(ls.EnableGarden(ctx)).To(Succeed())
		expectSucceeded(ctx, ls.Seed(seedOther), extensionsv1alpha1.ExtensionClassSeed)
		expectSucceeded(ctx, ls.Runtime(), extensionsv1alpha1.ExtensionClassGarden)
		restored = true
	})

	It("takes the credentials of a seed away that is removed, and federates a seed that is added", func() {
		restoreUnless(&restored, func(ctx context.Context) error {
			if err := ls.AddSeed(ctx, seedOther); err != nil && !apierrors.IsAlreadyExists(err) {
				return err
			}
			return ls.EnableSeed(ctx, seedOther)
		})
		Expect(ls.DisableSeed(ctx, seedOther)).To(Succeed())
		expectSeedClean(ctx, seedOther)
		stopped := time.Now()

		Expect(ls.RemoveSeed(ctx, seedOther)).To(Succeed())
		Eventually(func(g Gomega) {
			err := ls.VirtualGarden().Get(ctx, credentialsKey(seedOther), &corev1.Secret{})
			g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "Secret of the removed seed")
		}).Should(Succeed())
		Expect(ls.VirtualGarden().Get(ctx, credentialsKey(seedLocal), &corev1.Secret{})).To(Succeed())
		expectFederated(ctx, seedLocal, time.Now())
		expectNotFederated(ctx, seedOther, stopped)

		added := time.Now()
		Expect(ls.AddSeed(ctx, seedOther)).To(Succeed())
		Expect(ls.EnableSeed(ctx, seedOther)).To(Succeed())
		expectFederated(ctx, seedOther, added)
		restored = true
	})

	It("leaves nothing behind when it is disabled, and starts by itself whichever side is enabled first", func() {
		restoreUnless(&restored, func(ctx context.Context) error {
			return errors.Join(ls.EnableGarden(ctx), ls.EnableSeed(ctx, seedOther), ls.EnableSeed(ctx, seedLocal))
		})
		By("Disable it in the garden, which hands all seeds back to pull, and in the seeds")
		expectAllPushed(ctx)
		w := watchSeries(ctx)
		Expect(ls.DisableGarden(ctx)).To(Succeed())
		expectRolledBack(ctx)
		w.expectAvailable(ctx, 2*ls.ScrapeInterval, seedLocal, seedOther)
		// Gardener calls a Prometheus unhealthy that has just been started; no federated seed is missed.
		w.expectFailedHealthChecks(ctx, HaveEach(HaveField("Metric", Or(
			HaveKeyWithValue(model.LabelName("task"), BeElementOf(model.LabelValue("rule_evaluation:first_cycle"), model.LabelValue("rule_evaluation:unknown_status"))),
			HaveKeyWithValue(model.LabelName("job"), BeElementOf(model.LabelValue("prometheus-garden"), model.LabelValue(constants.GardenCollectorName))),
		))))
		Expect(ls.DisableSeed(ctx, seedLocal)).To(Succeed())
		Expect(ls.DisableSeed(ctx, seedOther)).To(Succeed())
		for _, seed := range []string{seedLocal, seedOther} {
			expectSeedClean(ctx, seed)
		}
		expectGardenClean(ctx)

		By("Enable a seed before the garden")
		enabled := time.Now()
		Expect(ls.EnableSeed(ctx, seedOther)).To(Succeed())
		expectSucceeded(ctx, ls.Seed(seedOther), extensionsv1alpha1.ExtensionClassSeed)
		expectCredentialsCondition(ctx, ls.Seed(seedOther), gardencorev1beta1.ConditionProgressing,
			"Credentials for seed "+seedOther+" have not been issued yet: is the extension enabled in the Garden?")
		Expect(ls.EnableGarden(ctx)).To(Succeed())
		expectSucceeded(ctx, ls.Runtime(), extensionsv1alpha1.ExtensionClassGarden)
		expectFederated(ctx, seedOther, enabled)
		expectCredentialsCondition(ctx, ls.Seed(seedOther), gardencorev1beta1.ConditionTrue, "https://otel-federation."+gardener.GardenIngressDomain)

		By("Enable a seed after the garden")
		enabled = time.Now()
		Expect(ls.EnableSeed(ctx, seedLocal)).To(Succeed())
		expectSucceeded(ctx, ls.Seed(seedLocal), extensionsv1alpha1.ExtensionClassSeed)
		expectFederated(ctx, seedLocal, enabled)
		expectAllPushed(ctx)
		restored = true
	})
})

// restoreUnless restores at the end of a spec that fails what those after it rely on.
func restoreUnless(restored *bool, restore func(ctx context.Context) error) {
	*restored = false
	DeferCleanup(func(ctx context.Context) {
		if !*restored {
			Expect(restore(ctx)).To(Succeed())
		}
	})
}

// expectRolledBack waits until both replicas of the garden Prometheus have been started without an OTLP receiver, and have scraped since.
func expectRolledBack(ctx context.Context) {
	for _, replica := range landscape.GardenReplicas {
		EventuallyWithOffset(1, func(g Gomega) {
			pod := &corev1.Pod{}
			g.Expect(ls.Runtime().Get(ctx, client.ObjectKey{Namespace: gardenNamespace, Name: "prometheus-" + replica}, pod)).To(Succeed())
			g.Expect(pod.Spec.Containers).To(ContainElement(And(HaveField("Name", "prometheus"), HaveField("Args", Not(ContainElement("--web.enable-otlp-receiver"))))))
			g.Expect(ls.Prometheus(replica).Ready(ctx)).To(Succeed())
			query := fmt.Sprintf(`timestamp(up{job=%q,seed=""}) > %d`, constants.JobPrometheusAggregate, pod.Status.StartTime.Unix())
			g.Expect(ls.Prometheus(replica).Query(ctx, query)).To(HaveLen(2), "targets that %s has pulled from since it was started", replica)
		}).Should(Succeed())
	}
}

func rawConfig(kind, fields string) *runtime.RawExtension {
	return &runtime.RawExtension{Raw: []byte(`{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"` + kind + `",` + fields + `}`)}
}

func credentialsKey(seed string) client.ObjectKey {
	return client.ObjectKey{Namespace: gardenerutils.ComputeGardenNamespace(seed), Name: constants.CredentialsSecretName}
}

func expectLastError(ctx context.Context, c client.Client, class extensionsv1alpha1.ExtensionClass, text string) {
	EventuallyWithOffset(1, func(g Gomega) {
		ex := extensionOf(ctx, g, c, class)
		g.Expect(ex.Status.LastError).NotTo(BeNil())
		g.Expect(ex.Status.LastError.Description).To(ContainSubstring(text))
	}).WithTimeout(30 * time.Second).Should(Succeed())
}

func expectSeedClean(ctx context.Context, seed string) {
	EventuallyWithOffset(1, func(g Gomega) {
		g.Expect(leftovers(ctx, g, ls.Seed(seed), constants.SeedCollectorName,
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: gardenNamespace, Name: constants.CredentialsSecretName}},
		)).To(BeEmpty())
		err := ls.VirtualGarden().Get(ctx, client.ObjectKey{Namespace: gardenerutils.ComputeGardenNamespace(seed), Name: constants.LeaseName}, &coordinationv1.Lease{})
		g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "Lease of seed %s", seed)
	}).WithTimeout(10 * time.Second).Should(Succeed())
}

func expectGardenClean(ctx context.Context) {
	EventuallyWithOffset(1, func(g Gomega) {
		prometheus := &monitoringv1.Prometheus{}
		g.Expect(ls.Runtime().Get(ctx, client.ObjectKey{Namespace: gardenNamespace, Name: constants.GardenPrometheusName}, prometheus)).To(Succeed())
		g.Expect(prometheus.Spec.EnableOTLPReceiver).To(BeNil())
		g.Expect(prometheus.Spec.OTLP).To(BeNil())
		g.Expect(prometheus.Spec.TSDB).To(BeNil())
		g.Expect(prometheus.Annotations).NotTo(HaveKey(HavePrefix(constants.ExtensionType)))

		g.Expect(pulledTargets(ctx, g)).To(ConsistOf(targetLocal, targetOther))
		for _, name := range handover.ScrapeConfigNames() {
			scrapeConfig := &monitoringv1alpha1.ScrapeConfig{}
			g.Expect(ls.Runtime().Get(ctx, client.ObjectKey{Namespace: gardenNamespace, Name: name}, scrapeConfig)).To(Succeed())
			g.Expect(scrapeConfig.Annotations).NotTo(HaveKey(constants.AnnotationWithheldTargets))
			g.Expect(scrapeConfig.Labels).To(HaveKeyWithValue("prometheus", "garden"))
		}

		g.Expect(leftovers(ctx, g, ls.Runtime(), constants.GardenCollectorName,
			&monitoringv1.PrometheusRule{ObjectMeta: metav1.ObjectMeta{Namespace: gardenNamespace, Name: "garden-otel-federation-hand-over"}},
			&istionetworkingv1beta1.Gateway{},
			&istionetworkingv1beta1.VirtualService{},
			&istionetworkingv1beta1.DestinationRule{},
			&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: gardenNamespace, Name: constants.IssuerConfigMapName}},
			&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: gardenNamespace, Name: gardenerutils.SecretNamePrefixShootAccess + constants.GardenAccessName}},
		)).To(BeEmpty())

		keys := &corev1.SecretList{}
		g.Expect(ls.Runtime().List(ctx, keys)).To(Succeed())
		for _, secret := range keys.Items {
			// gardener-resource-manager collects earlier versions of the data of a ManagedResource when they are ten minutes old.
			if secret.Labels[references.LabelKeyGarbageCollectable] == references.LabelValueGarbageCollectable {
				continue
			}
			identity := secret.Labels["manager-identity"]
			g.Expect(identity == secrets.IdentityCertificates || identity == secrets.IdentitySigningKey).To(BeFalse(), "Secret %s of the secrets manager", secret.Name)
			g.Expect(strings.Contains(secret.Name, constants.GardenCollectorName)).To(BeFalse(), "Secret %s/%s", secret.Namespace, secret.Name)
		}

		for _, seed := range []string{seedLocal, seedOther} {
			g.Expect(apierrors.IsNotFound(ls.VirtualGarden().Get(ctx, credentialsKey(seed), &corev1.Secret{}))).To(BeTrue(), "Secret of seed %s", seed)
		}
		for _, obj := range append(credentialscontroller.VirtualGardenObjects(),
			&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: constants.GardenAccessName}},
		) {
			err := ls.VirtualGarden().Get(ctx, client.ObjectKeyFromObject(obj), obj)
			g.Expect(apierrors.IsNotFound(err)).To(BeTrue(), "%T %s in the virtual garden", obj, obj.GetName())
		}
	}).WithTimeout(20 * time.Second).Should(Succeed())
}
