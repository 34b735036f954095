// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package conditions names the conditions that this extension reports in the status of its Extensions, and sets them.
package conditions

import (
	"cmp"
	"context"
	"fmt"

	"k8s.io/client-go/util/retry"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1helper "github.com/gardener/gardener/pkg/api/core/v1beta1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
)

// SetCompatible sets the condition Compatible: the reason and the message are those of the worst problem, or empty.
func SetCompatible(ctx context.Context, c client.Client, clock clock.Clock, ex *extensionsv1alpha1.Extension, reason, message string) error {
	if reason == "" {
		return Set(ctx, c, clock, ex, TypeCompatible, gardencorev1beta1.ConditionTrue, ReasonCompatible, "The cluster offers all that federation relies on.")
	}
	return Set(ctx, c, clock, ex, TypeCompatible, gardencorev1beta1.ConditionFalse, reason, message)
}

// CompatibleIsOutdated says whether the condition Compatible is there and says something else than the worst problem, whose reason may be
// empty.
func CompatibleIsOutdated(ex *extensionsv1alpha1.Extension, reason string) bool {
	condition := v1beta1helper.GetCondition(ex.Status.Conditions, TypeCompatible)
	return condition != nil && condition.Reason != cmp.Or(reason, ReasonCompatible)
}

// Set sets a condition in the status of an Extension. Nothing is written if nothing changes. A conflict with another writer is
// resolved by reading the Extension again.
func Set(ctx context.Context, c client.Client, clock clock.Clock, ex *extensionsv1alpha1.Extension, conditionType gardencorev1beta1.ConditionType, status gardencorev1beta1.ConditionStatus, reason, message string) error {
	isRetry := false

	if err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		if isRetry {
			if err := c.Get(ctx, client.ObjectKeyFromObject(ex), ex); err != nil {
				return err
			}
		}
		isRetry = true

		if current := v1beta1helper.GetCondition(ex.Status.Conditions, conditionType); current != nil && current.Status == status && current.Reason == reason && current.Message == message {
			return nil
		}

		var (
			patch   = client.MergeFromWithOptions(ex.DeepCopy(), client.MergeFromWithOptimisticLock{})
			old     = v1beta1helper.GetOrInitConditionWithClock(clock, ex.Status.Conditions, conditionType)
			updated = v1beta1helper.UpdatedConditionWithClock(clock, old, status, reason, message)
		)

		ex.Status.Conditions = v1beta1helper.MergeConditions(ex.Status.Conditions, updated)
		return c.Status().Patch(ctx, ex, patch)
	}); err != nil {
		return fmt.Errorf("failed to set condition %s of Extension %s/%s: %w", conditionType, ex.Namespace, ex.Name, err)
	}
	return nil
}
