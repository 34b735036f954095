// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/dashboard"
)

func (g *gardenCollector) dashboard() (*corev1.ConfigMap, error) {
	labels := getLabels()
	labels[v1beta1constants.LabelPrefixMonitoringDashboard+"garden"] = "true"

	var panels []dashboard.Panel
	for _, some := range [][]dashboard.Panel{g.seedPanels(), g.flowPanels(), g.lossPanels(), g.queuePanels(), g.processPanels()} {
		panels = append(panels, some...)
	}
	return dashboard.Dashboard{
		Name:       name,
		Title:      "OTel Federation: Seeds and Fan-Out",
		DataSource: "prometheus-garden",
		Panels:     panels,
	}.ConfigMap(g.namespace, labels)
}

func one(expr, legend string) []dashboard.Query {
	return []dashboard.Query{{Expr: expr, Legend: legend}}
}

func (g *gardenCollector) rate(metric, by string) string {
	return fmt.Sprintf("sum by (%s) (rate(%s[%s]))", by, collector.Selector(metric, name), collector.Range(g.window()))
}

func (g *gardenCollector) seedPanels() []dashboard.Panel {
	return []dashboard.Panel{
		{
			Title: "Way of the samples, by seed", Unit: "short",
			Description: "The state of the hand-over of each seed, as the extension tells it.",
			Queries:     one(fmt.Sprintf("max by (seed, state) (%s) == 1", metricHandOver), "{{seed}}: {{state}}"),
		},
		{
			Title: "Age of the newest sample, by seed", Unit: "s",
			Description: "How long ago the newest sample was scraped that the seed has pushed to this garden Prometheus. Between two scrapes it grows by their interval.",
			Queries:     one("time() - "+newestSample, "{{seed}}"),
		},
		{
			Title: "Delay from scrape to garden, by seed", Unit: "s",
			Description: fmt.Sprintf("The least age of the newest sample within %s: what the way through the collectors takes, and how wrong the clock of the seed is.", collector.Range(g.window())),
			Queries:     one(fmt.Sprintf("min_over_time((time() - %s)[%s:%s])", newestSample, collector.Range(g.window()), collector.Range(g.interval())), "{{seed}}"),
		},
		{
			Title: "Age of the newest sample in all replicas, by seed", Unit: "s",
			Description: "What decides about push and pull, as the extension tells it.",
			Queries:     one(fmt.Sprintf("time() - max by (seed) (%s)", metricLatestSample), "{{seed}}"),
		},
		{
			Title: "Series, by seed", Unit: "short",
			Description: "How many series the last scrape in the seed had.",
			Queries:     one(fmt.Sprintf("max by (seed) (%s)", pushedUp("scrape_samples_post_metric_relabeling")), "{{seed}}"),
		},
		{
			Title: "Validity of the token, by seed", Unit: "s",
			Description: "For how long the token of the seed is still valid, as the extension tells it.",
			Queries:     one(fmt.Sprintf("max by (seed) (%s) - time()", metricTokenExpiry), "{{seed}}"),
		},
	}
}

func (g *gardenCollector) flowPanels() []dashboard.Panel {
	return []dashboard.Panel{
		{
			Title: "Samples received per second, by collector", Unit: "cps",
			Description: "What the seeds have pushed.",
			Queries:     one(g.rate(collector.MetricAccepted, "pod"), "{{pod}}"),
		},
		{
			Title: "Samples delivered per second, by replica", Unit: "cps",
			Description: "What the replicas of the garden Prometheus have accepted of all collectors. After an outage it is more than what is received.",
			Queries:     one(g.rate(collector.MetricSent, "exporter"), "{{exporter}}"),
		},
		{
			Title: "Received over the WAN, by collector", Unit: "Bps",
			Description: "The bodies of the requests of the seeds, still compressed. Headers and TLS come on top of it.",
			Queries:     one(g.rate(collector.MetricRequestBytes, "pod"), "{{pod}}"),
		},
		{
			Title: "Requests of the seeds per second, by status", Unit: "reqps",
			Description: "What the fan-out answers. Requests with 429, 502, 503 and 504 are sent again, all else but 200 is lost, or comes from a stranger.",
			Queries:     one(g.rate(collector.MetricRequests, collector.LabelStatus), "{{"+collector.LabelStatus+"}}"),
		},
		{
			Title: "Requests to Prometheus per second, by status", Unit: "reqps",
			Description: "Requests of the fan-out to the garden Prometheus that is asked. What is answered by 4xx or 500 is lost.",
			Queries: one(fmt.Sprintf("sum by (code) (rate(%s[%s]))",
				collector.Selector("prometheus_http_requests_total", "prometheus-garden", `handler="/api/v1/otlp/v1/metrics"`), collector.Range(prometheusWindow)), "{{code}}"),
		},
	}
}

func (g *gardenCollector) lossPanels() []dashboard.Panel {
	lost := func(metric, by, legend string, matchers ...string) dashboard.Query {
		return dashboard.Query{Expr: collector.Increase(collector.Selector(metric, name, matchers...), g.window(), by), Legend: legend}
	}
	prometheus := func(metric, legend string) dashboard.Query {
		return dashboard.Query{
			Expr:   fmt.Sprintf("sum(increase(%s[%s]))", collector.Selector(metric, "prometheus-garden"), collector.Range(prometheusWindow)),
			Legend: legend,
		}
	}
	denied := fmt.Sprintf("processor=%q", processorDenied)
	return []dashboard.Panel{
		{
			Title: "Samples dropped and refused, by reason", Unit: "short",
			Description: fmt.Sprintf("Within %s. What is not accepted the seeds send again; all else is lost.", collector.Range(g.window())),
			Queries: []dashboard.Query{
				lost(collector.MetricSendFailed, "exporter", "refused for good by {{exporter}}"),
				lost(collector.MetricIncoming, "processor", "replica is detached: {{processor}}", fmt.Sprintf("processor=~%q", detachedPrefix+"prometheus-.+")),
				{
					Expr: fmt.Sprintf("sum(increase(%[1]s[%[3]s])) - sum(increase(%[2]s[%[3]s]))",
						collector.Selector(collector.MetricIncoming, name, denied), collector.Selector(collector.MetricOutgoing, name, denied), collector.Range(g.window())),
					Legend: "denied seeds",
				},
				lost(collector.MetricRefused, "pod", "not accepted by {{pod}}"),
				lost(collector.MetricEnqueueFailed, "exporter", "of these no room in the queue of {{exporter}}"),
				lost(collector.MetricMemoryRefused, "pod", "of these no memory in {{pod}}"),
				lost(collector.MetricFailed, "pod", "not understood by {{pod}}"),
			},
		},
		{
			Title: "Late samples in Prometheus", Unit: "short",
			Description: fmt.Sprintf("Within %s, in the garden Prometheus that is asked.", collector.Range(prometheusWindow)),
			Queries: []dashboard.Query{
				prometheus("prometheus_tsdb_head_out_of_order_samples_appended_total", "stored"),
				prometheus("prometheus_tsdb_too_old_samples_total", "older than the out-of-order window"),
				prometheus("prometheus_tsdb_out_of_order_samples_total", "out of order"),
				prometheus("prometheus_tsdb_out_of_bound_samples_total", "out of bounds"),
			},
		},
	}
}

func (g *gardenCollector) queuePanels() []dashboard.Panel {
	return []dashboard.Panel{
		{
			Title: "Queues in use", Unit: "percentunit",
			Description: "Which part of each queue is used. At 80 % the replica is detached.",
			Queries:     one(collector.QueueFill(name), "{{pod}} {{exporter}}"),
		},
		{
			Title: "Time until the queues are full", Unit: "s",
			Description: "If they grow on as they do. Nothing is shown of a queue that does not grow.",
			Queries:     one(timeToFull, "{{pod}} {{exporter}}"),
		},
		{
			Title: "Volumes of the queues in use", Unit: "percentunit",
			Description: "Which part of each volume is used.",
			Queries: one(fmt.Sprintf(`max by (persistentvolumeclaim) (kubelet_volume_stats_used_bytes{persistentvolumeclaim=~"%[1]s-.+"} / kubelet_volume_stats_capacity_bytes{persistentvolumeclaim=~"%[1]s-.+"})`, name),
				"{{persistentvolumeclaim}}"),
		},
		{
			Title: "Requests in flight, by collector and replica", Unit: "short",
			Description: fmt.Sprintf("Requests that are being sent, or wait to be sent again. It stays at %d while a replica does not answer.", consumers),
			Queries:     one(fmt.Sprintf("max by (pod, exporter) (%s)", collector.Selector(collector.MetricInFlight, name)), "{{pod}} {{exporter}}"),
		},
	}
}

func (g *gardenCollector) processPanels() []dashboard.Panel {
	return []dashboard.Panel{
		{
			Title: "Memory of the fan-out", Unit: "bytes",
			Description: "Resident memory. Samples are refused while the heap of the collector, which is part of it, has more than 60 % of the memory limit.",
			Queries:     one(fmt.Sprintf("max by (pod) (%s)", collector.Selector(collector.MetricMemory, name)), "{{pod}}"),
		},
		{
			Title: "CPU of the fan-out", Unit: "short",
			Description: "Cores in use.",
			Queries:     one(g.rate(collector.MetricCPU, "pod"), "{{pod}}"),
		},
		{
			Title: "Uptime of the fan-out", Unit: "s",
			Description: "It begins anew with each start of the process.",
			Queries:     one(fmt.Sprintf("max by (pod) (%s)", collector.Selector(collector.MetricUptime, name)), "{{pod}}"),
		},
	}
}
