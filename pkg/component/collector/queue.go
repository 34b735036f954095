// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/gardener/gardener/pkg/utils"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
)

// QueueFor translates the configuration of a queue. The configuration must have been defaulted.
func QueueFor(cfg config.QueueConfiguration) Queue {
	return Queue{
		Capacity:         *cfg.Capacity,
		Storage:          StorageType(cfg.Persistence.Type),
		Size:             ptr.Deref(cfg.Persistence.Size, resource.Quantity{}),
		StorageClassName: cfg.Persistence.StorageClassName,
	}
}

// LabelInstance is on each PersistentVolumeClaim and has the name of the collector whose queue it is for.
const LabelInstance = "app.kubernetes.io/instance"

// AnnotationConfiguredSize is on each PersistentVolumeClaim and has the size that was configured last, a quantity. The claim itself may
// have become larger since: administrators and autoscalers enlarge claims.
const AnnotationConfiguredSize = "otel-federation.extensions.gardener.cloud/configured-size"

// ClaimName returns the name of the PersistentVolumeClaim for the queue of the collector with the given name.
func ClaimName(collectorName string) string {
	return collectorName + "-" + queueVolumeName
}

// DeployClaim creates the PersistentVolumeClaim for the queue of the collector with the given name, if the queue needs one, and
// enlarges it if the queue has become larger, as soon as it is bound to a volume. Nothing else about a claim can be changed: samples may
// be on the volume, so any other change of the configuration is refused. A claim that somebody else has enlarged stays as it is. It is not part of the ManagedResource, because gardener-resource-manager would
// try to reset what Kubernetes sets in its immutable specification.
func DeployClaim(ctx context.Context, c client.Client, collectorName, namespace string, labels map[string]string, queue Queue) error {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: ClaimName(collectorName), Namespace: namespace}}
	if err := c.Get(ctx, client.ObjectKeyFromObject(claim), claim); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("failed to get PersistentVolumeClaim %s/%s: %w", namespace, claim.Name, err)
	} else if err == nil && claim.DeletionTimestamp == nil {
		if err := checkClaim(claim, queue); err != nil {
			return err
		}
	}
	if queue.Storage != StoragePersistentVolume {
		return nil
	}

	if _, err := controllerutil.CreateOrPatch(ctx, c, claim, func() error {
		claim.Labels = utils.MergeStringMaps(labels, map[string]string{LabelInstance: collectorName})
		metav1.SetMetaDataAnnotation(&claim.ObjectMeta, AnnotationConfiguredSize, queue.Size.String())

		isNew := claim.CreationTimestamp.IsZero()
		if isNew {
			claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
			claim.Spec.StorageClassName = queue.StorageClassName
		}
		if size := claim.Spec.Resources.Requests[corev1.ResourceStorage]; size.Cmp(queue.Size) < 0 && (isNew || claim.Status.Phase == corev1.ClaimBound) {
			claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: queue.Size}
		}
		return nil
	}); err != nil {
		if apierrors.IsForbidden(err) || apierrors.IsInvalid(err) {
			return fmt.Errorf("spec.providerConfig.queue.persistence: PersistentVolumeClaim %s/%s cannot be deployed with size %s (its StorageClass must allow volume expansion to enlarge it): %w",
				namespace, claim.Name, queue.Size.String(), err)
		}
		return fmt.Errorf("failed to deploy PersistentVolumeClaim %s/%s: %w", namespace, claim.Name, err)
	}
	return nil
}

// checkClaim refuses what would leave the samples behind that are on the volume.
func checkClaim(claim *corev1.PersistentVolumeClaim, queue Queue) error {
	var change string
	switch {
	case queue.Storage != StoragePersistentVolume:
		change = fmt.Sprintf("type cannot become %s", queue.Storage)
	case queue.StorageClassName != nil && *queue.StorageClassName != ptr.Deref(claim.Spec.StorageClassName, ""):
		change = fmt.Sprintf("storageClassName cannot become %s", *queue.StorageClassName)
	case isLowered(claim, queue.Size):
		change = fmt.Sprintf("size cannot become %s, which is less than %s", queue.Size.String(), claim.Annotations[AnnotationConfiguredSize])
	default:
		return nil
	}
	return fmt.Errorf("spec.providerConfig.queue.persistence.%s: there may be samples on the volume of PersistentVolumeClaim %s/%s: take the change back, or wait until the queue is empty, disable the extension, which removes the volume, and enable it again",
		change, claim.Namespace, claim.Name)
}

// isLowered says whether the configuration asks for less than it did before. What the claim has tells nothing about that, if somebody else
// has enlarged it. If nothing is known of before, nothing is known to be lowered: the volume keeps what it has, whereas an error would
// keep the whole seed from being reconciled. And a size that was configured but never reached may be taken back.
func isLowered(claim *corev1.PersistentVolumeClaim, size resource.Quantity) bool {
	before, err := resource.ParseQuantity(claim.Annotations[AnnotationConfiguredSize])
	if err != nil {
		return false
	}
	requested := claim.Spec.Resources.Requests[corev1.ResourceStorage]
	return size.Cmp(before) < 0 && size.Cmp(requested) < 0
}
