// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package config

import (
	"k8s.io/apimachinery/pkg/api/resource"
)

// QueueConfiguration configures the queue in which a collector keeps samples that it cannot deliver at once.
type QueueConfiguration struct {
	// Capacity is the number of samples that the queue holds before further samples are refused and counted as lost.
	// It must be at least 1.
	Capacity *int64
	// Persistence tells where the queue is kept.
	Persistence QueuePersistence
}

// QueuePersistence tells where a queue is kept.
type QueuePersistence struct {
	// Type is the kind of the storage. Accepted values: `PersistentVolume` (the queue survives the loss of the pod),
	// `EmptyDir` (it survives a restart of the container only), `None` (it is kept in memory only).
	Type PersistenceType
	// Size is the size of the volume as a Kubernetes quantity in bytes, for example `4Gi`. It must be more than zero and must
	// not be set for type `None`.
	Size *resource.Quantity
	// StorageClassName is the name of the StorageClass of the volume. It may be set for type `PersistentVolume` only.
	StorageClassName *string
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
