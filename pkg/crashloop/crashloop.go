// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package crashloop replaces the pods of collectors that crash again and again. A pod checks its queue when it starts (package queuecheck),
// but not when its collector does: that is started again in the same pod.
package crashloop

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	// Pause is the time within which a pod is replaced once at most: what crashes for another reason than its queue must not be replaced all the
	// time.
	Pause = 10 * time.Minute

	// minRestarts is how often a collector must have been started again. Once or twice happens for many reasons.
	minRestarts = 3
	// shortRun is what a collector runs for at most if it cannot open its queue. Walking through a full queue takes a while.
	shortRun = 2 * time.Minute
)

// Replacer replaces pods.
type Replacer struct {
	// Client is the client for the cluster of the collectors.
	Client client.Client
	// Reader reads from that cluster without a cache.
	Reader client.Reader
	// Clock tells the time.
	Clock clock.Clock
}

// Replace deletes those pods of a component whose collector crashes again and again, and whose queue is on a volume that outlives them. When is
// noted at the claim of that volume, so that a restart does not forget it. The error names the pod.
func (r *Replacer) Replace(ctx context.Context, log logr.Logger, namespace, component string) error {
	pods := &corev1.PodList{}
	if err := r.Reader.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels(collector.PodLabels(component))); err != nil {
		return fmt.Errorf("failed to list the pods of %s in namespace %s: %w", component, namespace, err)
	}
	var errs []error
	for i := range pods.Items {
		if pod := &pods.Items[i]; crashes(pod) {
			if err := r.replace(ctx, log, pod); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

func (r *Replacer) replace(ctx context.Context, log logr.Logger, pod *corev1.Pod) error {
	claim := &corev1.PersistentVolumeClaim{}
	name := collector.ClaimName(strings.TrimSuffix(pod.Name, "-collector-0"))
	if err := r.Reader.Get(ctx, client.ObjectKey{Namespace: pod.Namespace, Name: name}, claim); apierrors.IsNotFound(err) {
		return nil
	} else if err != nil {
		return fmt.Errorf("failed to find out when pod %s/%s was replaced, failed to get PersistentVolumeClaim %s: %w", pod.Namespace, pod.Name, name, err)
	}

	now := r.Clock.Now()
	if last, err := time.Parse(time.RFC3339, claim.Annotations[constants.AnnotationPodReplaced]); err == nil && now.Before(last.Add(Pause)) {
		return nil
	}
	// First noted, then done: what cannot be noted would be done again and again.
	patch := client.MergeFrom(claim.DeepCopy())
	metav1.SetMetaDataAnnotation(&claim.ObjectMeta, constants.AnnotationPodReplaced, now.UTC().Format(time.RFC3339))
	if err := r.Client.Patch(ctx, claim, patch); err != nil {
		return fmt.Errorf("failed to annotate PersistentVolumeClaim %s/%s with %s: %w", claim.Namespace, claim.Name, constants.AnnotationPodReplaced, err)
	}

	log.Info("Replacing a pod, because its collector crashes again and again: the next one checks its queue", "pod", client.ObjectKeyFromObject(pod))
	if err := r.Client.Delete(ctx, pod, client.Preconditions{UID: &pod.UID}); client.IgnoreNotFound(err) != nil && !apierrors.IsConflict(err) {
		return fmt.Errorf("failed to delete pod %s/%s, whose collector crashes again and again: %w: delete it, so that the next one checks its queue", pod.Namespace, pod.Name, err)
	}
	return nil
}

// crashes says whether the collector of a pod crashes again and again, and whether another pod may do better: one that checks a queue that is
// kept in a claim. A queue on the node's disk would go with the pod.
func crashes(pod *corev1.Pod) bool {
	if pod.DeletionTimestamp != nil ||
		!slices.ContainsFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name == collector.CheckQueueContainerName }) ||
		!slices.ContainsFunc(pod.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil }) {
		return false
	}
	return slices.ContainsFunc(pod.Status.ContainerStatuses, func(status corev1.ContainerStatus) bool {
		if status.Name != collector.ContainerName || status.RestartCount < minRestarts {
			return false
		}
		end := status.State.Terminated
		if waiting := status.State.Waiting; waiting != nil && waiting.Reason == "CrashLoopBackOff" {
			end = status.LastTerminationState.Terminated
		}
		return end != nil && end.ExitCode != 0 && end.FinishedAt.Sub(end.StartedAt.Time) <= shortRun
	})
}
