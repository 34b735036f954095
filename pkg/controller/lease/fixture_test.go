// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package lease_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/lease"
)

const (
	leavingSince = "otel-federation.extensions.gardener.cloud/leaving-since"
	pulledSince  = "otel-federation.extensions.gardener.cloud/pulled-since"
	caBundle     = "otel-federation.extensions.gardener.cloud/ca-bundle"

	invalidConfig  = `"foo":"bar"`
	overrideConfig = `"garden":{"endpoint":"https://other.example.com","tokenSecretRef":{"name":"mine"}}`
)

var (
	now = time.Date(2026, 1, 1, 1, 0, 0, 0, time.FixedZone("", 3600))
	key = types.NamespacedName{Namespace: "seed-foo", Name: "otel-federation"}
)

// fixture is a reconciler between a seed with an Extension and a virtual garden without a Lease.
type fixture struct {
	clock      *testclock.FakeClock
	garden     client.WithWatch
	seed       client.Client
	extension  *extensionsv1alpha1.Extension
	reconciler *Reconciler
	// writes counts what was written to the virtual garden.
	writes int
}

func newFixture() *fixture {
	GinkgoHelper()
	f := &fixture{clock: testclock.NewFakeClock(now)}
	f.garden = fakeclient.NewClientBuilder().WithScheme(kubernetes.GardenScheme).WithInterceptorFuncs(interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
			f.writes++
			return c.Create(ctx, obj, opts...)
		},
		Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
			f.writes++
			return c.Update(ctx, obj, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
			f.writes++
			return c.Delete(ctx, obj, opts...)
		},
	}).Build()
	f.seed = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).Build()
	f.start()
	f.create()
	return f
}

// start makes a new reconciler, as a restart does.
func (f *fixture) start() {
	f.reconciler = &Reconciler{GardenClient: f.garden, GardenReader: f.garden, SeedReader: f.seed, Workloads: f.seed, Clock: f.clock, Lease: key}
}

func (f *fixture) reconcileOnce() (reconcile.Result, error) {
	return f.reconciler.Reconcile(context.Background(), reconcile.Request{NamespacedName: key})
}

// run returns after how long the next reconciliation is wanted.
func (f *fixture) run() time.Duration {
	GinkgoHelper()
	result, err := f.reconcileOnce()
	Expect(err).NotTo(HaveOccurred())
	return result.RequeueAfter
}

func (f *fixture) create() {
	GinkgoHelper()
	f.extension = &extensionsv1alpha1.Extension{
		ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "otel-federation", Finalizers: []string{"extension"}},
		Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
			Type:  "otel-federation",
			Class: new(extensionsv1alpha1.ExtensionClassSeed),
		}},
	}
	Expect(f.seed.Create(context.Background(), f.extension)).To(Succeed())
}

func (f *fixture) configure(config string) {
	GinkgoHelper()
	f.extension.Spec.ProviderConfig = &runtime.RawExtension{Raw: []byte(`{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"SeedFederationConfig",` + config + `}`)}
	Expect(f.seed.Update(context.Background(), f.extension)).To(Succeed())
}

// leave returns since when the Extension is being deleted.
func (f *fixture) leave() string {
	GinkgoHelper()
	Expect(f.seed.Delete(context.Background(), f.extension)).To(Succeed())
	Expect(f.seed.Get(context.Background(), client.ObjectKeyFromObject(f.extension), f.extension)).To(Succeed())
	return f.extension.DeletionTimestamp.UTC().Format(time.RFC3339)
}

// vanish ends the deletion.
func (f *fixture) vanish() {
	GinkgoHelper()
	f.extension.Finalizers = nil
	Expect(f.seed.Update(context.Background(), f.extension)).To(Succeed())
}

// answer does what the garden does.
func (f *fixture) answer() {
	GinkgoHelper()
	lease := f.get()
	metav1.SetMetaDataAnnotation(&lease.ObjectMeta, pulledSince, "2026-01-01T00:00:07Z")
	Expect(f.garden.Update(context.Background(), lease)).To(Succeed())
	f.writes = 0
}

func (f *fixture) get() *coordinationv1.Lease {
	GinkgoHelper()
	lease := &coordinationv1.Lease{}
	Expect(f.garden.Get(context.Background(), key, lease)).To(Succeed())
	return lease
}

func (f *fixture) expectNoLease() {
	GinkgoHelper()
	Expect(f.garden.Get(context.Background(), key, &coordinationv1.Lease{})).To(BeNotFoundError())
}

func (f *fixture) expectLease(renewed time.Time, annotations map[string]string) {
	GinkgoHelper()
	lease := f.get()
	lease.ResourceVersion = ""
	Expect(lease).To(DeepEqual(&coordinationv1.Lease{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   "seed-foo",
			Name:        "otel-federation",
			Annotations: annotations,
			Labels: map[string]string{
				"app.kubernetes.io/name":       "otel-federation",
				"app.kubernetes.io/managed-by": "gardener-extension-otel-federation",
			},
		},
		Spec: coordinationv1.LeaseSpec{
			HolderIdentity:       new("gardener-extension-otel-federation"),
			LeaseDurationSeconds: new(int32(120)),
			RenewTime:            new(metav1.NewMicroTime(renewed)),
		},
	}))
}

func createForeignExtensions(ctx context.Context, c client.Client) {
	GinkgoHelper()
	for i, spec := range []extensionsv1alpha1.DefaultSpec{
		{Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden)},
		{Type: "otel-federation"},
		{Type: "other", Class: new(extensionsv1alpha1.ExtensionClassSeed)},
	} {
		Expect(c.Create(ctx, &extensionsv1alpha1.Extension{
			ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: string(rune('a' + i))},
			Spec:       extensionsv1alpha1.ExtensionSpec{DefaultSpec: spec},
		})).To(Succeed())
	}
}
