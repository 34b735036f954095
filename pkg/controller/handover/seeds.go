// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

// leaseGracePeriod is for how long the extension may be silent in a seed before it counts as gone. It is renewed every half a minute.
const leaseGracePeriod = 10 * time.Minute

// seed is what the virtual garden tells of a Seed.
type seed struct {
	name string
	// instance is the value of the label `instance` under which the garden knows the federation target. It follows from the Seed and
	// is never taken from what a seed sends: a seed could otherwise end the pull of another one.
	instance string
	// unwanted says why the seed must not push, or is empty.
	unwanted string
	// enabled says that the extension is there in the seed.
	enabled bool
	// caBundle is the checksum of the bundle by which the seed verifies the garden.
	caBundle string
	// lease is the Lease of the extension in the seed. It is nil if there is none.
	lease *coordinationv1.Lease
}

// pushedInstance returns the value of the label `instance` that push gives to the federation target.
func (s *seed) pushedInstance() string {
	return cmp.Or(s.instance, constants.JobPrometheusAggregate)
}

func (s *seed) isLeaving() bool {
	return s.lease != nil && s.lease.Annotations[constants.AnnotationLeavingSince] != ""
}

// look reads the seeds from the virtual garden. While it cannot be reached, what was known last is true: the control plane of the
// garden being down is no reason to change anything that works.
func (r *Reconciler) look(ctx context.Context, status *configv1alpha1.GardenFederationStatus) error {
	virtualGarden, connected := r.VirtualGarden()
	if !connected {
		if r.seeds == nil {
			for _, s := range status.Seeds {
				r.seeds = append(r.seeds, seed{name: s.Name, instance: s.Instance, caBundle: s.CABundle, enabled: s.State != configv1alpha1.SeedFederationStatePull})
			}
		}
		return nil
	}

	issuer, err := r.issuer(ctx)
	if err != nil {
		return err
	}
	list := &gardencorev1beta1.SeedList{}
	if err := virtualGarden.List(ctx, list); err != nil {
		return fmt.Errorf("failed to list the Seeds in the virtual garden: %w", err)
	}
	leases, err := leasesBySeed(ctx, virtualGarden)
	if err != nil {
		return err
	}

	seeds := make([]seed, 0, len(list.Items))
	for i := range list.Items {
		s, err := r.newSeed(&list.Items[i], issuer, leases[list.Items[i].Name])
		if err != nil {
			return err
		}
		seeds = append(seeds, *s)
	}
	slices.SortFunc(seeds, func(a, b seed) int { return cmp.Compare(a.name, b.name) })
	r.seeds = seeds
	return nil
}

func (r *Reconciler) newSeed(object *gardencorev1beta1.Seed, issuer *credentials.IssuerConfig, lease *coordinationv1.Lease) (*seed, error) {
	s := &seed{name: object.Name, lease: lease}
	if lease != nil && lease.Spec.RenewTime != nil {
		s.enabled = r.Clock.Since(lease.Spec.RenewTime.Time) < leaseGracePeriod
		s.caBundle = lease.Annotations[constants.AnnotationCABundle]
	}
	if issuer == nil {
		s.unwanted = "no credentials are issued yet"
		return s, nil
	}

	s.instance = credentials.Instance(object, issuer.AggregatePrometheusHost)
	wanted, err := issuer.Wants(object)
	switch {
	case err != nil:
		return nil, err
	case !wanted:
		s.unwanted = "the seed is denied or not selected"
	case s.isLeaving():
		s.unwanted = "the extension leaves the seed"
	}
	return s, nil
}

// issuer returns how credentials are issued, or nil if none are.
func (r *Reconciler) issuer(ctx context.Context) (*credentials.IssuerConfig, error) {
	configMap := &corev1.ConfigMap{}
	if err := r.Reader.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: constants.IssuerConfigMapName}, configMap); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		return nil, fmt.Errorf("failed to get ConfigMap %s/%s: %w", r.Namespace, constants.IssuerConfigMapName, err)
	}
	return credentials.ParseIssuerConfig(configMap)
}

func leasesBySeed(ctx context.Context, virtualGarden client.Reader) (map[string]*coordinationv1.Lease, error) {
	list := &coordinationv1.LeaseList{}
	// The cache of the connection has no other Leases.
	if err := virtualGarden.List(ctx, list); err != nil {
		return nil, fmt.Errorf("failed to list the Leases of the seeds in the virtual garden: %w", err)
	}
	leases := map[string]*coordinationv1.Lease{}
	for i := range list.Items {
		if lease := &list.Items[i]; lease.Name == constants.LeaseName && credentials.IsOurs(lease) {
			leases[gardenerutils.ComputeSeedName(lease.Namespace)] = lease
		}
	}
	return leases, nil
}

// acknowledge tells the seeds that leave when they may go: when they are pulled, or when nothing arrives from them anyway.
func (r *Reconciler) acknowledge(ctx context.Context, now time.Time, states []configv1alpha1.SeedFederationStatus) error {
	virtualGarden, connected := r.VirtualGarden()
	if !connected {
		return nil
	}

	var errs []error
	for i, s := range r.seeds {
		if !s.isLeaving() || s.lease.Annotations[constants.AnnotationPulledSince] != "" || r.mustStay(now, &s, states[i].State) {
			continue
		}
		patch := client.MergeFromWithOptions(s.lease.DeepCopy(), client.MergeFromWithOptimisticLock{})
		lease := s.lease.DeepCopy()
		metav1.SetMetaDataAnnotation(&lease.ObjectMeta, constants.AnnotationPulledSince, now.UTC().Format(time.RFC3339))
		if err := virtualGarden.Patch(ctx, lease, patch); client.IgnoreNotFound(err) != nil {
			errs = append(errs, fmt.Errorf("failed to tell seed %s by Lease %s in the virtual garden that it may stop pushing: %w", s.name, client.ObjectKeyFromObject(lease), err))
		}
	}
	return errors.Join(errs...)
}

func (r *Reconciler) mustStay(now time.Time, s *seed, state configv1alpha1.SeedFederationState) bool {
	if state == configv1alpha1.SeedFederationStatePush {
		return true
	}
	return state == configv1alpha1.SeedFederationStateReturning && r.pushes(now, s)
}

func metav1Time(t time.Time) metav1.Time {
	return metav1.NewTime(t.Truncate(time.Second))
}
