// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package constants holds the names that the parts of this extension share with each other and with Gardener.
package constants

const (
	// ExtensionType is the type of the Extension resources that this extension reconciles.
	ExtensionType = "otel-federation"

	// SeedCollectorName is the name of the seed's ManagedResource, OpenTelemetryCollector, ServiceAccount and the other
	// objects that belong to the collector in the seed.
	SeedCollectorName = "otel-federation-seed"
	// GardenCollectorName is the name of the ManagedResource, OpenTelemetryCollector, ServiceAccount and the other objects
	// that belong to the fan-out collector in the runtime cluster.
	GardenCollectorName = "otel-federation-garden"

	// CredentialsSecretName is the name of the Secret with a seed's credentials, both in the namespace `seed-<name>` of the
	// virtual garden and in the namespace `garden` of the seed.
	CredentialsSecretName = "otel-federation" // #nosec G101 -- No credential.
	// DataKeyEndpoint is the key of the URL that the seed collector pushes to. It has no path.
	DataKeyEndpoint = "endpoint"
	// DataKeyCABundle is the key of the PEM bundle that verifies the endpoint. If it is absent the system's pool is used.
	DataKeyCABundle = "bundle.crt"
	// DataKeyToken is the key of the bearer token.
	DataKeyToken = "token"
	// DataKeyInstance is the key of the `instance` label under which the federation target is known to the garden.
	DataKeyInstance = "instance"

	// IssuerConfigMapName is the name of the ConfigMap by which the garden controller tells the credentials controller how to
	// issue credentials.
	IssuerConfigMapName = "otel-federation-issuer"
	// SigningKeySecretName is the name of the signing key in the secrets manager.
	SigningKeySecretName = "otel-federation-signing-key" // #nosec G101 -- No credential.
	// GardenAccessName is the name of the access secret and ServiceAccount by which the credentials controller reaches the
	// virtual garden.
	GardenAccessName = "otel-federation"

	// ClaimSeed is the top-level claim that carries the name of the seed. Nested claims are invisible to the collector.
	ClaimSeed = "seed"
	// TokenIssuer is the issuer of the tokens. It is only compared, never contacted.
	TokenIssuer = "https://otel-federation.extensions.gardener.cloud" // #nosec G101 -- No credential.
	// TokenAudience is the audience of the tokens.
	TokenAudience = "otel-federation" // #nosec G101 -- No credential.

	// LabelSeed is the label of a federated series that names the seed it comes from.
	LabelSeed = "seed"
	// ExternalLabelPrometheus is the label by which prometheus-operator names the Prometheus in all that this one tells others
	// (spec.prometheusExternalLabelName of Prometheus, its default). It is the same in all series of an aggregate Prometheus.
	ExternalLabelPrometheus = "prometheus"
	// ExternalLabelReplica is the same for the replica (spec.replicaExternalLabelName).
	ExternalLabelReplica = "prometheus_replica"
	// JobPrometheusAggregate is the `job` label of the federation target, as Gardener's own ScrapeConfig sets it.
	JobPrometheusAggregate = "prometheus-aggregate"

	// GardenPrometheusName is the name of the Prometheus in the namespace `garden` that the fan-out writes to. Gardener's
	// ManagedResource for it has the prefix `prometheus-`.
	GardenPrometheusName = "garden"
	// AnnotationOutOfOrderTimeWindow is the annotation of that Prometheus with the window, a Go duration, within which it must
	// accept samples that are late.
	AnnotationOutOfOrderTimeWindow = "otel-federation.extensions.gardener.cloud/out-of-order-time-window"
	// AnnotationReleased is the annotation of an Extension that is being deleted and does not need the OTLP receiver of that
	// Prometheus any more. Its value is since when, as RFC 3339.
	AnnotationReleased = "otel-federation.extensions.gardener.cloud/released"

	// AnnotationDrainingSince is the annotation of an Extension that is being deleted and waits until the queues of its collectors are
	// empty. Its value is since when, as RFC 3339.
	AnnotationDrainingSince = "otel-federation.extensions.gardener.cloud/draining-since"

	// AnnotationPodReplaced is the annotation of the PersistentVolumeClaim of a queue with the time, as RFC 3339, when the pod of its
	// collector was replaced last because the collector crashed again and again.
	AnnotationPodReplaced = "otel-federation.extensions.gardener.cloud/pod-replaced"

	// EnvImage is the environment variable with the image of this extension, which the chart sets.
	EnvImage = "IMAGE"

	// AnnotationOperation is the annotation of the Extension of class garden that asks for an operation. The controller removes it
	// when it has begun.
	AnnotationOperation = "otel-federation.extensions.gardener.cloud/operation"
	// OperationRotateSigningKey is the operation that replaces the key which signs the tokens of the seeds.
	OperationRotateSigningKey = "rotate-signing-key"

	// PullScrapeConfigName is the name of the ScrapeConfig in the namespace `garden` by which the garden Prometheus pulls from the
	// aggregate Prometheus of the runtime cluster (pkg/component/observability/monitoring/prometheus/garden/scrapeconfigs.go).
	PullScrapeConfigName = "garden-prometheus-aggregate"
	// PullIngressScrapeConfigName is the name of the one by which it pulls from those of the other seeds.
	PullIngressScrapeConfigName = "garden-prometheus-aggregate-ingress"
	// AnnotationWithheldTargets is the annotation of these ScrapeConfigs with the targets that are not to be pulled, because the
	// seeds push: a list that is sorted and separated by commas.
	AnnotationWithheldTargets = "otel-federation.extensions.gardener.cloud/withheld-targets"

	// LeaseName is the name of the Lease in the namespace `seed-<name>` of the virtual garden by which the extension in a seed
	// tells that it is there.
	LeaseName = "otel-federation"
	// AnnotationLeavingSince is the annotation of the Lease by which the seed tells that it wants to stop pushing. Its value is
	// since when, as RFC 3339.
	AnnotationLeavingSince = "otel-federation.extensions.gardener.cloud/leaving-since"
	// AnnotationPulledSince is the annotation of the Lease by which the garden answers that the seed is pulled again, or that
	// there is nothing to wait for. Its value is since when, as RFC 3339.
	AnnotationPulledSince = "otel-federation.extensions.gardener.cloud/pulled-since"
	// AnnotationCABundle is the annotation of the Lease by which the seed tells which bundle of CAs its collector verifies the garden by. Its
	// value is the checksum of the bundle, see credentials.CABundleChecksum. The pods of the collector have the same annotation.
	AnnotationCABundle = "otel-federation.extensions.gardener.cloud/ca-bundle"
)

// ExternalLabels returns the labels that a seed sends once per request, as attributes of the resource, and that the garden Prometheus gives
// to the series of the resource.
func ExternalLabels() []string {
	return []string{ExternalLabelPrometheus, ExternalLabelReplica}
}

// IdentityAttributes returns the attributes of a resource that Prometheus stores as `job` and `instance` of its series
// (storage/remote/otlptranslator/prometheusremotewrite/helper.go).
func IdentityAttributes() []string {
	return []string{"service.name", "service.instance.id"}
}
