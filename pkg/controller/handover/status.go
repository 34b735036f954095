// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
)

const (
	// refreshInterval is how often a status is written of which only the times of the samples, or messages, have changed.
	refreshInterval = time.Minute
	// failurePatience is for how long rounds may fail before a condition says so.
	failurePatience = time.Minute
	// creationPatience is for how long the garden Prometheus may be missing until that is a failure: gardener-operator deploys it late.
	creationPatience = 15 * time.Minute
)

// statusWriter writes the states of the seeds.
type statusWriter struct {
	refreshed time.Time
	failing   time.Time
}

// write writes the states if one of them has changed, and otherwise from time to time.
func (w *statusWriter) write(ctx context.Context, c client.Client, now time.Time, ex *extensionsv1alpha1.Extension, before, after *configv1alpha1.GardenFederationStatus) error {
	if apiequality.Semantic.DeepEqual(before.Seeds, after.Seeds) || slices.EqualFunc(before.Seeds, after.Seeds, sameState) && now.Sub(w.refreshed) < refreshInterval {
		return nil
	}

	patch := client.MergeFrom(ex.DeepCopy())
	var err error
	if ex.Status.ProviderStatus, err = loader.EncodeGardenFederationStatus(after); err != nil {
		return err
	}
	if err := c.Status().Patch(ctx, ex, patch); err != nil {
		return fmt.Errorf("failed to write the states of the seeds to status.providerStatus of Extension %s: %w", client.ObjectKeyFromObject(ex), err)
	}
	w.refreshed = now
	return nil
}

func sameState(a, b configv1alpha1.SeedFederationStatus) bool {
	return a.Name == b.Name && a.Instance == b.Instance && a.State == b.State && a.CABundle == b.CABundle && a.Since.Equal(&b.Since)
}

// newest returns the time of the newest sample, which may be what was known before.
func newest(before *metav1.Time, times ...time.Time) *metav1.Time {
	latest := slices.MaxFunc(times, time.Time.Compare)
	if latest.IsZero() {
		return before
	}
	return new(metav1Time(latest))
}

// setCondition says whether the hand-over works, and how far it is.
func (r *Reconciler) setCondition(ctx context.Context, ex *extensionsv1alpha1.Extension, roundErr error) error {
	if roundErr != nil {
		if r.status.failing.IsZero() {
			r.status.failing = r.Clock.Now()
		}
		switch failing := r.Clock.Since(r.status.failing); {
		case failing < failurePatience:
			return nil
		case apierrors.IsNotFound(roundErr) && failing < creationPatience:
			return conditions.Set(ctx, r.Client, r.Clock, ex, conditions.TypeHandOverHealthy, gardencorev1beta1.ConditionProgressing, conditions.ReasonHandOverWaiting,
				"The seeds are handed over when the garden Prometheus is there: "+roundErr.Error())
		}
		return conditions.Set(ctx, r.Client, r.Clock, ex, conditions.TypeHandOverHealthy, gardencorev1beta1.ConditionFalse, conditions.ReasonHandOverFailing,
			"The states of the seeds are not followed up: "+roundErr.Error())
	}
	r.status.failing = time.Time{}

	status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
	if err != nil {
		return err
	}
	return conditions.Set(ctx, r.Client, r.Clock, ex, conditions.TypeHandOverHealthy, gardencorev1beta1.ConditionTrue, conditions.ReasonHandOverRunning, summary(status))
}

func summary(status *configv1alpha1.GardenFederationStatus) string {
	var parts []string
	for _, state := range []configv1alpha1.SeedFederationState{
		configv1alpha1.SeedFederationStatePush, configv1alpha1.SeedFederationStateReturning, configv1alpha1.SeedFederationStateShadow, configv1alpha1.SeedFederationStatePull,
	} {
		count := 0
		for _, seed := range status.Seeds {
			if seed.State == state {
				count++
			}
		}
		parts = append(parts, fmt.Sprintf("%s %d", state, count))
	}
	return fmt.Sprintf("Of %d seeds: %s.", len(status.Seeds), strings.Join(parts, ", "))
}
