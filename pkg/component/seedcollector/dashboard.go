// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seedcollector

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/dashboard"
)

// infrastructureWindow is the range for what is scraped at Gardener's interval, which is a minute.
const infrastructureWindow = "5m"

// dashboard has the labels for both Plutonos: in the runtime cluster, that of the garden shows the dashboards of the seed, too.
func (s *seedCollector) dashboard() (*corev1.ConfigMap, error) {
	labels := getLabels()
	for _, plutono := range []string{"seed", "garden"} {
		labels[v1beta1constants.LabelPrefixMonitoringDashboard+plutono] = "true"
	}
	return dashboard.Dashboard{
		Name:       name,
		Title:      "OTel Federation: Collector of the Seed",
		DataSource: "prometheus-aggregate",
		Panels:     append(s.flowPanels(), s.statePanels()...),
	}.ConfigMap(s.namespace, labels)
}

func (s *seedCollector) flowPanels() []dashboard.Panel {
	rate := func(metric, by string) string {
		return fmt.Sprintf("sum by (%s) (rate(%s[%s]))", by, collector.Selector(metric, name), collector.Range(s.window()))
	}
	lost := func(metric, legend string) dashboard.Query {
		return dashboard.Query{Expr: collector.Increase(collector.Selector(metric, name), s.window(), "pod"), Legend: legend}
	}
	return []dashboard.Panel{
		{
			Title: "Samples scraped per second", Unit: "cps",
			Description: "What the collector gets from the aggregate Prometheus.",
			Queries:     []dashboard.Query{{Expr: rate(collector.MetricAccepted, "pod"), Legend: "{{pod}}"}},
		},
		{
			Title: "Samples delivered per second", Unit: "cps",
			Description: "What the fan-out has accepted. After an outage it is more than what is scraped.",
			Queries:     []dashboard.Query{{Expr: rate(collector.MetricSent, "pod"), Legend: "{{pod}}"}},
		},
		{
			Title: "Sent over the WAN", Unit: "Bps",
			Description: "All that the pod sends, as its network interface counts it. Besides the samples, which are compressed, these are requests to scrape, and its own metrics.",
			Queries: []dashboard.Query{{
				Expr:   fmt.Sprintf(`sum by (pod) (rate(container_network_transmit_bytes_total{namespace="garden",pod=~"%s-.+"}[%s]))`, name, infrastructureWindow),
				Legend: "{{pod}}",
			}},
		},
		{
			Title: "Samples lost, by reason", Unit: "short",
			Description: "Within " + collector.Range(s.window()) + ".",
			Queries: []dashboard.Query{
				lost(collector.MetricSendFailed, "refused by the garden for good"),
				lost(collector.MetricEnqueueFailed, "no room in the queue"),
				lost(collector.MetricRefused, "scraped and not passed on"),
				lost(collector.MetricMemoryRefused, "of these for lack of memory"),
				lost(collector.MetricFailed, "not understood"),
			},
		},
	}
}

func (s *seedCollector) statePanels() []dashboard.Panel {
	byPod := func(metric string) []dashboard.Query {
		return []dashboard.Query{{Expr: fmt.Sprintf("max by (pod) (%s)", collector.Selector(metric, name)), Legend: "{{pod}}"}}
	}
	return []dashboard.Panel{
		{
			Title: "Queue in use", Unit: "percentunit",
			Description: "Which part of the queue is used. It is empty as long as the garden keeps up.",
			Queries:     []dashboard.Query{{Expr: collector.QueueFill(name), Legend: "{{pod}} {{exporter}}"}},
		},
		{
			Title: "Time until the queue is full", Unit: "s",
			Description: "If it grows on as it does. Nothing is shown while it does not grow.",
			Queries:     []dashboard.Query{{Expr: collector.Selector(timeToFull, name), Legend: "{{pod}} {{exporter}}"}},
		},
		{
			Title: "Volume of the queue in use", Unit: "percentunit",
			Description: "Which part of the volume is used.",
			Queries: []dashboard.Query{{
				Expr: fmt.Sprintf(`max by (persistentvolumeclaim) (kubelet_volume_stats_used_bytes{namespace="garden",persistentvolumeclaim=~"%[1]s-.+"} / kubelet_volume_stats_capacity_bytes{namespace="garden",persistentvolumeclaim=~"%[1]s-.+"})`,
					name),
				Legend: "{{persistentvolumeclaim}}",
			}},
		},
		{
			Title: "Requests in flight", Unit: "short",
			Description: "Requests that are being sent, or wait to be sent again. It stays at 1 while the garden does not answer.",
			Queries:     byPod(collector.MetricInFlight),
		},
		{
			Title: "Memory", Unit: "bytes",
			Description: "Resident memory. Scrapes are refused while the heap of the collector, which is part of it, has more than 60 % of the memory limit.",
			Queries:     byPod(collector.MetricMemory),
		},
		{
			Title: "CPU", Unit: "short",
			Description: "Cores in use.",
			Queries: []dashboard.Query{{
				Expr:   fmt.Sprintf("sum by (pod) (rate(%s[%s]))", collector.Selector(collector.MetricCPU, name), collector.Range(s.window())),
				Legend: "{{pod}}",
			}},
		},
		{
			Title: "Uptime", Unit: "s",
			Description: "It begins anew with each start of the process.",
			Queries:     byPod(collector.MetricUptime),
		},
	}
}
