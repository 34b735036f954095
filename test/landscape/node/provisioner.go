// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	storageClassName            = "default"
	provisionerName             = "landscape.local/dir"
	annotationDefaultClass      = "storageclass.kubernetes.io/is-default-class"
	annotationProvisionedBy     = "pv.kubernetes.io/provisioned-by"
	annotationVolumeProvisioner = "volume.kubernetes.io/storage-provisioner"
)

func (n *Node) ensureStorageClass(ctx context.Context) error {
	class := &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: storageClassName, Annotations: map[string]string{annotationDefaultClass: "true"}},
		Provisioner:       provisionerName,
		ReclaimPolicy:     new(corev1.PersistentVolumeReclaimDelete),
		VolumeBindingMode: new(storagev1.VolumeBindingImmediate),
	}
	if err := n.client.Create(ctx, class); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("failed to create storage class %s: %w", storageClassName, err)
	}
	return nil
}

// runProvisioner creates and deletes volumes until the context ends.
func (n *Node) runProvisioner(ctx context.Context) {
	for {
		retry := resyncPeriod
		if err := n.syncVolumes(ctx); err != nil && ctx.Err() == nil {
			n.log.Error(err, "Failed to provision volumes")
			retry = retryPeriod
		}
		timer := time.NewTimer(retry)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-n.provision:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (n *Node) syncVolumes(ctx context.Context) error {
	claims := &corev1.PersistentVolumeClaimList{}
	if err := n.client.List(ctx, claims); err != nil {
		return fmt.Errorf("failed to list PersistentVolumeClaims: %w", err)
	}
	for i := range claims.Items {
		if err := n.provisionVolume(ctx, &claims.Items[i]); err != nil {
			return fmt.Errorf("failed to provision a volume for PersistentVolumeClaim %s/%s: %w", claims.Items[i].Namespace, claims.Items[i].Name, err)
		}
	}
	volumes := &corev1.PersistentVolumeList{}
	if err := n.client.List(ctx, volumes); err != nil {
		return fmt.Errorf("failed to list PersistentVolumes: %w", err)
	}
	for i := range volumes.Items {
		if err := n.reclaimVolume(ctx, &volumes.Items[i]); err != nil {
			return fmt.Errorf("failed to reclaim PersistentVolume %s: %w", volumes.Items[i].Name, err)
		}
	}
	return nil
}

func (n *Node) provisionVolume(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	// The annotation is set by the binder when it has found that no existing volume fits.
	if claim.Status.Phase != corev1.ClaimPending || claim.Spec.VolumeName != "" || claim.DeletionTimestamp != nil ||
		claim.Annotations[annotationVolumeProvisioner] != provisionerName || claim.Spec.StorageClassName == nil {
		return nil
	}
	class := &storagev1.StorageClass{}
	if err := n.client.Get(ctx, types.NamespacedName{Name: *claim.Spec.StorageClassName}, class); err != nil {
		return client.IgnoreNotFound(err)
	}

	name := "pvc-" + string(claim.UID)
	directory := n.volumeDir(name)
	if err := makeVolumeDir(directory); err != nil {
		return err
	}
	volume := &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{annotationProvisionedBy: provisionerName}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: claim.Spec.Resources.Requests[corev1.ResourceStorage]},
			AccessModes:                   claim.Spec.AccessModes,
			StorageClassName:              class.Name,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			VolumeMode:                    claim.Spec.VolumeMode,
			ClaimRef: &corev1.ObjectReference{
				APIVersion: "v1", Kind: "PersistentVolumeClaim", Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID,
			},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: directory}},
		},
	}
	if class.ReclaimPolicy != nil {
		volume.Spec.PersistentVolumeReclaimPolicy = *class.ReclaimPolicy
	}
	if err := n.client.Create(ctx, volume); err != nil && !apierrors.IsAlreadyExists(err) {
		return err
	}
	return nil
}

func (n *Node) reclaimVolume(ctx context.Context, volume *corev1.PersistentVolume) error {
	if volume.Annotations[annotationProvisionedBy] != provisionerName || volume.Status.Phase != corev1.VolumeReleased ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete || volume.DeletionTimestamp != nil {
		return nil
	}
	if err := os.RemoveAll(n.volumeDir(volume.Name)); err != nil {
		return err
	}
	return client.IgnoreNotFound(n.client.Delete(ctx, volume))
}

func (n *Node) volumeDir(name string) string {
	return filepath.Join(n.config.StateDir, n.config.Cluster, "volumes", name)
}
