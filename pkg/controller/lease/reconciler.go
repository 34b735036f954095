// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"context"
	"fmt"
	"maps"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

const (
	// holderIdentity is the holder of the Lease, whichever replica of the extension writes it.
	holderIdentity = "gardener-extension-otel-federation"
	// leaseDuration is for how long a Lease is valid that is not renewed. A few renewals may fail before.
	leaseDuration = 2 * time.Minute
	// reconcileTimeout limits one reconciliation.
	reconcileTimeout = 20 * time.Second
)

// RenewInterval is how often the Lease is renewed.
var RenewInterval = 30 * time.Second

// Reconciler keeps the Lease in step with the Extension.
type Reconciler struct {
	// GardenClient writes the Lease.
	GardenClient client.Client
	// GardenReader reads the Lease. It must not be a cache, which would lag behind the Lease's own renewals.
	GardenReader client.Reader
	// SeedReader lists the Extensions. It may be a cache.
	SeedReader client.Reader
	// Workloads lists the StatefulSet of the collector. It should not be a cache, which would watch all StatefulSets of the seed.
	Workloads client.Reader
	// Clock tells the time of a renewal.
	Clock clock.PassiveClock
	// Lease is the Lease in the virtual garden.
	Lease types.NamespacedName
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()

	extension, err := mapper.Find(ctx, r.SeedReader, extensionsv1alpha1.ExtensionClassSeed)
	if err != nil {
		return reconcile.Result{}, err
	}
	existing, err := r.get(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}

	if extension == nil {
		return reconcile.Result{}, r.delete(ctx, existing)
	}
	pushes, known := PushesToGarden(extension)
	switch {
	case known && !pushes:
		return reconcile.Result{}, r.delete(ctx, existing)
	case !known && existing == nil:
		// There is nothing to keep. The correction of the providerConfig triggers the next attempt.
		return reconcile.Result{}, nil
	case existing == nil:
		return r.create(ctx, extension)
	default:
		return r.update(ctx, existing, extension)
	}
}

// get returns nil if there is no Lease.
func (r *Reconciler) get(ctx context.Context) (*coordinationv1.Lease, error) {
	lease := &coordinationv1.Lease{}
	if err := r.GardenReader.Get(ctx, r.Lease, lease); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("failed to get Lease %s in the virtual garden: %w", r.Lease, err)
	}
	return lease, nil
}

func (r *Reconciler) create(ctx context.Context, extension *extensionsv1alpha1.Extension) (reconcile.Result, error) {
	lease := &coordinationv1.Lease{ObjectMeta: metav1.ObjectMeta{Namespace: r.Lease.Namespace, Name: r.Lease.Name}}
	fill(lease, extension)
	if err := r.acknowledgeBundle(ctx, lease, extension.Namespace); err != nil {
		return reconcile.Result{}, err
	}
	r.renew(lease)
	if err := r.GardenClient.Create(ctx, lease); err != nil {
		return reconcile.Result{}, fmt.Errorf("failed to create Lease %s in the virtual garden: %w", r.Lease, err)
	}
	logf.FromContext(ctx).Info("Created the Lease in the virtual garden", "lease", r.Lease, "leavingSince", LeavingSince(extension))
	return reconcile.Result{RequeueAfter: RenewInterval}, nil
}

func (r *Reconciler) update(ctx context.Context, existing *coordinationv1.Lease, extension *extensionsv1alpha1.Extension) (reconcile.Result, error) {
	if !credentials.IsOurs(existing) {
		return reconcile.Result{}, fmt.Errorf("Lease %s in the virtual garden exists, but was not created by this extension: "+
			"delete it so that the seed can tell the garden that it is there", r.Lease)
	}

	lease := existing.DeepCopy()
	fill(lease, extension)
	if err := r.acknowledgeBundle(ctx, lease, extension.Namespace); err != nil {
		return reconcile.Result{}, err
	}
	changed := !equality.Semantic.DeepEqual(existing, lease)
	if due := r.untilRenewal(existing); due > 0 && !changed {
		return reconcile.Result{RequeueAfter: due}, nil
	}

	r.renew(lease)
	if err := r.GardenClient.Update(ctx, lease); err != nil {
		return reconcile.Result{}, fmt.Errorf("failed to update Lease %s in the virtual garden: %w", r.Lease, err)
	}
	if changed {
		logf.FromContext(ctx).Info("Updated the Lease in the virtual garden", "lease", r.Lease, "leavingSince", LeavingSince(extension))
	}
	return reconcile.Result{RequeueAfter: RenewInterval}, nil
}

// delete deletes the Lease if there is one and it is ours. That of somebody else does not matter where none is needed.
func (r *Reconciler) delete(ctx context.Context, existing *coordinationv1.Lease) error {
	if existing == nil || !credentials.IsOurs(existing) {
		return nil
	}
	// What the garden or somebody else has written meanwhile is looked at before it is deleted.
	unchanged := client.Preconditions{UID: &existing.UID, ResourceVersion: &existing.ResourceVersion}
	if err := r.GardenClient.Delete(ctx, existing, unchanged); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("failed to delete Lease %s in the virtual garden: %w", r.Lease, err)
	}
	logf.FromContext(ctx).Info("Deleted the Lease in the virtual garden", "lease", r.Lease)
	return nil
}

// untilRenewal returns how long it takes until the Lease must be renewed. One from the future must be renewed at once: it was
// written by a clock that is wrong.
func (r *Reconciler) untilRenewal(lease *coordinationv1.Lease) time.Duration {
	if lease.Spec.RenewTime == nil {
		return 0
	}
	age := r.Clock.Since(lease.Spec.RenewTime.Time)
	if age < 0 {
		return 0
	}
	return RenewInterval - age
}

func (r *Reconciler) renew(lease *coordinationv1.Lease) {
	lease.Spec.RenewTime = new(metav1.NewMicroTime(r.Clock.Now().UTC()))
}

// acknowledgeBundle tells which bundle the collector that runs verifies the garden by. While it is being replaced the old one is true.
func (r *Reconciler) acknowledgeBundle(ctx context.Context, lease *coordinationv1.Lease, namespace string) error {
	sets := &appsv1.StatefulSetList{}
	if err := r.Workloads.List(ctx, sets, client.InNamespace(namespace), client.MatchingLabels(collector.PodLabels(constants.SeedCollectorName))); err != nil {
		return fmt.Errorf("failed to list the StatefulSets of the seed collector in namespace %s: %w", namespace, err)
	}
	for i := range sets.Items {
		if checksum := sets.Items[i].Spec.Template.Annotations[constants.AnnotationCABundle]; checksum != "" && collector.IsReady(&sets.Items[i]) {
			metav1.SetMetaDataAnnotation(&lease.ObjectMeta, constants.AnnotationCABundle, checksum)
		}
	}
	return nil
}

// fill sets everything but the time. The garden's answer belongs to what it answers, so whoever changes that takes the answer away,
// in the same update: there is no moment in which an old answer stands beside a new question.
func fill(lease *coordinationv1.Lease, extension *extensionsv1alpha1.Extension) {
	if lease.Labels == nil {
		lease.Labels = map[string]string{}
	}
	maps.Copy(lease.Labels, credentials.ObjectLabels())
	lease.Spec.HolderIdentity = new(holderIdentity)
	lease.Spec.LeaseDurationSeconds = new(int32(leaseDuration.Seconds()))

	since := LeavingSince(extension)
	if since == "" || since != lease.Annotations[constants.AnnotationLeavingSince] {
		delete(lease.Annotations, constants.AnnotationLeavingSince)
		delete(lease.Annotations, constants.AnnotationPulledSince)
	}
	if since != "" {
		metav1.SetMetaDataAnnotation(&lease.ObjectMeta, constants.AnnotationLeavingSince, since)
	}
}
