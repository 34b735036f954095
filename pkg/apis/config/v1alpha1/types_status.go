// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object
// +kubebuilder:object:root=true

// GardenFederationStatus tells how far the hand-over from pull to push is. It is the providerStatus of the Extension of class
// garden. Only this extension writes it, in this version, so it has no internal one.
type GardenFederationStatus struct {
	metav1.TypeMeta `json:",inline"`

	// Seeds are the states of the seeds that push, or that could, sorted by name.
	// +optional
	Seeds []SeedFederationStatus `json:"seeds,omitempty"`
	// SigningKey tells how far the last rotation is of the key that signs the tokens of the seeds. It is absent before the first one.
	// +optional
	SigningKey *SigningKeyStatus `json:"signingKey,omitempty"`
	// FanOut tells what the queues of the fan-out have led to. It is absent as long as that is nothing.
	// +optional
	FanOut *FanOutStatus `json:"fanOut,omitempty"`
}

// FanOutStatus tells what the queues of the fan-out have led to.
type FanOutStatus struct {
	// DetachedReplicas are the replicas of the garden Prometheus that get no new samples, sorted by name.
	// +optional
	DetachedReplicas []DetachedReplica `json:"detachedReplicas,omitempty"`
	// DrainedCollectors are the names of the collectors of the fan-out that receive nothing any more and whose queues are empty.
	// +optional
	DrainedCollectors []string `json:"drainedCollectors,omitempty"`
}

// DetachedReplica is a replica of the garden Prometheus that gets no new samples, because a queue in front of it would have become
// full. A full queue would keep the samples from the other replica, too. What is in the queues is delivered when the replica accepts
// it, and then the replica gets new samples again. Those in between are lost for this replica.
type DetachedReplica struct {
	// Name is the name of its pod.
	Name string `json:"name"`
	// Since is since when it gets no new samples.
	Since metav1.Time `json:"since"`
}

// SigningKeyStatus tells how far a rotation of the signing key is.
type SigningKeyStatus struct {
	// Phase is how far it is. Values: `Preparing` (the fan-out learns the new key, and tokens are signed with the old one),
	// `Completing` (tokens are signed with the new key, and those that the old one has signed are accepted until they expire),
	// `Completed` (only the new key exists).
	Phase SigningKeyPhase `json:"phase"`
	// InitiationTime is when the rotation began.
	InitiationTime metav1.Time `json:"initiationTime"`
	// SigningSince is since when the new key signs: all replicas of the fan-out knew it.
	// +optional
	SigningSince *metav1.Time `json:"signingSince,omitempty"`
	// CompletionTime is when the old key was removed.
	// +optional
	CompletionTime *metav1.Time `json:"completionTime,omitempty"`
}

// SigningKeyPhase is how far a rotation of the signing key is.
type SigningKeyPhase string

const (
	// SigningKeyPhasePreparing means that the fan-out learns the new key, and that tokens are signed with the old one.
	SigningKeyPhasePreparing SigningKeyPhase = "Preparing"
	// SigningKeyPhaseCompleting means that tokens are signed with the new key, and that those which the old one has signed are accepted
	// until they expire.
	SigningKeyPhaseCompleting SigningKeyPhase = "Completing"
	// SigningKeyPhaseCompleted means that only the new key exists.
	SigningKeyPhaseCompleted SigningKeyPhase = "Completed"
)

// SeedFederationStatus tells by which way the samples of a seed reach the garden Prometheus.
type SeedFederationStatus struct {
	// Name is the name of the Seed.
	Name string `json:"name"`
	// State is the way. Values: `Pull` (the garden Prometheus pulls from the seed; what the seed pushes is stored as well),
	// `Shadow` (it pulls, and what the seed pushes is stored under names of its own, for comparison), `Push` (the seed pushes, and
	// is not pulled), `Returning` (the garden Prometheus has got its target back, but has not pulled from it yet).
	State SeedFederationState `json:"state"`
	// Since is when the state was entered.
	Since metav1.Time `json:"since"`
	// LastSample is the time, by the clock of the seed, of the newest complete scrape that has been pushed to all replicas of the
	// garden Prometheus.
	// +optional
	LastSample *metav1.Time `json:"lastSample,omitempty"`
	// Instance is the value of the label `instance` under which the garden knows the seed's aggregate Prometheus. It is empty if
	// the seed has no ingress.
	// +optional
	Instance string `json:"instance,omitempty"`
	// CABundle is the checksum of the bundle of CAs by which the seed's collector verifies the garden, as far as the seed has told.
	// +optional
	CABundle string `json:"caBundle,omitempty"`
	// Message says what the state waits for, or why it was entered.
	// +optional
	Message string `json:"message,omitempty"`
}

// SeedFederationState is the way in which the samples of a seed reach the garden Prometheus.
type SeedFederationState string

const (
	// SeedFederationStatePull means that the garden Prometheus pulls from the seed. What the seed pushes is stored as well.
	SeedFederationStatePull SeedFederationState = "Pull"
	// SeedFederationStateShadow means that the garden Prometheus pulls from the seed, and that what the seed pushes is stored under
	// names of its own, for comparison.
	SeedFederationStateShadow SeedFederationState = "Shadow"
	// SeedFederationStatePush means that the seed pushes, and that the garden Prometheus does not pull from it.
	SeedFederationStatePush SeedFederationState = "Push"
	// SeedFederationStateReturning means that the garden Prometheus has got its target back, but has not pulled from it yet.
	SeedFederationStateReturning SeedFederationState = "Returning"
)
