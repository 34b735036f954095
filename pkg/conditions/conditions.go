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

const (
	// TypeCredentialsValid says whether the seed has what it needs to pass the garden's ingress.
	TypeCredentialsValid gardencorev1beta1.ConditionType = "CredentialsValid"
	// TypeIngressReady says whether the fan-out can be reached from outside the runtime cluster.
	TypeIngressReady gardencorev1beta1.ConditionType = "IngressReady"
	// TypeReceiverReady says whether the garden Prometheus accepts what the fan-out pushes.
	TypeReceiverReady gardencorev1beta1.ConditionType = "ReceiverReady"
	// TypeHandOverHealthy says whether the seeds are handed over from pull to push, and back, as their samples demand.
	TypeHandOverHealthy gardencorev1beta1.ConditionType = "HandOverHealthy"
	// TypeCompatible says whether the cluster offers what federation relies on.
	TypeCompatible gardencorev1beta1.ConditionType = "Compatible"

	// ReasonCompatible means that the cluster offers all that federation relies on.
	ReasonCompatible = "Compatible"
	// ReasonCollectorKindMissing means that OpenTelemetryCollectors cannot be created.
	ReasonCollectorKindMissing = "CollectorKindMissing"
	// ReasonCollectorTooOld means that the configured image of the collector is too old.
	ReasonCollectorTooOld = "CollectorTooOld"
	// ReasonPrometheusTooOld means that the garden Prometheus is too old.
	ReasonPrometheusTooOld = "PrometheusTooOld"
	// ReasonHandOverRunning means that the states of the seeds are followed up.
	ReasonHandOverRunning = "HandOverRunning"
	// ReasonHandOverFailing means that the states of the seeds have not been followed up for a minute. The message says why.
	ReasonHandOverFailing = "HandOverFailing"
	// ReasonCredentialsMissing means that there are no usable credentials yet.
	ReasonCredentialsMissing = "CredentialsMissing"
	// ReasonCredentialsAvailable means that the collector has credentials.
	ReasonCredentialsAvailable = "CredentialsAvailable"
	// ReasonGatewayMissing means that the garden Prometheus has no Istio Gateway yet, whose address the fan-out shares.
	ReasonGatewayMissing = "GatewayMissing"
	// ReasonPrometheusMissing means that there is no garden Prometheus yet.
	ReasonPrometheusMissing = "PrometheusMissing"
	// ReasonReceiverDisabled means that not all replicas of the garden Prometheus have an OTLP receiver yet.
	ReasonReceiverDisabled = "ReceiverDisabled"
	// ReasonReceiverEnabled means that all replicas of the garden Prometheus have an OTLP receiver.
	ReasonReceiverEnabled = "ReceiverEnabled"
	// ReasonExposed means that the fan-out is exposed on the garden's ingress gateway.
	ReasonExposed = "Exposed"
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
