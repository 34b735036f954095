// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	componentbaseconfigv1alpha1 "k8s.io/component-base/config/v1alpha1"

	extensionsconfigv1alpha1 "github.com/gardener/gardener/extensions/pkg/apis/config/v1alpha1"
)

const (
	// DefaultScrapeInterval is the default time between two scrapes.
	DefaultScrapeInterval = time.Minute
	// DefaultScrapeTimeout is the default time after which a scrape is given up.
	DefaultScrapeTimeout = 50 * time.Second
	// DefaultSeedQueueCapacity is the default number of samples that the queue of a seed collector holds: two hours of 70,000
	// samples per minute.
	DefaultSeedQueueCapacity int64 = 120 * 70_000
	// DefaultSeedQueueSize is the default size of the volume of a seed collector.
	DefaultSeedQueueSize = "4Gi"
	// DefaultGardenQueueCapacity is the default number of samples that a queue of a fan-out collector holds: that of 20 seeds.
	DefaultGardenQueueCapacity = 20 * DefaultSeedQueueCapacity
	// DefaultGardenQueueSize is the default size of the volume of a fan-out collector.
	DefaultGardenQueueSize = "50Gi"
	// DefaultIngressHostPrefix is the default first part of the host name of the garden's endpoint.
	DefaultIngressHostPrefix = "otel-federation"
	// DefaultZstdLevel is the default level of the compression by zstd. It costs next to nothing more than the lowest one
	// (docs/operations/capacity.md).
	DefaultZstdLevel int32 = 3
	// DefaultReplicas is the default number of fan-out collectors.
	DefaultReplicas int32 = 2
	// DefaultTokenValidity is how long tokens are valid by default.
	DefaultTokenValidity = 7 * 24 * time.Hour
	// DefaultTokenRenewAfter is the age at which tokens are renewed by default, unless they live much shorter than by default.
	DefaultTokenRenewAfter = 24 * time.Hour
	// DefaultOutOfOrderTimeWindow is the default of how old a sample may be.
	DefaultOutOfOrderTimeWindow = 2 * time.Hour
	// DefaultHandOverFreshFor is the default of how long push must have been fresh before pull stops.
	DefaultHandOverFreshFor = 5 * time.Minute
	// DefaultHandOverReturnAfter is the default of how long push may be stale before pull returns.
	DefaultHandOverReturnAfter = 2 * time.Minute
	// DefaultHealthCheckSyncPeriod is the default time between two health checks.
	DefaultHealthCheckSyncPeriod = 30 * time.Second
	// DefaultClientConnectionQPS is the default number of requests per second to the API server.
	DefaultClientConnectionQPS float32 = 100
	// DefaultClientConnectionBurst is the default number of requests that may exceed that rate for a moment.
	DefaultClientConnectionBurst int32 = 130
)

// SetDefaults_SeedFederationConfig sets the defaults that are particular to a seed.
func SetDefaults_SeedFederationConfig(obj *SeedFederationConfig) {
	setQueueDefaults(&obj.Queue, DefaultSeedQueueCapacity, DefaultSeedQueueSize)

	if obj.DebugExporter == nil {
		obj.DebugExporter = new(false)
	}
}

// SetDefaults_ScrapeConfiguration sets the defaults of the scrape.
func SetDefaults_ScrapeConfiguration(obj *ScrapeConfiguration) {
	if obj.Interval == nil {
		obj.Interval = &metav1.Duration{Duration: DefaultScrapeInterval}
	}

	if obj.Timeout == nil {
		obj.Timeout = &metav1.Duration{Duration: min(DefaultScrapeTimeout, obj.Interval.Duration)}
	}
}

// SetDefaults_CompressionConfiguration sets the defaults of the compression.
func SetDefaults_CompressionConfiguration(obj *CompressionConfiguration) {
	if obj.Algorithm == "" {
		obj.Algorithm = CompressionZstd
	}
	if obj.Algorithm == CompressionZstd && obj.Level == nil {
		obj.Level = new(DefaultZstdLevel)
	}
}

// SetDefaults_GardenFederationConfig sets the defaults that are particular to the garden.
func SetDefaults_GardenFederationConfig(obj *GardenFederationConfig) {
	setQueueDefaults(&obj.Queue, DefaultGardenQueueCapacity, DefaultGardenQueueSize)

	if obj.Replicas == nil {
		obj.Replicas = new(DefaultReplicas)
	}

	if obj.OutOfOrderTimeWindow == nil {
		obj.OutOfOrderTimeWindow = &metav1.Duration{Duration: DefaultOutOfOrderTimeWindow}
	}

	// Not nil, because Kubernetes takes a nil selector to match nothing.
	if obj.SeedSelector == nil {
		obj.SeedSelector = &metav1.LabelSelector{}
	}

	if obj.DebugExporter == nil {
		obj.DebugExporter = new(false)
	}
}

// SetDefaults_IngressConfiguration sets the defaults of the ingress.
func SetDefaults_IngressConfiguration(obj *IngressConfiguration) {
	if obj.HostPrefix == nil {
		obj.HostPrefix = new(DefaultIngressHostPrefix)
	}
}

// SetDefaults_TokenConfiguration sets the defaults of the tokens.
func SetDefaults_TokenConfiguration(obj *TokenConfiguration) {
	if obj.Validity == nil {
		obj.Validity = &metav1.Duration{Duration: DefaultTokenValidity}
	}

	if obj.RenewAfter == nil {
		obj.RenewAfter = &metav1.Duration{Duration: min(DefaultTokenRenewAfter, (obj.Validity.Duration / 7).Truncate(time.Second))}
	}
}

// SetDefaults_HandOverConfiguration sets the defaults of the hand-over.
func SetDefaults_HandOverConfiguration(obj *HandOverConfiguration) {
	if obj.Mode == "" {
		obj.Mode = HandOverModeAutomatic
	}

	if obj.FreshFor == nil {
		obj.FreshFor = &metav1.Duration{Duration: DefaultHandOverFreshFor}
	}

	if obj.ReturnAfter == nil {
		obj.ReturnAfter = &metav1.Duration{Duration: DefaultHandOverReturnAfter}
	}
}

// SetDefaults_ControllerConfiguration sets the defaults of the configuration file.
func SetDefaults_ControllerConfiguration(obj *ControllerConfiguration) {
	if obj.ClientConnection == nil {
		obj.ClientConnection = &componentbaseconfigv1alpha1.ClientConnectionConfiguration{}
	}

	if obj.ClientConnection.QPS == 0 {
		obj.ClientConnection.QPS = DefaultClientConnectionQPS
	}

	if obj.ClientConnection.Burst == 0 {
		obj.ClientConnection.Burst = DefaultClientConnectionBurst
	}

	if obj.HealthCheckConfig == nil {
		obj.HealthCheckConfig = &extensionsconfigv1alpha1.HealthCheckConfig{}
	}

	if obj.HealthCheckConfig.SyncPeriod.Duration == 0 {
		obj.HealthCheckConfig.SyncPeriod = metav1.Duration{Duration: DefaultHealthCheckSyncPeriod}
	}
}

func setQueueDefaults(obj *QueueConfiguration, capacity int64, size string) {
	if obj.Capacity == nil {
		obj.Capacity = new(capacity)
	}

	if obj.Persistence.Type == "" {
		obj.Persistence.Type = PersistenceTypePersistentVolume
	}

	if obj.Persistence.Size == nil && obj.Persistence.Type != PersistenceTypeNone {
		obj.Persistence.Size = new(resource.MustParse(size))
	}
}
