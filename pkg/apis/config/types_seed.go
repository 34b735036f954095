// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package config

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// +k8s:deepcopy-gen:interfaces=k8s.io/apimachinery/pkg/runtime.Object

// SeedFederationConfig configures the part of the federation that runs in a seed. It is the providerConfig of the extension in
// `Seed.spec.extensions`.
type SeedFederationConfig struct {
	metav1.TypeMeta

	// Scrape configures how the seed's aggregate Prometheus is scraped.
	Scrape ScrapeConfiguration
	// Selectors are the PromQL vector selectors of the series that are federated, for example `{__name__=~"shoot:.+"}` or
	// `up{job="gardenlet"}`. They replace the default ones.
	Selectors []string
	// AdditionalSelectors are the PromQL vector selectors of series that are federated besides those of `selectors`.
	AdditionalSelectors []string
	// Garden says where to push to, for landscapes in which the garden part of this extension does not run.
	Garden *GardenEndpoint
	// Compression configures the compression of the requests to the garden.
	Compression CompressionConfiguration
	// Queue configures the queue of samples that the garden has not accepted yet.
	Queue QueueConfiguration
	// Resources are the resource requests and limits of the collector. Accepted resources: `cpu`, `memory`,
	// `ephemeral-storage`; claims are not accepted.
	Resources *corev1.ResourceRequirements
	// DebugExporter tells whether the collector also writes a summary of what it forwards to its log.
	DebugExporter *bool
}

// ScrapeConfiguration configures how the seed's aggregate Prometheus is scraped.
type ScrapeConfiguration struct {
	// Interval is the time between two scrapes, as a duration in whole milliseconds, at least `1s` and at most `2m`: with more, one
	// scrape that fails would leave a hole in each series.
	Interval *metav1.Duration
	// Timeout is the time after which a scrape is given up, as a duration in whole milliseconds, more than zero and not longer
	// than the interval.
	Timeout *metav1.Duration
}

// GardenEndpoint says where and with which credentials the seed collector pushes.
type GardenEndpoint struct {
	// Endpoint is the URL to push to: scheme `https` (or `http`, see `plainHTTP`), host and, if needed, port; no path, user, query or fragment.
	Endpoint string
	// CABundle is the PEM bundle of the certificate authorities that verify the endpoint.
	CABundle *string
	// TokenSecretRef names the Secret in the namespace `garden` of the seed whose key `token` holds the bearer token.
	TokenSecretRef corev1.LocalObjectReference
	// Instance is the value of the label `instance` under which the garden knows the seed's aggregate Prometheus.
	Instance *string
	// PlainHTTP tells whether the endpoint may have the scheme `http`, if it is a Service of the cluster: its host must be of the form
	// `<name>.<namespace>.svc`, perhaps followed by the domain of the cluster. What is sent, the token included, can then be read on its way.
	PlainHTTP *bool
}

// CompressionConfiguration configures the compression of requests.
type CompressionConfiguration struct {
	// Algorithm is the algorithm. Accepted values: `zstd`, `gzip`, `snappy`, `none`.
	Algorithm CompressionAlgorithm
	// Level is the compression level: 1 (fastest) to 11 (smallest) for `zstd`, 1 to 9 for `gzip`. It must not be set for the
	// other algorithms.
	Level *int32
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
