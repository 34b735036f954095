// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"fmt"
	"time"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	"github.com/gardener/gardener/pkg/utils/managedresources"
	"github.com/gardener/gardener/pkg/utils/retry"
)

var (
	// TimeoutWaitForManagedResource bounds Wait and WaitCleanup of the collectors. It is below the three minutes that a
	// reconciliation may take.
	TimeoutWaitForManagedResource = 2 * time.Minute

	waitInterval = time.Second
)

// PodLabels returns the labels by which the pods of a component are found: the collectors' own, which the OpenTelemetry
// operator hands down to everything that it creates, and its own, which tell pods and StatefulSets from other objects.
func PodLabels(component string) map[string]string {
	return map[string]string{
		v1beta1constants.LabelApp:     component,
		"app.kubernetes.io/component": "opentelemetry-collector",
	}
}

// Destroy deletes the ManagedResource of a collector.
func Destroy(ctx context.Context, c client.Client, namespace, name string) error {
	return managedresources.DeleteForSeed(ctx, c, namespace, name)
}

// Wait waits until the ManagedResource of a collector is healthy.
func Wait(ctx context.Context, c client.Client, namespace, name string) error {
	timeoutCtx, cancel := context.WithTimeout(ctx, TimeoutWaitForManagedResource)
	defer cancel()

	return managedresources.WaitUntilHealthy(timeoutCtx, c, namespace, name)
}

// WaitCleanup waits until the ManagedResource of a component, its collectors, their StatefulSets and their pods are gone, and
// then removes the volumes of the queues.
func WaitCleanup(ctx context.Context, c client.Client, namespace, name string) error {
	timeoutCtx, cancel := context.WithTimeout(ctx, TimeoutWaitForManagedResource)
	defer cancel()

	if err := managedresources.WaitUntilDeleted(timeoutCtx, c, namespace, name); err != nil {
		return err
	}

	if err := waitUntilNoneIsLeft(timeoutCtx, c, namespace, name, "is the OpenTelemetry operator running?",
		&otelv1beta1.OpenTelemetryCollectorList{}, &appsv1.StatefulSetList{}, &corev1.PodList{}); err != nil {
		return err
	}

	// One by one: permission to delete collections could not be limited to these.
	claims := &corev1.PersistentVolumeClaimList{}
	if err := c.List(timeoutCtx, claims, client.InNamespace(namespace), client.MatchingLabels{v1beta1constants.LabelApp: name}); err != nil {
		return fmt.Errorf("failed to list the PersistentVolumeClaims of %s in namespace %s: %w", name, namespace, err)
	}
	for i := range claims.Items {
		if err := client.IgnoreNotFound(c.Delete(timeoutCtx, &claims.Items[i])); err != nil {
			return fmt.Errorf("failed to delete PersistentVolumeClaim %s: %w", client.ObjectKeyFromObject(&claims.Items[i]), err)
		}
	}

	return waitUntilNoneIsLeft(timeoutCtx, c, namespace, name, "does a pod still use it?", &corev1.PersistentVolumeClaimList{})
}

// waitUntilNoneIsLeft waits until there are no objects of the given kinds with the label of the component. A kind that does not
// exist has no objects.
func waitUntilNoneIsLeft(ctx context.Context, c client.Client, namespace, name, hint string, lists ...client.ObjectList) error {
	return retry.Until(ctx, waitInterval, func(ctx context.Context) (bool, error) {
		for _, list := range lists {
			err := c.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels{v1beta1constants.LabelApp: name})
			if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
				continue
			}
			if err != nil {
				return retry.SevereError(fmt.Errorf("failed to list the objects (%T) of %s in namespace %s: %w", list, name, namespace, err))
			}
			if n := meta.LenList(list); n > 0 {
				return retry.MinorError(fmt.Errorf("%d objects (%T) of %s in namespace %s are left: %s", n, list, name, namespace, hint))
			}
		}
		return retry.Ok()
	})
}

// IsReady says whether all pods of a StatefulSet are of its newest version, and ready.
func IsReady(set *appsv1.StatefulSet) bool {
	return set.Status.ObservedGeneration == set.Generation &&
		set.Status.UpdatedReplicas == set.Status.Replicas &&
		set.Status.ReadyReplicas == set.Status.Replicas &&
		set.Status.ReadyReplicas > 0
}
