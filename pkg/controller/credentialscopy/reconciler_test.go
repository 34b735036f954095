// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentialscopy_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentialscopy"
)

var _ = Describe("Reconciler", func() {
	var (
		ctx        = context.Background()
		garden     client.Client
		seed       client.Client
		writes     int
		reconciler *Reconciler
		source     *corev1.Secret
		extension  *extensionsv1alpha1.Extension

		sourceKey = types.NamespacedName{Namespace: "seed-foo", Name: "otel-federation"}
		targetKey = types.NamespacedName{Namespace: "garden", Name: "otel-federation"}
	)

	run := func() reconcile.Result {
		GinkgoHelper()
		result, err := reconciler.Reconcile(ctx, reconcile.Request{NamespacedName: targetKey})
		Expect(err).NotTo(HaveOccurred())
		return result
	}
	get := func() *corev1.Secret {
		GinkgoHelper()
		secret := &corev1.Secret{}
		Expect(seed.Get(ctx, targetKey, secret)).To(Succeed())
		return secret
	}
	expectNoCopy := func() {
		GinkgoHelper()
		Expect(seed.Get(ctx, targetKey, &corev1.Secret{})).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
	}
	leave := func() {
		GinkgoHelper()
		extension.Finalizers = []string{"extension"}
		Expect(seed.Update(ctx, extension)).To(Succeed())
		Expect(seed.Delete(ctx, extension)).To(Succeed())
	}

	BeforeEach(func() {
		writes = 0
		garden = fakeclient.NewClientBuilder().WithScheme(kubernetes.GardenScheme).Build()
		seed = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
			Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
				writes++
				return c.Create(ctx, obj, opts...)
			},
			Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
				writes++
				return c.Update(ctx, obj, opts...)
			},
		}).Build()
		reconciler = &Reconciler{GardenReader: garden, SeedClient: seed, SeedReader: seed, Source: sourceKey, Target: targetKey}

		source = &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: sourceKey.Namespace, Name: sourceKey.Name},
			Data: map[string][]byte{
				"endpoint": []byte("https://otel-federation.ingress.garden.local"),
				"token":    []byte("sesame"),
				"instance": []byte("prometheus-aggregate"),
				"foo":      []byte("bar"),
			},
		}
		Expect(garden.Create(ctx, source)).To(Succeed())

		extension = &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "otel-federation"},
			Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
				Type:  "otel-federation",
				Class: new(extensionsv1alpha1.ExtensionClassSeed),
			}},
		}
		Expect(seed.Create(ctx, extension)).To(Succeed())
		writes = 0
	})

	It("should copy the known keys", func() {
		Expect(run().RequeueAfter).To(Equal(5 * time.Minute))

		secret := get()
		Expect(secret.Type).To(Equal(corev1.SecretTypeOpaque))
		Expect(secret.Labels).To(Equal(map[string]string{
			"app.kubernetes.io/name":       "otel-federation",
			"app.kubernetes.io/managed-by": "gardener-extension-otel-federation",
		}))
		Expect(secret.Data).To(Equal(map[string][]byte{
			"endpoint": []byte("https://otel-federation.ingress.garden.local"),
			"token":    []byte("sesame"),
			"instance": []byte("prometheus-aggregate"),
		}))
	})

	It("should write only on a difference", func() {
		run()
		run()
		Expect(writes).To(Equal(1))

		source.Data["token"] = []byte("new")
		delete(source.Data, "instance")
		Expect(garden.Update(ctx, source)).To(Succeed())
		run()
		Expect(writes).To(Equal(2))
		Expect(get().Data).To(And(HaveLen(2), HaveKeyWithValue("token", []byte("new"))))

		run()
		Expect(writes).To(Equal(2))
	})

	It("should keep the copy when the source disappears", func() {
		run()
		before := get()
		Expect(garden.Delete(ctx, source)).To(Succeed())
		Expect(run().RequeueAfter).To(Equal(5 * time.Minute))
		Expect(get()).To(Equal(before))
	})

	It("should wait without an error as long as there is no source", func() {
		Expect(garden.Delete(ctx, source)).To(Succeed())
		run()
		expectNoCopy()
	})

	DescribeTable("should not copy an invalid source, keep the copy and reveal nothing", func(change func(), message string) {
		run()
		before := get()
		change()
		Expect(garden.Update(ctx, source)).To(Succeed())

		_, err := reconciler.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(And(
			ContainSubstring("the credentials in Secret seed-foo/otel-federation in the virtual garden are invalid and are not copied: "+message),
			Not(ContainSubstring("sesame")),
		)))
		Expect(errors.Is(err, reconcile.TerminalError(nil))).To(BeTrue())
		Expect(get()).To(Equal(before))
	},
		Entry("endpoint", func() { source.Data["endpoint"] = []byte("http://sesame") }, `key "endpoint"`),
		Entry("token", func() { delete(source.Data, "token") }, `key "token": must not be empty`),
		Entry("bundle", func() { source.Data["bundle.crt"] = []byte("sesame") }, `key "bundle.crt"`),
	)

	It("should not touch a Secret that is not ours", func() {
		Expect(seed.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "otel-federation"}})).To(Succeed())
		_, err := reconciler.Reconcile(ctx, reconcile.Request{})
		Expect(err).To(MatchError(ContainSubstring("Secret garden/otel-federation exists, but was not created by this extension")))
		Expect(get().Data).To(BeEmpty())
	})

	It("should do nothing without an Extension of our type and class", func() {
		Expect(seed.Delete(ctx, extension)).To(Succeed())
		for i, spec := range []extensionsv1alpha1.DefaultSpec{
			{Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden)},
			{Type: "otel-federation"},
			{Type: "other", Class: new(extensionsv1alpha1.ExtensionClassSeed)},
		} {
			Expect(seed.Create(ctx, &extensionsv1alpha1.Extension{
				ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: string(rune('a' + i))},
				Spec:       extensionsv1alpha1.ExtensionSpec{DefaultSpec: spec},
			})).To(Succeed())
		}
		Expect(run()).To(Equal(reconcile.Result{}))
		expectNoCopy()
	})

	Context("an Extension that is being deleted", func() {
		It("should not bring the copy back", func() {
			run()
			leave()
			Expect(seed.Delete(ctx, get())).To(Succeed())
			run()
			expectNoCopy()
		})

		It("should still renew the copy, because the queue may have to be drained", func() {
			run()
			leave()
			source.Data["token"] = []byte("new")
			Expect(garden.Update(ctx, source)).To(Succeed())
			run()
			Expect(get().Data).To(HaveKeyWithValue("token", []byte("new")))
		})
	})
})

var _ = Describe("Add", func() {
	It("should refuse to run without the class seed", func() {
		Expect(AddToManagerWithOptions(context.Background(), nil, AddOptions{ExtensionClasses: []extensionsv1alpha1.ExtensionClass{"garden"}})).
			To(MatchError(ContainSubstring(`works only for the extension class "seed"`)))
	})

	It("should refuse to run without access to the garden", func() {
		Expect(AddToManagerWithOptions(context.Background(), nil, AddOptions{ExtensionClasses: []extensionsv1alpha1.ExtensionClass{"seed"}, SeedName: "foo"})).
			To(MatchError(ContainSubstring("GARDEN_KUBECONFIG")))
	})

	It("should limit the cache to the one Secret and the one Lease", func() {
		options := GardenCacheOptions("foo")
		Expect(options.DefaultNamespaces).To(And(HaveLen(1), HaveKey("seed-foo")))

		selectors := map[string]string{}
		for obj, byObject := range options.ByObject {
			Expect(byObject.Namespaces).To(HaveLen(1))
			selectors[fmt.Sprintf("%T", obj)] = byObject.Namespaces["seed-foo"].FieldSelector.String()
		}
		Expect(selectors).To(Equal(map[string]string{
			"*v1.Secret": "metadata.name=otel-federation",
			"*v1.Lease":  "metadata.name=otel-federation",
		}))
	})
})
