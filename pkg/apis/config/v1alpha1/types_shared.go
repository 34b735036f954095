// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
)

// QueueConfiguration configures the queue in which a collector keeps samples that it cannot deliver at once.
type QueueConfiguration struct {
	// Capacity is the number of samples that the queue holds before further samples are refused and counted. A seed loses them; what the
	// garden refuses its seeds keep and send again. It must be at least 1.
	// Default: 8400000 for a seed (two hours of 70,000 samples per minute), 168000000 for the garden (the same of 20 seeds).
	// +optional
	Capacity *int64 `json:"capacity,omitempty"`
	// Persistence tells where the queue is kept.
	// +optional
	Persistence QueuePersistence `json:"persistence,omitzero"`
}

// QueuePersistence tells where a queue is kept.
type QueuePersistence struct {
	// Type is the kind of the storage. Accepted values: `PersistentVolume` (the queue survives the loss of the pod),
	// `EmptyDir` (it survives a restart of the container only), `None` (it is kept in memory only).
	// Default: PersistentVolume.
	// +optional
	Type PersistenceType `json:"type,omitempty"`
	// Size is the size of the volume as a Kubernetes quantity in bytes, for example `4Gi`. It must be more than zero and must
	// not be set for type `None`.
	// Default: 4Gi for a seed, 50Gi for the garden.
	// +optional
	Size *resource.Quantity `json:"size,omitempty"`
	// StorageClassName is the name of the StorageClass of the volume. It may be set for type `PersistentVolume` only.
	// Default: the default StorageClass of the cluster.
	// +optional
	StorageClassName *string `json:"storageClassName,omitempty"`
}

// PersistenceType is the kind of storage that a queue is kept on.
type PersistenceType string

const (
	// PersistenceTypePersistentVolume keeps the queue on a PersistentVolume.
	PersistenceTypePersistentVolume PersistenceType = "PersistentVolume"
	// PersistenceTypeEmptyDir keeps the queue on an emptyDir volume.
	PersistenceTypeEmptyDir PersistenceType = "EmptyDir"
	// PersistenceTypeNone keeps the queue in memory.
	PersistenceTypeNone PersistenceType = "None"
)
