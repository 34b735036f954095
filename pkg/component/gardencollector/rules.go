// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector

import (
	"fmt"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

const (
	// newestSample records when the newest federation target of each seed was scraped that was pushed.
	newestSample = "garden:otel_federation_newest_sample_timestamp_seconds:max"
	// timeToFull records in how many seconds each queue will be full.
	timeToFull = "garden:otel_federation_queue_time_to_full_seconds"

	// What the extension tells about the seeds.
	metricTokenExpiry  = "otel_federation_seed_token_expiry_timestamp_seconds" // #nosec G101 -- No credential.
	metricHandOver     = "otel_federation_seed_hand_over_state"
	metricLatestSample = "otel_federation_seed_last_sample_timestamp_seconds"
	metricEnabled      = "otel_federation_seed_enabled"

	// intervalsPerReturn is how many intervals there are until pull returns.
	intervalsPerReturn = 2
	// rangeScrapes is how many scrapes of the fan-out the ranges of the rules cover.
	rangeScrapes = 5
	// prometheusWindow is the range for what the garden Prometheus tells of itself, which it scrapes at Gardener's interval.
	prometheusWindow = 5 * time.Minute

	// memory is for how long a seed that has pushed is expected to push.
	memory = "6h"
	// searchIntervals and minSearch are how far back the newest sample of a seed is searched, whose clock may be slow.
	searchIntervals = 30
	minSearch       = 10 * time.Minute

	// maxClockError is how wrong the clock of a seed may be.
	maxClockError = time.Minute
	// maxAhead is how far in the future a sample may be that Prometheus accepts (storage/remote/write_handler.go, maxAheadTime).
	maxAhead = 10 * time.Minute
	// maxDrift is how much faster or slower than time the newest sample may advance for its age to count as constant.
	maxDrift = 0.2

	// tokenReserve is which part of a token's validity must be left. It is renewed before half of it has passed.
	tokenReserve = 4
)

// prometheusRule is for the garden Prometheus.
func (g *gardenCollector) prometheusRule() *monitoringv1.PrometheusRule {
	rules := []monitoringv1.Rule{
		{Record: newestSample, Expr: intstr.FromString(g.newestSampleExpr())},
		collector.TimeToFull(timeToFull, name, g.window()),
	}
	for _, alerts := range [][]collector.Alert{g.seedAlerts(), g.clockAlerts(), g.lossAlerts(), g.outageAlerts()} {
		for _, alert := range alerts {
			rules = append(rules, alert.Rule(map[string]string{"service": "otel-federation", "severity": "warning", "topology": "garden"}))
		}
	}
	return collector.PrometheusRule(name, g.namespace, garden.Label, g.interval(), rules)
}

// interval is the interval at which the fan-out is scraped, and at which the rules are evaluated.
func (g *gardenCollector) interval() time.Duration {
	return collector.MetricsInterval(g.values.ReturnAfter / intervalsPerReturn)
}

func (g *gardenCollector) window() time.Duration {
	return rangeScrapes * g.interval()
}

// pushedUp selects the `up` of the seeds that were pushed, under the given name.
func pushedUp(metric string) string {
	return collector.Selector(metric, constants.JobPrometheusAggregate, constants.LabelSeed+`!=""`)
}

// newestSampleExpr looks back, because a sample that is older than five minutes is not seen at once. Both names carry a label to tell
// them apart: after a change of the mode both are there for a while.
func (g *gardenCollector) newestSampleExpr() string {
	return fmt.Sprintf(`max by (seed) (max_over_time((label_replace(timestamp(%s), "way", "push", "", "") or label_replace(timestamp(%s), "way", "shadow", "", ""))[%s:%s]))`,
		pushedUp("up"), pushedUp(handover.ShadowPrefix+"up"), collector.Range(max(minSearch, searchIntervals*g.interval())), collector.Range(g.interval()))
}

func (g *gardenCollector) seedAlerts() []collector.Alert {
	returnAfter := collector.Range(g.values.ReturnAfter)
	return []collector.Alert{
		{
			Name: "OTelFederationSeedSilent",
			// The state tells of seeds that are not pulled, however long they have been silent. The garden part of the extension need not be
			// scraped; if it is, it knows of the seeds that are not to push any more, or are gone.
			Expr: fmt.Sprintf(`time() - (max by (seed) (last_over_time(%[1]s[%[2]s])) or (max by (seed) (%[3]s) and on (seed) %[4]s{state=~"Push|Shadow"} == 1)) > %[5]v`+
				` and on (seed) (max by (seed) (%[6]s) == 1 or (max by (seed) (last_over_time(%[1]s[%[2]s])) unless on () %[6]s))`,
				newestSample, memory, metricLatestSample, metricHandOver, g.values.ReturnAfter.Seconds(), metricEnabled),
			For:     g.interval(),
			Summary: "Seed {{ $labels.seed }} in landscape {{ $externalLabels.landscape }} does not push any more",
			Description: fmt.Sprintf("The newest sample that seed {{ $labels.seed }} has pushed is {{ $value | humanizeDuration }} old, more than %s. Its collector, its aggregate Prometheus, "+
				"its network or its clock is the cause. With the mode Automatic it is pulled meanwhile: status.providerStatus of Extension garden/garden-otel-federation says what is waited for.", returnAfter),
		},
		{
			Name:    "OTelFederationSeedDown",
			Expr:    fmt.Sprintf("max by (seed, instance) (%s) == 0", pushedUp("up")),
			For:     g.window(),
			Summary: "The aggregate Prometheus of seed {{ $labels.seed }} in landscape {{ $externalLabels.landscape }} cannot be scraped",
			Description: "The collector of seed {{ $labels.seed }} pushes that it cannot scrape the aggregate Prometheus {{ $labels.instance }}: " +
				"look at Prometheus garden/aggregate and at the log of the collector in the seed.",
		},
		{
			Name:    "OTelFederationTokenExpiring",
			Expr:    fmt.Sprintf("max by (seed) (%s) - time() < %v", metricTokenExpiry, (g.values.TokenValidity / tokenReserve).Seconds()),
			For:     g.interval(),
			Summary: "The token of seed {{ $labels.seed }} in landscape {{ $externalLabels.landscape }} is not renewed",
			Description: "The token that seed {{ $labels.seed }} pushes with expires in {{ $value | humanizeDuration }}. After that its samples are refused, and lost. " +
				"The garden part of the extension cannot renew it: the log of its controller credentials has the error.",
		},
	}
}

// clockAlerts are by the time of samples. A clock that is slow looks like samples which are late, so that the latter count only if they
// are late by the same all the time: a queue that grows or is emptied is no wrong clock.
func (g *gardenCollector) clockAlerts() []collector.Alert {
	var (
		window = collector.Range(g.window())
		later  = collector.Range(maxAhead)
		age    = fmt.Sprintf("min_over_time((time() - %s)[%s:%s])", newestSample, window, collector.Range(g.interval()))
	)
	return []collector.Alert{
		{
			Name: "OTelFederationSeedClockFast",
			// An instant query sees nothing of the future; one with a negative offset does.
			Expr:    fmt.Sprintf("sum by (seed) (count_over_time(%s[%s] offset -%s)) > 0", pushedUp("up"), collector.Range(maxAhead-maxClockError), later),
			Summary: "The clock of seed {{ $labels.seed }} in landscape {{ $externalLabels.landscape }} is fast",
			Description: fmt.Sprintf("Seed {{ $labels.seed }} has pushed samples of a time that is more than %s ahead. Rules and dashboards see them late, and what is more than %s ahead is refused, "+
				"and lost: correct the clock of the nodes.", collector.Range(maxClockError), later),
		},
		{
			Name:    "OTelFederationSeedClockSlow",
			Expr:    fmt.Sprintf("%s > %v and abs(deriv(%s[%s]) - 1) < %v", age, maxClockError.Seconds(), newestSample, window, maxDrift),
			For:     g.interval(),
			Summary: "The clock of seed {{ $labels.seed }} in landscape {{ $externalLabels.landscape }} is slow",
			Description: "What arrives of seed {{ $labels.seed }} is {{ $value | humanizeDuration }} old all the time, without a queue that grows or is emptied: correct the clock of the nodes. " +
				"If it is right, samples are late by as much: look at the network and the queue of the collector.",
		},
	}
}

func (g *gardenCollector) lossAlerts() []collector.Alert {
	var (
		window   = collector.Range(g.window())
		critical = map[string]string{"severity": "critical"}
		requests = collector.Selector("prometheus_http_requests_total", "prometheus-garden", `handler="/api/v1/otlp/v1/metrics"`, `code=~"4.."`)
	)
	return []collector.Alert{
		{
			Name:    "OTelFederationSamplesDropped",
			Expr:    collector.Increase(collector.Selector(collector.MetricSendFailed, name), g.window(), "exporter") + " > 0",
			Labels:  critical,
			Summary: "Samples of seeds for {{ reReplaceAll `.*/` `` $labels.exporter }} in landscape {{ $externalLabels.landscape }} are lost",
			Description: fmt.Sprintf("The fan-out has dropped {{ $value | humanize }} samples within %s that {{ reReplaceAll `.*/` `` $labels.exporter }} has refused for good. "+
				"Its log has the status: 400 are samples that are too old or clash with others, 404 is a replica without OTLP receiver, 500 its storage.", window),
		},
		{
			Name:    "OTelFederationReplicaDetached",
			Expr:    collector.Increase(collector.Selector(collector.MetricIncoming, name, fmt.Sprintf("processor=~%q", detachedPrefix+"prometheus-.+")), g.window(), "processor") + " > 0",
			Labels:  critical,
			Summary: "{{ reReplaceAll `.*/` `` $labels.processor }} in landscape {{ $externalLabels.landscape }} gets no new samples of seeds",
			Description: fmt.Sprintf("{{ reReplaceAll `.*/` `` $labels.processor }} is detached, because a queue in front of it was nearly full. It misses {{ $value | humanize }} samples of the last %s; "+
				"the other replica has them. It is attached by itself when less than half of the capacity of its queues is in use: look at what keeps it from accepting samples.", window),
		},
		{
			Name:    "OTelFederationSamplesRefused",
			Expr:    collector.Increase(collector.Selector(collector.MetricRefused, name), g.window(), "pod") + " > 0",
			Summary: "The fan-out in landscape {{ $externalLabels.landscape }} refuses samples of seeds",
			Description: fmt.Sprintf("{{ $labels.pod }} has refused {{ $value | humanize }} samples within %s, because it has no memory left, its queues are full, or their volume is. "+
				"The seeds keep them and try again. Enlarge what is too small, or cure what keeps the garden Prometheus from accepting.", window),
		},
		{
			Name:    "OTelFederationRequestsRejected",
			Expr:    collector.Increase(requests, prometheusWindow, "code") + " > 0",
			Labels:  critical,
			Summary: "A garden Prometheus in landscape {{ $externalLabels.landscape }} rejects samples of seeds with status {{ $labels.code }}",
			Description: fmt.Sprintf("{{ $externalLabels.prometheus_replica }} has answered {{ $value | humanize }} requests of the fan-out by {{ $labels.code }} within %s. What was in them is not stored as a whole, and lost: "+
				"400 are samples that are older than the out-of-order window or clash with others, 404 is a replica without OTLP receiver.", collector.Range(prometheusWindow)),
		},
	}
}

func (g *gardenCollector) outageAlerts() []collector.Alert {
	window := collector.Range(g.window())
	return []collector.Alert{
		{
			Name:    "OTelFederationQueueFilling",
			Expr:    collector.QueueFilling(timeToFull, name, g.interval()),
			For:     g.interval(),
			Summary: "The queue in front of {{ reReplaceAll `.*/` `` $labels.exporter }} in landscape {{ $externalLabels.landscape }} fills up",
			Description: "The queue of {{ $labels.pod }} in front of {{ reReplaceAll `.*/` `` $labels.exporter }} holds more than is delivered. " + collector.TimeToFullText(timeToFull, name) +
				" At 80 % the replica is detached and gets nothing new. It does not answer, or is too slow: look at its pod.",
		},
		{
			Name:    "OTelFederationReplicaUnreachable",
			Expr:    collector.NothingDelivered(name, g.window()),
			For:     intervalsPerReturn * g.interval(),
			Summary: "{{ reReplaceAll `.*/` `` $labels.exporter }} in landscape {{ $externalLabels.landscape }} accepts no samples of seeds",
			Description: fmt.Sprintf("{{ $labels.pod }} has delivered nothing to {{ reReplaceAll `.*/` `` $labels.exporter }} within %s, while {{ $value | humanize }} samples wait in the queue. "+
				"Nothing is lost yet: look at the pod of the replica and at the log of the fan-out.", window),
		},
		{
			Name:    "OTelFederationFanOutDown",
			Expr:    fmt.Sprintf("absent(%s == 1)", collector.Selector("up", name)),
			For:     g.values.ReturnAfter,
			Labels:  map[string]string{"severity": "critical"},
			Summary: "The fan-out in landscape {{ $externalLabels.landscape }} is down",
			Description: fmt.Sprintf("No collector of the fan-out could be scraped for %s. The seeds keep their samples as long as their queues have room: look at the pods, their volumes, "+
				"and the OpenTelemetry operator.", collector.Range(g.values.ReturnAfter)),
		},
	}
}
