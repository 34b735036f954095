// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package federationhealth

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1helper "github.com/gardener/gardener/pkg/api/core/v1beta1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/health"
)

// messageInterval is how often a condition is written of which only the message changes.
const messageInterval = time.Minute

// reporter writes verdicts to conditions, and tells human beings of those that are bad, or good again.
type reporter struct {
	client   client.Client
	clock    clock.Clock
	recorder events.EventRecorder
}

func (r *reporter) report(ctx context.Context, ex *extensionsv1alpha1.Extension, conditionType gardencorev1beta1.ConditionType, verdict health.Verdict) error {
	current := v1beta1helper.GetCondition(ex.Status.Conditions, conditionType)
	if verdict.IsZero() || current != nil && !r.isNews(current, verdict) {
		return nil
	}

	message := verdict.Message
	if verdict.Status == gardencorev1beta1.ConditionFalse {
		since := r.clock.Now()
		if current != nil && current.Status == gardencorev1beta1.ConditionFalse {
			since = current.LastTransitionTime.Time
		}
		message += " It is not healthy since " + since.UTC().Format(time.RFC3339) + "."
	}
	if err := conditions.Set(ctx, r.client, r.clock, ex, conditionType, verdict.Status, verdict.Reason, message); err != nil {
		return err
	}
	r.tell(ex, conditionType, current, verdict)
	return nil
}

// isNews says whether a verdict is to be written. That somebody has not looked for long enough to say anything is no news if something
// has been said that may still be true. What is wrong is not right because a collector is replaced.
func (r *reporter) isNews(current *gardencorev1beta1.Condition, verdict health.Verdict) bool {
	switch verdict.Reason {
	case conditions.ReasonObserving:
		return slices.Contains([]string{conditions.ReasonCollectorStarting, conditions.ReasonCollectorUnreachable, conditions.ReasonCredentialsMissing}, current.Reason)
	case conditions.ReasonCollectorStarting:
		if current.Status == gardencorev1beta1.ConditionFalse {
			return false
		}
	}
	return current.Status != verdict.Status || current.Reason != verdict.Reason || r.clock.Since(current.LastUpdateTime.Time) >= messageInterval
}

func wasNearlyFull(ex *extensionsv1alpha1.Extension) bool {
	condition := v1beta1helper.GetCondition(ex.Status.Conditions, conditions.TypeFederationHealthy)
	return condition != nil && condition.Reason == conditions.ReasonQueueNearlyFull
}

func (r *reporter) tell(ex *extensionsv1alpha1.Extension, conditionType gardencorev1beta1.ConditionType, before *gardencorev1beta1.Condition, verdict health.Verdict) {
	switch {
	case before != nil && before.Status == verdict.Status && before.Reason == verdict.Reason:
		return
	case verdict.Status == gardencorev1beta1.ConditionFalse:
		r.recorder.Eventf(ex, nil, corev1.EventTypeWarning, verdict.Reason, string(conditionType), "%s", verdict.Message)
	case verdict.Status == gardencorev1beta1.ConditionTrue && before != nil && before.Status == gardencorev1beta1.ConditionFalse:
		r.recorder.Eventf(ex, nil, corev1.EventTypeNormal, verdict.Reason, string(conditionType), "%s", verdict.Message)
	}
}
