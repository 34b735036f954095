// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package lease_test

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/pkg/client/kubernetes"
)

var _ = Describe("Reconciler that fails", func() {
	var (
		ctx = context.Background()
		f   *fixture
	)

	BeforeEach(func() {
		f = newFixture()
	})

	It("should not touch a Lease of somebody else", func() {
		foreign := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name}}
		Expect(f.garden.Create(ctx, foreign)).To(Succeed())
		for range 2 {
			_, err := f.reconcileOnce()
			Expect(err).To(MatchError("Lease seed-foo/otel-federation in the virtual garden exists, but was not created by this extension: " +
				"delete it so that the seed can tell the garden that it is there"))
			Expect(f.get()).To(Equal(foreign))
			f.leave()
		}
	})

	// between makes somebody else write the Lease between reading and writing.
	between := func() {
		f.reconciler.GardenReader = interceptor.NewClient(f.garden, interceptor.Funcs{
			Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, obj client.Object, opts ...client.GetOption) error {
				if err := c.Get(ctx, key, obj, opts...); err != nil {
					return err
				}
				other := obj.DeepCopyObject().(client.Object)
				other.SetAnnotations(map[string]string{"foo": "bar"})
				return c.Update(ctx, other)
			},
		})
	}

	It("should not overwrite what it has not read", func() {
		f.run()
		f.leave()
		between()
		_, err := f.reconcileOnce()
		Expect(err).To(MatchError(apierrors.IsConflict, "IsConflict"))
		Expect(err).To(MatchError(ContainSubstring("failed to update Lease seed-foo/otel-federation in the virtual garden")))
		Expect(f.get().Annotations).To(Equal(map[string]string{"foo": "bar"}))

		f.reconciler.GardenReader = f.garden
		f.run()
		Expect(f.get().Annotations).To(And(HaveLen(2), HaveKey("foo"), HaveKey(leavingSince)))
	})

	It("should not delete what it has not read", func() {
		f.run()
		f.leave()
		f.vanish()
		between()
		_, err := f.reconcileOnce()
		Expect(err).To(MatchError(apierrors.IsConflict, "IsConflict"))
		Expect(err).To(MatchError(ContainSubstring("failed to delete Lease seed-foo/otel-federation in the virtual garden")))

		f.reconciler.GardenReader = f.garden
		f.run()
		f.expectNoLease()
	})

	It("should say what it could not do", func() {
		failure := errors.New("no permission")
		f.reconciler.GardenClient = interceptor.NewClient(f.garden, interceptor.Funcs{
			Create: func(context.Context, client.WithWatch, client.Object, ...client.CreateOption) error { return failure },
		})
		_, err := f.reconcileOnce()
		Expect(err).To(MatchError("failed to create Lease seed-foo/otel-federation in the virtual garden: no permission"))

		f.reconciler.GardenReader = interceptor.NewClient(f.garden, interceptor.Funcs{
			Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
				return failure
			},
		})
		_, err = f.reconcileOnce()
		Expect(err).To(MatchError("failed to get Lease seed-foo/otel-federation in the virtual garden: no permission"))
	})

	It("should touch nothing if the Extensions cannot be listed", func() {
		f.run()
		f.reconciler.SeedReader = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
			List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error {
				return errors.New("no permission")
			},
		}).Build()
		_, err := f.reconcileOnce()
		Expect(err).To(MatchError("failed to list the Extensions in namespace garden: no permission"))
		f.expectLease(now, nil)
	})
})
