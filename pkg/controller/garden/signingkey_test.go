// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	"context"
	"encoding/json"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/extensions/pkg/controller/extension"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/garden"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

var _ = Describe("Rotation of the signing key", func() {
	const (
		annotationOperation = "otel-federation.extensions.gardener.cloud/operation"
		fanOut              = "otel-federation-garden"
		validity            = 7 * 24 * time.Hour
	)

	var (
		ctx   = context.Background()
		c     client.Client
		ex    *extensionsv1alpha1.Extension
		clock *testclock.FakeClock
		a     extension.Actuator
	)

	BeforeEach(func() {
		clock = testclock.NewFakeClock(time.Now().Truncate(time.Second))
		ex = &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Name: "foo", Namespace: "garden", CreationTimestamp: metav1.NewTime(clock.Now())},
			Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
				Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden),
			}},
		}
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).
			WithObjects(ex, newGarden("local"), newEnabledPrometheus(), newPrometheusPod(0, true), newPrometheusPod(1, true)).
			WithStatusSubresource(ex).WithInterceptorFuncs(interceptor.Funcs{Patch: ignoreEmptyPatch}).Build()
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
		a = NewActuator(c, c, nil, clock)
	})

	reconcile := func() {
		GinkgoHelper()
		Expect(a.Reconcile(ctx, logr.Discard(), ex)).To(Succeed())
		Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
	}
	signing := func() string {
		GinkgoHelper()
		configMap := &corev1.ConfigMap{}
		Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: "otel-federation-issuer"}, configMap)).To(Succeed())
		issuer, err := credentials.ParseIssuerConfig(configMap)
		Expect(err).NotTo(HaveOccurred())
		Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: issuer.SigningKeySecretName}, &corev1.Secret{})).To(Succeed())
		return issuer.SigningKeySecretName
	}
	accepted := func() int {
		GinkgoHelper()
		objects, err := managedresources.GetObjects(ctx, c, "garden", fanOut)
		Expect(err).NotTo(HaveOccurred())
		for _, object := range objects {
			if configMap, ok := object.(*corev1.ConfigMap); ok && configMap.Data["jwks.json"] != "" {
				keys := struct {
					Keys []any `json:"keys"`
				}{}
				Expect(json.Unmarshal([]byte(configMap.Data["jwks.json"]), &keys)).To(Succeed())
				return len(keys.Keys)
			}
		}
		return 0
	}
	status := func() *configv1alpha1.SigningKeyStatus {
		GinkgoHelper()
		decoded, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
		Expect(err).NotTo(HaveOccurred())
		return decoded.SigningKey
	}
	// roll does what the operator does with the replicas that are managed, and returns how many those are.
	roll := func() int {
		GinkgoHelper()
		managed := 0
		for _, name := range []string{fanOut + "-0", fanOut + "-1"} {
			obj, err := collectortest.DeployedCollector(ctx, c, name, fanOut)
			Expect(err).NotTo(HaveOccurred())
			if obj.Spec.ManagementState != "managed" {
				continue
			}
			managed++
			set := &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: name + "-collector", Namespace: "garden", Labels: collectortest.PodSelector(fanOut)}}
			Expect(client.IgnoreNotFound(c.Delete(ctx, set))).To(Succeed())
			set.ResourceVersion = ""
			set.Spec.Template.Annotations = obj.Spec.PodAnnotations
			set.Status = appsv1.StatefulSetStatus{Replicas: 1, UpdatedReplicas: 1, ReadyReplicas: 1}
			Expect(c.Create(ctx, set)).To(Succeed())
		}
		return managed
	}
	ask := func() {
		GinkgoHelper()
		metav1.SetMetaDataAnnotation(&ex.ObjectMeta, annotationOperation, "rotate-signing-key")
		Expect(c.Update(ctx, ex)).To(Succeed())
	}

	It("should sign with the new key when all replicas know it, and drop the old one when its tokens have expired", func() {
		reconcile()
		Expect(roll()).To(Equal(2))
		reconcile()
		first := signing()
		Expect(accepted()).To(Equal(1))
		Expect(status()).To(BeNil())

		By("Ask for a rotation")
		ask()
		reconcile()
		Expect(ex.Annotations).NotTo(HaveKey(annotationOperation))
		Expect(status()).To(HaveField("Phase", configv1alpha1.SigningKeyPhasePreparing))
		Expect(accepted()).To(Equal(2))
		Expect(signing()).To(Equal(first))

		By("One replica is rolled")
		Expect(roll()).To(Equal(1))
		reconcile()
		Expect(signing()).To(Equal(first))

		By("The other one is")
		Expect(roll()).To(Equal(2))
		reconcile()
		second := signing()
		Expect(second).NotTo(Equal(first))
		Expect(accepted()).To(Equal(2))
		Expect(status()).To(And(HaveField("Phase", configv1alpha1.SigningKeyPhaseCompleting), HaveField("SigningSince", HaveValue(HaveField("Time", BeTemporally("~", clock.Now(), time.Second))))))

		By("Ask for another one, which waits for nothing but begins no second rotation")
		ask()
		reconcile()
		Expect(signing()).To(Equal(second))

		By("The tokens of the old key expire")
		clock.Step(validity + time.Minute)
		reconcile()
		Expect(accepted()).To(Equal(1))
		Expect(signing()).To(Equal(second))
		Expect(status()).To(HaveField("Phase", configv1alpha1.SigningKeyPhaseCompleted))
		Expect(c.Get(ctx, client.ObjectKey{Namespace: "garden", Name: first}, &corev1.Secret{})).NotTo(Succeed())

		By("Nothing changes any more")
		Expect(roll()).To(BeNumerically(">=", 1))
		reconcile()
		Expect(roll()).To(Equal(2))
		before := resourceVersions(ctx, c)
		reconcile()
		Expect(resourceVersions(ctx, c)).To(Equal(before))
	})

	It("should not accept a key any more whose Secret is deleted while the new one signs", func() {
		reconcile()
		roll()
		reconcile()
		first := signing()
		ask()
		reconcile()
		roll()
		reconcile()
		roll()
		reconcile()
		second := signing()
		Expect(second).NotTo(Equal(first))
		Expect(accepted()).To(Equal(2))

		Expect(c.Delete(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: first}})).To(Succeed())
		reconcile()
		Expect(accepted()).To(Equal(1))
		Expect(signing()).To(Equal(second))
		Expect(status()).To(HaveField("Phase", configv1alpha1.SigningKeyPhaseCompleted))
	})

	It("should rotate a key that is 90 days old", func() {
		reconcile()
		roll()
		reconcile()
		first := signing()
		clock.Step(89 * 24 * time.Hour)
		reconcile()
		Expect(status()).To(BeNil())

		clock.Step(25 * time.Hour)
		reconcile()
		Expect(status()).To(HaveField("Phase", configv1alpha1.SigningKeyPhasePreparing))
		Expect(signing()).To(Equal(first))
	})
})
