// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true

// GardenFederationConfig configures the part of the federation that runs in the garden runtime cluster. It is the
// providerConfig of the extension in `Garden.spec.extensions`.
type GardenFederationConfig struct {
	metav1.TypeMeta `json:",inline"`

	// Ingress configures how the seeds reach the garden.
	// +optional
	Ingress IngressConfiguration `json:"ingress,omitzero"`
	// Replicas is the number of fan-out collectors, 1 to 20.
	// Default: 2.
	// +optional
	Replicas *int32 `json:"replicas,omitempty"`
	// Resources are the resource requests and limits of each fan-out collector. Accepted resources: `cpu`, `memory`,
	// `ephemeral-storage`; claims are not accepted.
	// Default: requests of 100m CPU and 300Mi memory, a limit of 2Gi memory.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// Queue configures the queues of samples that a garden Prometheus has not accepted yet. Each fan-out collector has one per
	// garden Prometheus; the capacity holds for each queue, the volume is shared by the queues of a collector.
	// +optional
	Queue QueueConfiguration `json:"queue,omitzero"`
	// Token configures the tokens by which seeds identify themselves.
	// +optional
	Token TokenConfiguration `json:"token,omitzero"`
	// OutOfOrderTimeWindow is how much older than the newest sample of its series a sample may be to be still accepted by the
	// garden Prometheus, as a duration in whole milliseconds, more than zero. It should be no shorter than the time that the
	// queues can hold. A longer window that Gardener sets is kept.
	// Default: 2h.
	// +optional
	OutOfOrderTimeWindow *metav1.Duration `json:"outOfOrderTimeWindow,omitempty"`
	// HandOver configures how Gardener's own federation (pull) is replaced by this one (push), seed by seed.
	// +optional
	HandOver HandOverConfiguration `json:"handOver,omitzero"`
	// SeedSelector selects the seeds, by the labels of the Seed resource, that get credentials.
	// Default: all seeds.
	// +optional
	SeedSelector *metav1.LabelSelector `json:"seedSelector,omitempty"`
	// DeniedSeeds are the names of seeds that get no credentials. What they send with a token that is still valid is dropped and counted.
	// Default: none.
	// +optional
	DeniedSeeds []string `json:"deniedSeeds,omitempty"`
	// DebugExporter tells whether the fan-out collectors also write a summary of what they forward to their log.
	// Default: false.
	// +optional
	DebugExporter *bool `json:"debugExporter,omitempty"`
}

// IngressConfiguration configures how the seeds reach the garden.
type IngressConfiguration struct {
	// HostPrefix is put before the ingress domain of the garden to form the host name. It must be a DNS label.
	// Default: otel-federation.
	// +optional
	HostPrefix *string `json:"hostPrefix,omitempty"`
}

// TokenConfiguration configures the tokens by which seeds identify themselves.
type TokenConfiguration struct {
	// Validity is how long a token is valid, as a duration in whole seconds, `10m` to `2160h` (90 days). The control plane may
	// be down for `validity` minus `renewAfter` before samples are refused.
	// Default: 168h (7 days).
	// +optional
	Validity *metav1.Duration `json:"validity,omitempty"`
	// RenewAfter is the age at which a token is replaced, as a duration in whole seconds, at least `1m` and at most half of the
	// validity.
	// Default: 24h, or a seventh of the validity if that is shorter.
	// +optional
	RenewAfter *metav1.Duration `json:"renewAfter,omitempty"`
}

// HandOverConfiguration configures how pull is replaced by push.
type HandOverConfiguration struct {
	// Mode is the way in which pull is replaced. Accepted values: `Automatic` (a seed is pulled while its push is not fresh),
	// `Shadow` (all seeds are pulled; what they push is received but used for comparison only), `Push` (no seed is pulled that
	// has this extension).
	// Default: Automatic.
	// +optional
	Mode HandOverMode `json:"mode,omitempty"`
	// FreshFor is how long a seed's push must have been fresh without interruption before the seed is no longer pulled, as a
	// duration in whole milliseconds, not less than returnAfter: a collector that has just ended looks fresh for so long.
	// Default: 5m.
	// +optional
	FreshFor *metav1.Duration `json:"freshFor,omitempty"`
	// ReturnAfter is how long a seed's push may be stale before the seed is pulled again, as a duration in whole milliseconds,
	// more than zero.
	// Default: 2m.
	// +optional
	ReturnAfter *metav1.Duration `json:"returnAfter,omitempty"`
}

// HandOverMode is a way in which pull is replaced by push.
type HandOverMode string

const (
	// HandOverModeAutomatic pulls a seed while its push is not fresh.
	HandOverModeAutomatic HandOverMode = "Automatic"
	// HandOverModeShadow pulls all seeds.
	HandOverModeShadow HandOverMode = "Shadow"
	// HandOverModePush pulls no seed that has this extension.
	HandOverModePush HandOverMode = "Push"
)
