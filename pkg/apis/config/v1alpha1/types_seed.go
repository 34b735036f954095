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

// SeedFederationConfig configures the part of the federation that runs in a seed. It is the providerConfig of the extension in
// `Seed.spec.extensions`.
type SeedFederationConfig struct {
	metav1.TypeMeta `json:",inline"`

	// Scrape configures how the seed's aggregate Prometheus is scraped.
	// +optional
	Scrape ScrapeConfiguration `json:"scrape,omitzero"`
	// Selectors are the PromQL vector selectors of the series that are federated, for example `{__name__=~"shoot:.+"}` or
	// `up{job="gardenlet"}`. They replace the default ones.
	// Default: the selectors by which the garden Prometheus of Gardener federates.
	// +optional
	Selectors []string `json:"selectors,omitempty"`
	// AdditionalSelectors are the PromQL vector selectors of series that are federated besides those of `selectors`.
	// Default: none.
	// +optional
	AdditionalSelectors []string `json:"additionalSelectors,omitempty"`
	// Garden says where to push to, for landscapes in which the garden part of this extension does not run.
	// Default: what the garden part delivers to the seed.
	// +optional
	Garden *GardenEndpoint `json:"garden,omitempty"`
	// Compression configures the compression of the requests to the garden.
	// +optional
	Compression CompressionConfiguration `json:"compression,omitzero"`
	// Queue configures the queue of samples that the garden has not accepted yet.
	// +optional
	Queue QueueConfiguration `json:"queue,omitzero"`
	// Resources are the resource requests and limits of the collector. Accepted resources: `cpu`, `memory`,
	// `ephemeral-storage`; claims are not accepted.
	// Default: requests of 50m CPU and 300Mi memory, a limit of 1Gi memory.
	// +optional
	Resources *corev1.ResourceRequirements `json:"resources,omitempty"`
	// DebugExporter tells whether the collector also writes a summary of what it forwards to its log.
	// Default: false.
	// +optional
	DebugExporter *bool `json:"debugExporter,omitempty"`
}

// ScrapeConfiguration configures how the seed's aggregate Prometheus is scraped.
type ScrapeConfiguration struct {
	// Interval is the time between two scrapes, as a duration in whole milliseconds, at least `1s` and at most `2m`: with more, one
	// scrape that fails would leave a hole in each series.
	// Default: 1m.
	// +optional
	Interval *metav1.Duration `json:"interval,omitempty"`
	// Timeout is the time after which a scrape is given up, as a duration in whole milliseconds, more than zero and not longer
	// than the interval.
	// Default: 50s, or the interval if that is shorter.
	// +optional
	Timeout *metav1.Duration `json:"timeout,omitempty"`
}

// GardenEndpoint says where and with which credentials the seed collector pushes.
type GardenEndpoint struct {
	// Endpoint is the URL to push to: scheme `https` (or `http`, see `plainHTTP`), host and, if needed, port; no path, user, query or fragment.
	Endpoint string `json:"endpoint"`
	// CABundle is the PEM bundle of the certificate authorities that verify the endpoint.
	// Default: the certificate authorities of the system.
	// +optional
	CABundle *string `json:"caBundle,omitempty"`
	// TokenSecretRef names the Secret in the namespace `garden` of the seed whose key `token` holds the bearer token.
	TokenSecretRef corev1.LocalObjectReference `json:"tokenSecretRef"`
	// Instance is the value of the label `instance` under which the garden knows the seed's aggregate Prometheus.
	// Default: `prometheus-aggregate`, which Gardener's own federation uses in the runtime cluster; in any other seed it is `p-seed.<ingress domain of the seed>`.
	// +optional
	Instance *string `json:"instance,omitempty"`
	// PlainHTTP tells whether the endpoint may have the scheme `http`, if it is a Service of the cluster: its host must be of the form
	// `<name>.<namespace>.svc`, perhaps followed by the domain of the cluster. What is sent, the token included, can then be read on its way.
	// Default: false.
	// +optional
	PlainHTTP *bool `json:"plainHTTP,omitempty"`
}

// CompressionConfiguration configures the compression of requests.
type CompressionConfiguration struct {
	// Algorithm is the algorithm. Accepted values: `zstd`, `gzip`, `snappy`, `none`.
	// Default: zstd.
	// +optional
	Algorithm CompressionAlgorithm `json:"algorithm,omitempty"`
	// Level is the compression level: 1 (fastest) to 11 (smallest) for `zstd`, 1 to 9 for `gzip`. It must not be set for the
	// other algorithms.
	// Default: 3 for `zstd`, the collector's own for `gzip`.
	// +optional
	Level *int32 `json:"level,omitempty"`
}

// CompressionAlgorithm is the name of a compression algorithm.
type CompressionAlgorithm string

const (
	// CompressionZstd is the algorithm `zstd`.
	CompressionZstd CompressionAlgorithm = "zstd"
	// CompressionGzip is the algorithm `gzip`.
	CompressionGzip CompressionAlgorithm = "gzip"
	// CompressionSnappy is the algorithm `snappy`.
	CompressionSnappy CompressionAlgorithm = "snappy"
	// CompressionNone stands for no compression.
	CompressionNone CompressionAlgorithm = "none"
)
