// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package conditions

import (
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
)

const (
	// TypeCollectorHealthy says whether the collectors are applied and run. Its reasons are those of Gardener's library for health checks
	// (extensions/pkg/controller/healthcheck): HealthCheckSuccessful, HealthCheckProgressing, HealthCheckUnsuccessful, ConditionCheckError.
	TypeCollectorHealthy gardencorev1beta1.ConditionType = "CollectorHealthy"
	// TypeCredentialsValid says whether the seed has what it needs to pass the garden's ingress, and, in the garden, whether all seeds have.
	TypeCredentialsValid gardencorev1beta1.ConditionType = "CredentialsValid"
	// TypeFederationHealthy says whether samples get from the seeds to the garden Prometheis.
	TypeFederationHealthy gardencorev1beta1.ConditionType = "FederationHealthy"
	// TypeIngressReady says whether the fan-out can be reached from outside the runtime cluster.
	TypeIngressReady gardencorev1beta1.ConditionType = "IngressReady"
	// TypeReceiverReady says whether the garden Prometheus accepts what the fan-out pushes.
	TypeReceiverReady gardencorev1beta1.ConditionType = "ReceiverReady"
	// TypeHandOverHealthy says whether the seeds are handed over from pull to push, and back, as their samples demand.
	TypeHandOverHealthy gardencorev1beta1.ConditionType = "HandOverHealthy"
	// TypeCompatible says whether the cluster offers what federation relies on.
	TypeCompatible gardencorev1beta1.ConditionType = "Compatible"
)

// The reasons of each type are ranked: if several apply, the first one of them is reported. docs/operations/conditions.md says of each what
// to do.

// Reasons of the type Compatible.
const (
	// ReasonCollectorKindMissing means that OpenTelemetryCollectors cannot be created.
	ReasonCollectorKindMissing = "CollectorKindMissing"
	// ReasonCollectorTooOld means that the configured image of the collector is too old.
	ReasonCollectorTooOld = "CollectorTooOld"
	// ReasonPrometheusTooOld means that the garden Prometheus is too old.
	ReasonPrometheusTooOld = "PrometheusTooOld"
	// ReasonCompatible means that the cluster offers all that federation relies on.
	ReasonCompatible = "Compatible"
)

// Reasons of the type CredentialsValid.
const (
	// ReasonTokenExpired means that a token has expired.
	ReasonTokenExpired = "TokenExpired" // #nosec G101 -- No credential.
	// ReasonTokenRenewalOverdue means that a token should have been renewed, and that it is still valid.
	ReasonTokenRenewalOverdue = "TokenRenewalOverdue" // #nosec G101 -- No credential.
	// ReasonCredentialsMissing means that there are no usable credentials yet.
	ReasonCredentialsMissing = "CredentialsMissing"
	// ReasonVirtualGardenUnreachable means that the virtual garden, which has the credentials, cannot be asked.
	ReasonVirtualGardenUnreachable = "VirtualGardenUnreachable"
	// ReasonCredentialsAvailable means that there are credentials, and that they have been renewed in time.
	ReasonCredentialsAvailable = "CredentialsAvailable"
)

// Reasons of the type FederationHealthy of the Extension of class seed.
const (
	// ReasonAllSamplesDropped means that samples were lost for good, and that none were delivered.
	ReasonAllSamplesDropped = "AllSamplesDropped"
	// ReasonSomeSamplesDropped means that samples were lost for good, and that others were delivered. It is one of class garden, too.
	ReasonSomeSamplesDropped = "SomeSamplesDropped"
	// ReasonQueueNearlyFull means that a queue is full by 80 % or more. It is one of class garden, too.
	ReasonQueueNearlyFull = "QueueNearlyFull"
	// ReasonGardenCertificateRefused means that nothing is delivered, because the garden's certificate cannot be verified.
	ReasonGardenCertificateRefused = "GardenCertificateRefused"
	// ReasonGardenUnreachable means that nothing is delivered, and that samples gather in the queue.
	ReasonGardenUnreachable = "GardenUnreachable"
	// ReasonAggregateUnreachable means that the aggregate Prometheus yields no samples.
	ReasonAggregateUnreachable = "AggregateUnreachable"
	// ReasonCollectorUnreachable means that the collector has not answered for a minute.
	ReasonCollectorUnreachable = "CollectorUnreachable"
	// ReasonCollectorStarting means that the collector does not answer yet.
	ReasonCollectorStarting = "CollectorStarting"
	// ReasonObserving means that the collector answers, and that it has not been observed for long enough to say more.
	ReasonObserving = "Observing"
	// ReasonSamplesDelivered means that all samples get to the garden.
	ReasonSamplesDelivered = "SamplesDelivered"
)

// Further reasons of the type FederationHealthy of the Extension of class garden.
const (
	// ReasonPrometheusDetached means that a replica of the garden Prometheus gets no new samples, because a queue in front of it was nearly
	// full. They are lost for this replica.
	ReasonPrometheusDetached = "PrometheusDetached"
	// ReasonFanOutUnavailable means that no collector of the fan-out answers. The seeds keep their samples.
	ReasonFanOutUnavailable = "FanOutUnavailable"
	// ReasonPrometheusUnavailable means that a replica of the garden Prometheus does not answer. The fan-out keeps the samples for it.
	ReasonPrometheusUnavailable = "PrometheusUnavailable"
	// ReasonSeedsSilent means that seeds which have the extension deliver nothing.
	ReasonSeedsSilent = "SeedsSilent"
	// ReasonFanOutDegraded means that a collector of the fan-out has not answered for a minute, and that others do.
	ReasonFanOutDegraded = "FanOutDegraded"
	// ReasonSamplesStored means that all samples get to all replicas of the garden Prometheus.
	ReasonSamplesStored = "SamplesStored"
)

// Reasons of the type HandOverHealthy.
const (
	// ReasonHandOverFailing means that the states of the seeds have not been followed up for a minute. The message says why.
	ReasonHandOverFailing = "HandOverFailing"
	// ReasonHandOverWaiting means that the garden Prometheus is not there yet. gardener-operator deploys it after the extension.
	ReasonHandOverWaiting = "HandOverWaiting"
	// ReasonHandOverRunning means that the states of the seeds are followed up.
	ReasonHandOverRunning = "HandOverRunning"
)

// Reasons of the type IngressReady.
const (
	// ReasonGatewayMissing means that the garden Prometheus has no Istio Gateway yet, whose address the fan-out shares.
	ReasonGatewayMissing = "GatewayMissing"
	// ReasonExposed means that the fan-out is exposed on the garden's ingress gateway.
	ReasonExposed = "Exposed"
)

// Reasons of the type ReceiverReady, besides ReasonPrometheusTooOld.
const (
	// ReasonPrometheusMissing means that there is no garden Prometheus yet.
	ReasonPrometheusMissing = "PrometheusMissing"
	// ReasonReceiverDisabled means that not all replicas of the garden Prometheus have an OTLP receiver yet.
	ReasonReceiverDisabled = "ReceiverDisabled"
	// ReasonReceiverEnabled means that all replicas of the garden Prometheus have an OTLP receiver.
	ReasonReceiverEnabled = "ReceiverEnabled"
)
