// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

const (
	receiver          = "otlp"
	authenticator     = "oidc"
	processorType     = "filter/type"
	processorResource = "transform/resource"
	processorSeed     = "attributes/seed"
	processorDenied   = "filter/denied"
	processorShadow   = "transform/shadow"
	// ExporterPrefix is what comes before the name of the replica of the garden Prometheus in the names of the exporters.
	ExporterPrefix  = "otlp_http/"
	pipeline        = "metrics"
	forwardPrefix   = "forward/"
	detachedPrefix  = "filter/"
	pipelineSubtype = pipeline + "/"

	labelJob = "job"

	// text is a pattern for what is UTF-8 without a zero byte: bytes that are not UTF-8 are U+FFFD for a regular expression. Anchored, because
	// that is several times faster, and without a dollar sign, which the collector would expand.
	text = `^[^\x00\x{FFFD}]+\z`
	// noUTF8 and zeroByte are the opposite, for the values of labels. As glob patterns, with the escapes of OTTL, because that takes a quarter of the
	// time of a regular expression. U+FFFD itself would be taken for an error in the pattern, so its neighbours are named, which nobody writes.
	noUTF8   = `*[\uFFFC-\uFFFE]*`
	zeroByte = `*[!\u0001-\U0010FFFF]*`
	// maxShared is the largest length in bytes of what the samples of a resource or metric share. Prometheus stores it with each of their series, so
	// a single long one would become gigabytes.
	maxShared = 1024
	// replacement is stored instead of the value of a label that is no text.
	replacement = "invalid"

	// otlpPath is the path of Prometheus' OTLP receiver. The exporter appends `/v1/metrics`.
	otlpPath = "/api/v1/otlp"

	// maxRequestBody is the size in bytes up to which a request is accepted, compressed as well as decompressed. A request of a seed has at most
	// 2 MiB, see maxRequest in pkg/component/seedcollector. It is not larger because the collector reads lists in lists recursively, to any depth
	// (pdata/internal in go.opentelemetry.io/collector/pdata v1.65.0): 4 MiB of them need 900 MiB, and 8 MiB are more than the stack of a goroutine
	// may hold, which ends the process.
	maxRequestBody = 4 << 20
	// readTimeout bounds for how long a request that does not end is held. It is longer than a seed waits for its answer.
	readTimeout = time.Minute
	// maxRequest is the largest number of samples in a request to Prometheus, which rolls back a whole request for one bad
	// sample.
	maxRequest = 2000
	consumers  = 4

	// sendTimeout is for a request of at most maxRequest samples. A collector that is being replaced waits for it if a replica of the garden
	// Prometheus stands still, and what it has for the other one waits as long.
	sendTimeout      = 5 * time.Second
	maxRetryInterval = 5 * time.Second
)

func (g *gardenCollector) config() otelv1beta1.Config {
	extensions, extensionNames := collector.Extensions(g.values.Queue)
	extensions[authenticator] = oidc()

	processors, processorNames := g.processors()
	exporters, exporterNames := g.exporters()
	pipelines := map[string]*otelv1beta1.Pipeline{pipeline: {
		Receivers:  []string{receiver},
		Processors: processorNames,
		Exporters:  exporterNames,
	}}
	connectors := g.detach(pipelines, processors)

	return otelv1beta1.Config{
		Extensions: &otelv1beta1.AnyConfig{Object: extensions},
		Receivers:  otelv1beta1.AnyConfig{Object: map[string]any{receiver: otlpReceiver()}},
		Processors: &otelv1beta1.AnyConfig{Object: processors},
		Exporters:  otelv1beta1.AnyConfig{Object: exporters},
		Connectors: connectors,
		Service: otelv1beta1.Service{
			Extensions: append(extensionNames, authenticator),
			Telemetry:  &otelv1beta1.AnyConfig{Object: collector.ServerTelemetry()},
			Pipelines:  pipelines,
		},
	}
}

// detach takes the exporters of detached replicas of the garden Prometheus out of the pipeline. Each gets one of its own that drops all
// that is new, so that a full queue in front of it refuses nothing that the other replica wants. What is in the queue is still
// delivered, and the metrics of the processor count what is dropped.
func (g *gardenCollector) detach(pipelines map[string]*otelv1beta1.Pipeline, processors map[string]any) *otelv1beta1.AnyConfig {
	if len(g.values.DetachedReplicas) == 0 {
		return nil
	}

	connectors := map[string]any{}
	for _, replica := range g.values.DetachedReplicas {
		exporters := pipelines[pipeline].Exporters
		if i := slices.Index(exporters, ExporterPrefix+replica); i >= 0 {
			exporters[i] = forwardPrefix + replica
			connectors[forwardPrefix+replica] = map[string]any{}
			processors[DetachedProcessor(replica)] = map[string]any{"error_mode": "propagate", "metric_conditions": []any{`metric.name != ""`}}
			pipelines[pipelineSubtype+replica] = &otelv1beta1.Pipeline{
				Receivers:  []string{forwardPrefix + replica},
				Processors: []string{DetachedProcessor(replica)},
				Exporters:  []string{ExporterPrefix + replica},
			}
		}
	}
	return &otelv1beta1.AnyConfig{Object: connectors}
}

// oidc verifies signature, issuer, audience and expiry of the tokens with public keys from a file: no network is needed.
func oidc() map[string]any {
	return map[string]any{
		"providers": []any{map[string]any{
			"issuer_url":       constants.TokenIssuer,
			"audience":         constants.TokenAudience,
			"public_keys_file": path.Join(jwksDirectory, jwksKey),
		}},
	}
}

func otlpReceiver() map[string]any {
	return map[string]any{
		"protocols": map[string]any{
			"http": map[string]any{
				"endpoint":              "[::]:" + strconv.Itoa(Port),
				"auth":                  map[string]any{"authenticator": authenticator},
				"max_request_body_size": maxRequestBody,
				"read_timeout":          readTimeout.String(),
			},
		},
	}
}

// processors run before any queue, because a queue does not keep who sent the data.
func (g *gardenCollector) processors() (map[string]any, []string) {
	var (
		processors = map[string]any{
			collector.MemoryLimiterProcessor: collector.MemoryLimiter(g.values.Resources),
			processorType:                    typeProcessor(),
			processorResource:                resourceProcessor(),
			processorSeed:                    seedProcessor(),
		}
		names = []string{collector.MemoryLimiterProcessor, processorType, processorResource, processorSeed}
	)

	if len(g.values.DeniedSeeds) > 0 {
		processors[processorDenied] = deniedSeedsProcessor(g.values.DeniedSeeds)
		names = append(names, processorDenied)
	}

	if g.values.Shadow {
		processors[processorShadow] = shadowProcessor()
		names = append(names, processorShadow)
	}

	return processors, names
}

// typeProcessor drops what no seed sends: what comes from /federate has no type, and that is a gauge in OTLP. The other types have exemplars,
// and one of their samples can become any number of series. Names that are long or no text go as well, see resourceProcessor.
func typeProcessor() map[string]any {
	return map[string]any{
		"error_mode": "propagate",
		"metric_conditions": []any{
			"metric.type != METRIC_DATA_TYPE_GAUGE",
			fmt.Sprintf("Len(metric.name) > %d", maxShared),
			fmt.Sprintf("not IsMatch(metric.name, %q)", text),
		},
	}
}

// resourceProcessor leaves a resource nothing but what becomes `job` and `instance`, or else the external labels, whatever a seed sends:
// Prometheus would make a series `target_info` of any attribute beside `job` and `instance`, as of one that is there twice. Everything else that
// is not a label goes, and labels become strings, as they are for Prometheus: it would take so long for lists in lists that the queue would try
// again and again, and deliver nothing else. Strings must be text: Prometheus stores them as they come, and nobody can read an answer of
// /federate with one that is not UTF-8, or has a zero byte.
func resourceProcessor() map[string]any {
	var (
		identity = constants.IdentityAttributes()
		kept     []any
	)
	keep := func(attribute, condition string) {
		kept = append(kept, fmt.Sprintf(`set(resource.cache[%[1]q], resource.attributes[%[1]q]) where IsString(resource.attributes[%[1]q]) and Len(resource.attributes[%[1]q]) <= %[4]d and IsMatch(resource.attributes[%[1]q], %[2]q)%[3]s`,
			attribute, text, condition, maxShared))
	}
	for _, attribute := range identity {
		keep(attribute, "")
	}
	for _, label := range constants.ExternalLabels() {
		keep(label, fmt.Sprintf(" and resource.cache[%q] == nil and resource.cache[%q] == nil", identity[0], identity[1]))
	}

	return map[string]any{
		"error_mode": "propagate",
		// Groups, because all statements of a group run for each sample if one of them does.
		"metric_statements": []any{
			map[string]any{"statements": append(kept, "set(resource.attributes, resource.cache)")},
			map[string]any{"statements": []any{"keep_keys(scope.attributes, [])"}},
			map[string]any{"statements": []any{"keep_keys(metric.metadata, [])"}},
			map[string]any{"statements": []any{
				"stringify_all(datapoint.attributes)",
				fmt.Sprintf("keep_matching_keys(datapoint.attributes, %q)", text),
				fmt.Sprintf(`replace_all_matches(datapoint.attributes, "%s", %q)`, noUTF8, replacement),
				fmt.Sprintf(`replace_all_matches(datapoint.attributes, "%s", %q)`, zeroByte, replacement),
			}},
		},
	}
}

// seedProcessor replaces the label `seed` by the verified claim: a seed can only write as itself. It is deleted by a pattern, because a seed can
// send it twice, and Prometheus stores a series without it if one of the two is empty. And it adds the `job` that seeds leave out, because nearly
// all of their series have it.
func seedProcessor() map[string]any {
	return map[string]any{
		"actions": []any{
			map[string]any{"action": "delete", "pattern": "^" + constants.LabelSeed + "$"},
			map[string]any{"action": "upsert", "key": constants.LabelSeed, "from_context": "auth.claims." + constants.ClaimSeed},
			map[string]any{"action": "insert", "key": labelJob, "value": constants.JobPrometheusAggregate},
		},
	}
}

// shadowProcessor gives all metrics names that no rule, no alert and no query of Gardener matches: regular expressions in PromQL
// are anchored.
func shadowProcessor() map[string]any {
	return map[string]any{
		"error_mode":        "propagate",
		"metric_statements": []any{fmt.Sprintf(`set(metric.name, Concat([%q, metric.name], ""))`, handover.ShadowPrefix)},
	}
}

// deniedSeedsProcessor drops what denied seeds send with a token that has not expired yet.
func deniedSeedsProcessor(seeds []string) map[string]any {
	conditions := make([]any, 0, len(seeds))
	for _, seed := range seeds {
		conditions = append(conditions, fmt.Sprintf(`datapoint.attributes[%q] == %q`, constants.LabelSeed, seed))
	}

	return map[string]any{"error_mode": "propagate", "metric_conditions": conditions}
}

func (g *gardenCollector) exporters() (map[string]any, []string) {
	var (
		exporters = map[string]any{}
		names     []string
	)

	for _, host := range g.values.PrometheusHosts {
		podName, _, _ := strings.Cut(host, ".")
		exporters[ExporterPrefix+podName] = g.prometheusExporter(host)
		names = append(names, ExporterPrefix+podName)
	}

	if g.values.DebugExporter {
		exporters[collector.DebugExporter] = collector.Debug()
		names = append(names, collector.DebugExporter)
	}

	return exporters, names
}

// prometheusExporter does not compress: the way is short, and Prometheus accepts nothing but gzip.
func (g *gardenCollector) prometheusExporter(host string) map[string]any {
	return map[string]any{
		"endpoint":         "http://" + host + otlpPath,
		"compression":      "none",
		"timeout":          sendTimeout.String(),
		"retry_on_failure": collector.RetryForever(maxRetryInterval),
		"sending_queue":    collector.SendingQueue(g.values.Queue, consumers, collector.SizerItems, maxRequest),
	}
}
