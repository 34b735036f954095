// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/utils/retry"

	"github.com/gardener/gardener-extension-otel-federation/pkg/compatibility"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	handovercontroller "github.com/gardener/gardener-extension-otel-federation/pkg/controller/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

const (
	// otlpReceiverArgument is the argument by which prometheus-operator enables the receiver
	// (pkg/prometheus/promcfg.go, BuildCommonPrometheusArgs).
	otlpReceiverArgument = "--web.enable-otlp-receiver"
	prometheusContainer  = "prometheus"

	releaseRetryInterval = 2 * time.Second
	releaseTimeout       = 30 * time.Second
	// releasePatience is for how long a deletion waits in all, from the release on, for gardener-resource-manager to restore the garden Prometheus.
	releasePatience = 10 * time.Minute
)

// receiverState says whether the replicas of the garden Prometheus accept what the fan-out pushes, and if not, why.
type receiverState struct {
	ready           bool
	reason, message string
}

// enableReceiver sees to it that the webhook has changed the garden Prometheus. It must be touched for that: Gardener may have
// written it before the webhook was there, and does not write it again before it changes.
func (a *actuator) enableReceiver(ctx context.Context, namespace string, window time.Duration) (*receiverState, error) {
	prometheus := &monitoringv1.Prometheus{}
	if exists, err := a.get(ctx, namespace, constants.GardenPrometheusName, prometheus); err != nil {
		return nil, err
	} else if !exists {
		return &receiverState{reason: conditions.ReasonPrometheusMissing, message: fmt.Sprintf("Prometheus %s/%s does not exist yet.", namespace, constants.GardenPrometheusName)}, nil
	}

	if problem := compatibility.CheckPrometheus(prometheus); problem != nil {
		return &receiverState{reason: problem.Reason, message: problem.Message}, nil
	}

	if noted := prometheus.Annotations[constants.AnnotationOutOfOrderTimeWindow]; noted != window.String() || !receiver.Enabled(prometheus, window) {
		if err := a.noteWindow(ctx, prometheus, window); webhookUnavailable(err) {
			return &receiverState{reason: conditions.ReasonReceiverDisabled, message: fmt.Sprintf("The webhook of this extension cannot be called for Prometheus %s/%s: %v", namespace, prometheus.Name, err)}, nil
		} else if err != nil {
			return nil, err
		}
	}

	if !receiver.Enabled(prometheus, window) {
		return &receiverState{reason: conditions.ReasonReceiverDisabled, message: fmt.Sprintf("The webhook of this extension has not enabled the OTLP receiver of Prometheus %s/%s yet: is MutatingWebhookConfiguration gardener-extension-otel-federation-runtime registered?", namespace, prometheus.Name)}, nil
	}
	return a.receivingReplicas(ctx, namespace)
}

// noteWindow notes the window for the webhook, which every write of the Prometheus passes. The webhook never shortens a window, as
// it could be Gardener's. So one that becomes shorter is taken away in the same write, which lets the webhook set the new one, and
// Gardener's Prometheus is applied anew, in case that Gardener sets a window of its own.
func (a *actuator) noteWindow(ctx context.Context, prometheus *monitoringv1.Prometheus, window time.Duration) error {
	before, err := receiver.Window(prometheus)
	shortened := prometheus.Annotations[constants.AnnotationOutOfOrderTimeWindow] != "" && err == nil && before > window
	if !shortened {
		return a.annotate(ctx, prometheus, constants.AnnotationOutOfOrderTimeWindow, window.String())
	}

	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}},"spec":{"tsdb":{"outOfOrderTimeWindow":null}}}`, constants.AnnotationOutOfOrderTimeWindow, window.String())
	if err := a.client.Patch(ctx, prometheus, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("failed to shorten the out-of-order time window of Prometheus %s: %w", client.ObjectKeyFromObject(prometheus), err)
	}
	return a.reapplyPrometheus(ctx, prometheus.Namespace)
}

// webhookUnavailable says whether a request was refused because a webhook could not be called, which is no reason to keep the
// Garden from being reconciled.
func webhookUnavailable(err error) bool {
	return apierrors.IsInternalError(err) || apierrors.IsServerTimeout(err) || apierrors.IsTimeout(err) || apierrors.IsServiceUnavailable(err)
}

// receivingReplicas looks for replicas that have not been rolled yet. Until they are, they answer OTLP requests with 404, upon
// which an exporter drops the data.
func (a *actuator) receivingReplicas(ctx context.Context, namespace string) (*receiverState, error) {
	for _, name := range handovercontroller.PrometheusPods() {
		pod := &corev1.Pod{}
		if exists, err := a.get(ctx, namespace, name, pod); err != nil {
			return nil, err
		} else if !exists || !receives(pod) {
			return &receiverState{reason: conditions.ReasonReceiverDisabled, message: fmt.Sprintf("Pod %s/%s does not run with an OTLP receiver yet.", namespace, name)}, nil
		}
	}
	return &receiverState{ready: true, reason: conditions.ReasonReceiverEnabled, message: "All replicas of the garden Prometheus accept what the fan-out pushes."}, nil
}

func receives(pod *corev1.Pod) bool {
	ready := slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	})
	return ready && pod.DeletionTimestamp == nil && slices.ContainsFunc(pod.Spec.Containers, func(container corev1.Container) bool {
		return container.Name == prometheusContainer && slices.Contains(container.Args, otlpReceiverArgument)
	})
}

// reapplyPrometheus lets gardener-resource-manager write Gardener's Prometheus again.
func (a *actuator) reapplyPrometheus(ctx context.Context, namespace string) error {
	return a.annotate(ctx, &resourcesv1alpha1.ManagedResource{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: handovercontroller.PrometheusManagedResourceName}},
		v1beta1constants.GardenerOperation, v1beta1constants.GardenerOperationReconcile)
}

func (a *actuator) annotate(ctx context.Context, obj client.Object, key, value string) error {
	annotations := map[string]any{key: value}
	if value == "" {
		annotations[key] = nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": annotations}})
	if err != nil {
		return err
	}
	if err := a.client.Patch(ctx, obj, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return fmt.Errorf("failed to annotate %T %s/%s with %s: %w", obj, obj.GetNamespace(), obj.GetName(), key, err)
	}
	return nil
}

// releaseReceiver returns the garden Prometheus to what Gardener wants. This must be the last that is done to it: without a
// receiver it answers 404.
func (a *actuator) releaseReceiver(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	since, err := a.markReleased(ctx, ex)
	if err != nil {
		return err
	}

	if err := retry.UntilTimeout(ctx, releaseRetryInterval, releaseTimeout, func(ctx context.Context) (bool, error) {
		released, err := a.tryRelease(ctx, ex.Namespace)
		if err != nil || released {
			return released, err
		}
		return retry.MinorError(fmt.Errorf("gardener-resource-manager has not restored Prometheus %s/%s yet: is ManagedResource %s healthy and not ignored?", ex.Namespace, constants.GardenPrometheusName, handovercontroller.PrometheusManagedResourceName))
	}); err != nil {
		if a.clock.Since(since) < releasePatience {
			return fmt.Errorf("failed to return the garden Prometheus to what Gardener wants: %w", err)
		}
		log.Error(err, "The garden Prometheus keeps its OTLP receiver until it is applied again", "managedResource", handovercontroller.PrometheusManagedResourceName)
	}
	return nil
}

// markReleased tells the webhook that the Extension does not need the receiver any more, and returns since when.
func (a *actuator) markReleased(ctx context.Context, ex *extensionsv1alpha1.Extension) (time.Time, error) {
	if since, err := time.Parse(time.RFC3339, ex.Annotations[constants.AnnotationReleased]); err == nil {
		return since, nil
	}
	now := a.clock.Now()
	return now, a.annotate(ctx, ex, constants.AnnotationReleased, now.UTC().Format(time.RFC3339))
}

// lastingPrometheus returns the garden Prometheus, unless it is gone or goes with the Garden.
func (a *actuator) lastingPrometheus(ctx context.Context, namespace string) (*monitoringv1.Prometheus, error) {
	gardens := &operatorv1alpha1.GardenList{}
	if err := a.client.List(ctx, gardens); err != nil {
		return nil, fmt.Errorf("failed to list Gardens: %w", err)
	}
	prometheus := &monitoringv1.Prometheus{}
	exists, err := a.get(ctx, namespace, constants.GardenPrometheusName, prometheus)
	if err != nil || !exists || prometheus.DeletionTimestamp != nil || len(gardens.Items) == 0 || gardens.Items[0].DeletionTimestamp != nil {
		return nil, err
	}
	return prometheus, nil
}

// tryRelease returns true if the Prometheus is as Gardener wants it, or if nobody needs that any more. Otherwise it lets the
// Prometheus be applied, again and again: the webhook may not have seen yet that the Extension has released it.
func (a *actuator) tryRelease(ctx context.Context, namespace string) (bool, error) {
	prometheus, err := a.lastingPrometheus(ctx, namespace)
	if err != nil {
		return retry.MinorError(err)
	}
	if prometheus == nil {
		return retry.Ok()
	}

	managedResource := &resourcesv1alpha1.ManagedResource{}
	applied, err := a.get(ctx, namespace, handovercontroller.PrometheusManagedResourceName, managedResource)
	if err != nil {
		return retry.MinorError(err)
	}
	applied = applied && managedResource.DeletionTimestamp == nil

	if !receiver.Enabled(prometheus, 0) || !applied {
		// This write passes the webhook, too. So its result counts.
		if prometheus.Annotations[constants.AnnotationOutOfOrderTimeWindow] != "" {
			if err := a.annotate(ctx, prometheus, constants.AnnotationOutOfOrderTimeWindow, ""); err != nil {
				return retry.MinorError(err)
			}
		}
		if !receiver.Enabled(prometheus, 0) || !applied {
			return retry.Ok()
		}
	}
	if err := a.reapplyPrometheus(ctx, namespace); err != nil {
		return retry.MinorError(err)
	}
	return retry.NotOk()
}
