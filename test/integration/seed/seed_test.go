// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seed_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1helper "github.com/gardener/gardener/pkg/api/core/v1beta1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	"github.com/gardener/gardener/pkg/resourcemanager/controller/garbagecollector/references"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

const (
	configKind = "SeedFederationConfig"
	endpoint   = "https://otel-federation.ingress.garden.example.com"
)

var _ = Describe("Seed controller", func() {
	var (
		extension   *framework.Extension
		credentials *corev1.Secret
	)

	BeforeEach(func() {
		extension = framework.NewSeedExtension(cluster.Client)
		credentials = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: v1beta1constants.GardenNamespace, Name: constants.CredentialsSecretName},
			Data: map[string][]byte{
				constants.DataKeyEndpoint: []byte(endpoint),
				constants.DataKeyInstance: []byte("p-seed.ingress.seed-1.example.com"),
				constants.DataKeyToken:    []byte("token-1"),
			},
		}

		DeferCleanup(func(ctx context.Context) {
			extension.Delete(ctx)
			extension.WaitUntilDeleted(ctx)
		})
	})

	It("should succeed without credentials and say what is missing", func(ctx context.Context) {
		extension.DeployAndWait(ctx, configKind, nil)

		Expect(extension.Get(ctx, Default).Status.LastOperation.State).To(Equal(gardencorev1beta1.LastOperationStateSucceeded))
		Eventually(ctx, func(g Gomega) {
			condition := credentialsCondition(extension.Get(ctx, g))
			g.Expect(condition.Status).To(Equal(gardencorev1beta1.ConditionProgressing))
			g.Expect(condition.Reason).To(Equal(conditions.ReasonCredentialsMissing))
			g.Expect(condition.Message).To(ContainSubstring("seed " + seedName))
		}).WithTimeout(pollTimeout).Should(Succeed())

		Expect(framework.ObjectOf[*monitoringv1.ServiceMonitor](ctx, Default, cluster.Client, constants.SeedCollectorName)).NotTo(BeNil())
		Expect(framework.ObjectOf[*monitoringv1.PrometheusRule](ctx, Default, cluster.Client, constants.SeedCollectorName)).To(BeNil())
		Expect(collector(ctx, Default)).To(BeNil())
	})

	It("should deploy the collector when the credentials arrive, and follow all of them but the token", func(ctx context.Context) {
		extension.DeployAndWait(ctx, configKind, nil)
		Expect(collector(ctx, Default)).To(BeNil())

		By("the credentials arrive")
		Expect(cluster.Client.Create(ctx, credentials)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			g.Expect(collector(ctx, g)).NotTo(BeNil())
			g.Expect(configOf(collector(ctx, g))).To(ContainSubstring(endpoint))
			g.Expect(framework.ObjectOf[*monitoringv1.PrometheusRule](ctx, g, cluster.Client, constants.SeedCollectorName)).NotTo(BeNil())
			ex := extension.Get(ctx, g)
			g.Expect(credentialsCondition(ex).Status).To(Equal(gardencorev1beta1.ConditionTrue))
			g.Expect(ex.Status.LastOperation.State).To(Equal(gardencorev1beta1.LastOperationStateSucceeded))
		}).WithTimeout(pollTimeout).Should(Succeed())

		By("the token is renewed")
		before := extension.Get(ctx, Default)
		// The time in the status has a resolution of a second.
		time.Sleep(1100 * time.Millisecond)
		changeCredentials(ctx, credentials, constants.DataKeyToken, "token-2")
		Consistently(ctx, func(g Gomega) {
			ex := extension.Get(ctx, g)
			g.Expect(ex.Status.LastOperation.LastUpdateTime).To(Equal(before.Status.LastOperation.LastUpdateTime))
			g.Expect(ex.ResourceVersion).To(Equal(before.ResourceVersion))
		}).Should(Succeed())

		By("the endpoint changes")
		changeCredentials(ctx, credentials, constants.DataKeyEndpoint, "https://elsewhere.example.com")
		Eventually(ctx, func(g Gomega) {
			g.Expect(configOf(collector(ctx, g))).To(And(ContainSubstring("https://elsewhere.example.com"), Not(ContainSubstring(endpoint))))
			g.Expect(extension.Get(ctx, g).Status.LastOperation.LastUpdateTime.After(before.Status.LastOperation.LastUpdateTime.Time)).To(BeTrue())
		}).Should(Succeed())
	})

	DescribeTable("should deploy objects that the API server takes as they are", func(ctx context.Context, config map[string]any) {
		Expect(cluster.Client.Create(ctx, credentials)).To(Succeed())
		extension.DeployAndWait(ctx, configKind, config)

		Expect(collector(ctx, Default)).NotTo(BeNil())
		framework.ExpectServed(ctx, cluster.Client, constants.SeedCollectorName)
	},
		Entry("with the default configuration", nil),
		Entry("with a queue on the node", map[string]any{"queue": map[string]any{"persistence": map[string]any{"type": "EmptyDir"}}}),
		Entry("with a queue in memory", map[string]any{"queue": map[string]any{"persistence": map[string]any{"type": "None"}}}),
	)

	It("should say that the collector's kind is missing, and go on by itself once it is there", func(ctx context.Context) {
		definition := &apiextensionsv1.CustomResourceDefinition{}
		Expect(cluster.Client.Get(ctx, client.ObjectKey{Name: "opentelemetrycollectors.opentelemetry.io"}, definition)).To(Succeed())
		Expect(cluster.Client.Delete(ctx, definition)).To(Succeed())
		Eventually(ctx, func() error {
			return cluster.Client.Get(ctx, client.ObjectKeyFromObject(definition), &apiextensionsv1.CustomResourceDefinition{})
		}).Should(BeNotFoundError())

		Expect(cluster.Client.Create(ctx, credentials)).To(Succeed())
		extension.DeployAndWait(ctx, configKind, nil)
		Eventually(ctx, func(g Gomega) {
			g.Expect(v1beta1helper.GetCondition(extension.Get(ctx, g).Status.Conditions, conditions.TypeCompatible)).To(And(
				HaveField("Status", gardencorev1beta1.ConditionFalse), HaveField("Reason", conditions.ReasonCollectorKindMissing),
			))
		}).Should(Succeed())

		By("Gardener installs the kind")
		definition.ResourceVersion, definition.UID = "", ""
		Expect(cluster.Client.Create(ctx, definition)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			g.Expect(v1beta1helper.GetCondition(extension.Get(ctx, g).Status.Conditions, conditions.TypeCompatible)).To(HaveField("Status", gardencorev1beta1.ConditionTrue))
			g.Expect(collector(ctx, g)).NotTo(BeNil())
		}).Should(Succeed())
	})

	It("should keep a running collector when its credentials vanish", func(ctx context.Context) {
		Expect(cluster.Client.Create(ctx, credentials)).To(Succeed())
		extension.DeployAndWait(ctx, configKind, nil)
		framework.Apply(ctx, cluster.Client, constants.SeedCollectorName)
		before := managedResource(ctx, Default)

		Expect(cluster.Client.Delete(ctx, credentials)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			g.Expect(credentialsCondition(extension.Get(ctx, g)).Status).To(Equal(gardencorev1beta1.ConditionProgressing))
		}).WithTimeout(pollTimeout).Should(Succeed())
		Expect(managedResource(ctx, Default)).To(Equal(before))

		deleteCollector(ctx)
	})

	It("should enlarge the volume of the queue, and refuse to shrink it", func(ctx context.Context) {
		create(ctx, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "fast"}, Provisioner: "test", AllowVolumeExpansion: new(true)})
		create(ctx, credentials)
		sized := func(size string) map[string]any {
			return map[string]any{"queue": map[string]any{"persistence": map[string]any{"size": size, "storageClassName": "fast"}}}
		}

		extension.DeployAndWait(ctx, configKind, sized("1Gi"))
		Expect(queueClaim(ctx, Default).Spec.StorageClassName).To(HaveValue(Equal("fast")))
		bind(ctx, queueClaim(ctx, Default))

		extension.DeployAndWait(ctx, configKind, sized("2Gi"))
		Expect(queueClaim(ctx, Default).Spec.Resources.Requests.Storage().String()).To(Equal("2Gi"))

		By("the volume is to become smaller")
		extension.Deploy(ctx, configKind, sized("1Gi"))
		Eventually(ctx, func(g Gomega) {
			status := extension.Get(ctx, g).Status
			g.Expect(status.LastError).NotTo(BeNil())
			g.Expect(status.LastError.Description).To(ContainSubstring("spec.providerConfig.queue.persistence.size cannot become 1Gi, which is less than 2Gi"))
		}).Should(Succeed())
		Expect(queueClaim(ctx, Default).Spec.Resources.Requests.Storage().String()).To(Equal("2Gi"))

		By("that is taken back")
		extension.DeployAndWait(ctx, configKind, sized("2Gi"))
	})

	It("should report a bad configuration with its path, leave everything as it is, and recover", func(ctx context.Context) {
		Expect(cluster.Client.Create(ctx, credentials)).To(Succeed())
		extension.DeployAndWait(ctx, configKind, nil)
		before := managedResource(ctx, Default)

		By("the configuration becomes bad")
		extension.Deploy(ctx, configKind, map[string]any{"scrape": map[string]any{"interval": "10ms"}})
		Eventually(ctx, func(g Gomega) {
			status := extension.Get(ctx, g).Status
			g.Expect(status.LastError).NotTo(BeNil())
			g.Expect(status.LastError.Description).To(ContainSubstring("spec.providerConfig.scrape.interval"))
			g.Expect(status.LastOperation.State).To(BeElementOf(gardencorev1beta1.LastOperationStateError, gardencorev1beta1.LastOperationStateProcessing))
		}).Should(Succeed())
		Expect(managedResource(ctx, Default)).To(Equal(before))

		By("the configuration is repaired")
		extension.DeployAndWait(ctx, configKind, map[string]any{"scrape": map[string]any{"interval": "42s", "timeout": "41s"}})
		Expect(extension.Get(ctx, Default).Status.LastError).To(BeNil())
		Expect(configOf(collector(ctx, Default))).To(ContainSubstring("42s"))
	})

	It("should remove everything, volumes included, but only once the workload is gone", func(ctx context.Context) {
		Expect(cluster.Client.Create(ctx, credentials)).To(Succeed())
		extension.DeployAndWait(ctx, configKind, nil)
		framework.Apply(ctx, cluster.Client, constants.SeedCollectorName)
		claim, foreignClaim := queueClaim(ctx, Default), createForeignClaim(ctx)
		resource, labels := managedResource(ctx, Default), collector(ctx, Default).Labels

		By("the collector still runs")
		extension.Delete(ctx)
		Eventually(ctx, exists(resource)).Should(BeFalse())
		Consistently(ctx, exists(claim)).Should(BeTrue())

		By("a pod is still there")
		// It comes only now: a deletion would wait until it can ask the collector in it for its queue.
		pod := createPod(ctx, labels)
		deleteCollector(ctx)
		Consistently(ctx, exists(claim)).Should(BeTrue())

		By("the workload is gone")
		Expect(cluster.Client.Delete(ctx, pod)).To(Succeed())
		extension.WaitUntilDeleted(ctx)
		for _, gone := range []client.Object{claim, credentials, resource} {
			Expect(exists(gone)(Default, ctx)).To(BeFalse(), "%T %s", gone, gone.GetName())
		}
		Expect(exists(foreignClaim)(Default, ctx)).To(BeTrue())
		secrets := &corev1.SecretList{}
		Expect(cluster.Client.List(ctx, secrets, client.InNamespace(v1beta1constants.GardenNamespace))).To(Succeed())
		// What ManagedResources referred to is left to the garbage collection of gardener-resource-manager.
		Expect(secrets.Items).To(Or(BeEmpty(), HaveEach(HaveField("Labels", HaveKeyWithValue(references.LabelKeyGarbageCollectable, references.LabelValueGarbageCollectable)))))
	})

	Describe("leaving", func() {
		var issued *corev1.Secret

		BeforeEach(func(ctx context.Context) {
			issued = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: seedNamespace, Name: constants.CredentialsSecretName}}
			create(ctx, issued)
			create(ctx, credentials)
			extension.DeployAndWait(ctx, configKind, nil)
		})

		// leave deletes the Extension and returns the Lease by which the garden is told.
		leave := func(ctx context.Context) *coordinationv1.Lease {
			GinkgoHelper()
			extension.Delete(ctx)
			lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: seedNamespace, Name: constants.LeaseName}}
			Eventually(ctx, func(g Gomega) {
				g.Expect(cluster.Client.Get(ctx, client.ObjectKeyFromObject(lease), lease)).To(Succeed())
				g.Expect(lease.Annotations).To(HaveKey(constants.AnnotationLeavingSince))
			}).Should(Succeed())
			return lease
		}

		It("should keep the collector until the garden answers that it pulls again", func(ctx context.Context) {
			resource := managedResource(ctx, Default)
			lease := leave(ctx)
			Consistently(ctx, exists(resource)).Should(BeTrue())

			metav1.SetMetaDataAnnotation(&lease.ObjectMeta, constants.AnnotationPulledSince, time.Now().UTC().Format(time.RFC3339))
			Expect(cluster.Client.Update(ctx, lease)).To(Succeed())
			extension.WaitUntilDeleted(ctx)
			Expect(exists(resource)(Default, ctx)).To(BeFalse())
			Eventually(ctx, exists(lease)).Should(BeFalse())
		})

		It("should not wait for a garden that withdraws the credentials", func(ctx context.Context) {
			resource := managedResource(ctx, Default)
			lease := leave(ctx)
			Consistently(ctx, exists(resource)).Should(BeTrue())

			Expect(cluster.Client.Delete(ctx, issued)).To(Succeed())
			extension.WaitUntilDeleted(ctx)
			Expect(exists(resource)(Default, ctx)).To(BeFalse())
			Eventually(ctx, exists(lease)).Should(BeFalse())
		})
	})
})
