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
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/pkg/utils/managedresources"
	"github.com/gardener/gardener/pkg/utils/retry"
)

var (
	// TimeoutWaitForManagedResource bounds Wait and WaitCleanup of the collectors. It is below the three minutes that a
	// reconciliation may take.
	TimeoutWaitForManagedResource = 2 * time.Minute

	waitInterval = time.Second
)

// ObjectLabels returns the labels that the OpenTelemetry operator puts on everything it creates for a collector, and that
// the PersistentVolumeClaims inherit from the StatefulSet's selector.
func ObjectLabels(name, namespace string) client.MatchingLabels {
	return client.MatchingLabels{
		"app.kubernetes.io/component":  "opentelemetry-collector",
		"app.kubernetes.io/instance":   namespace + "." + name,
		"app.kubernetes.io/managed-by": "opentelemetry-operator",
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

// WaitCleanup waits until the ManagedResource, the OpenTelemetryCollector, its StatefulSet and its pods are gone, and then
// removes the PersistentVolumeClaims, which neither the operator nor the StatefulSet does.
func WaitCleanup(ctx context.Context, c client.Client, namespace, name string) error {
	timeoutCtx, cancel := context.WithTimeout(ctx, TimeoutWaitForManagedResource)
	defer cancel()

	if err := managedresources.WaitUntilDeleted(timeoutCtx, c, namespace, name); err != nil {
		return err
	}

	if err := retry.Until(timeoutCtx, waitInterval, func(ctx context.Context) (bool, error) {
		remaining, err := remainingWorkload(ctx, c, namespace, name)
		if err != nil {
			return retry.SevereError(err)
		}
		if remaining != "" {
			return retry.MinorError(fmt.Errorf("%s still exists: is the OpenTelemetry operator running?", remaining))
		}
		return retry.Ok()
	}); err != nil {
		return err
	}

	if err := c.DeleteAllOf(ctx, &corev1.PersistentVolumeClaim{}, client.InNamespace(namespace), ObjectLabels(name, namespace)); err != nil {
		return fmt.Errorf("failed to delete the PersistentVolumeClaims of collector %s/%s: %w", namespace, name, err)
	}

	return retry.Until(timeoutCtx, waitInterval, func(ctx context.Context) (bool, error) {
		claims := &corev1.PersistentVolumeClaimList{}
		if err := c.List(ctx, claims, client.InNamespace(namespace), ObjectLabels(name, namespace)); err != nil {
			return retry.SevereError(err)
		}
		if len(claims.Items) > 0 {
			return retry.MinorError(fmt.Errorf("PersistentVolumeClaim %s/%s still exists", namespace, claims.Items[0].Name))
		}
		return retry.Ok()
	})
}

// remainingWorkload names an object of the collector that still exists.
func remainingWorkload(ctx context.Context, c client.Client, namespace, name string) (string, error) {
	obj := &otelv1beta1.OpenTelemetryCollector{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := c.Get(ctx, client.ObjectKeyFromObject(obj), obj); err == nil {
		return fmt.Sprintf("OpenTelemetryCollector %s/%s", namespace, name), nil
	} else if client.IgnoreNotFound(err) != nil && !meta.IsNoMatchError(err) {
		return "", err
	}

	for kind, list := range map[string]client.ObjectList{
		"StatefulSet": &appsv1.StatefulSetList{},
		"Pod":         &corev1.PodList{},
	} {
		if err := c.List(ctx, list, client.InNamespace(namespace), ObjectLabels(name, namespace)); err != nil {
			return "", fmt.Errorf("failed to list the %ss of collector %s/%s: %w", kind, namespace, name, err)
		}
		if n := meta.LenList(list); n > 0 {
			return fmt.Sprintf("%s of collector %s/%s", kind, namespace, name), nil
		}
	}

	return "", nil
}
