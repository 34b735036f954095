// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seedcollector

import (
	"fmt"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"

	"github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/aggregate"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
)

const (
	// timeToFull records in how many seconds the queue will be full. Gardener's federation does not select it.
	timeToFull = "otel_federation:queue_time_to_full_seconds"

	// emptyScrape is more than what a scrape that fails yields: `up` and the other series that the receiver makes itself.
	emptyScrape = 10

	// rangeScrapes is how many scrapes the ranges of the rules cover, and pendingScrapes for how many alerts are pending that a single
	// scrape may be wrong about.
	rangeScrapes   = 5
	pendingScrapes = 2
)

// prometheusRule is for the Prometheus that scrapes the collector.
func (s *seedCollector) prometheusRule() *monitoringv1.PrometheusRule {
	rules := []monitoringv1.Rule{collector.TimeToFull(timeToFull, name, s.window())}
	for _, alert := range append(s.lossAlerts(), s.outageAlerts()...) {
		rules = append(rules, alert.Rule(map[string]string{
			"service":    "otel-federation",
			"severity":   "critical",
			"type":       "seed",
			"visibility": "operator",
		}))
	}
	return collector.PrometheusRule(name, s.namespace, aggregate.Label, s.metricsInterval(), rules)
}

// metricsInterval is the interval at which the collector's own metrics are scraped.
func (s *seedCollector) metricsInterval() time.Duration {
	return collector.MetricsInterval(s.values.ScrapeInterval)
}

// window is the range of the rules. It covers scrapes of the collector as well as scrapes by the collector.
func (s *seedCollector) window() time.Duration {
	return rangeScrapes * max(s.values.ScrapeInterval, s.metricsInterval())
}

func (s *seedCollector) lossAlerts() []collector.Alert {
	alert := func(metric, reason, text string) collector.Alert {
		return collector.Alert{
			Name:        "OTelFederationCollectorSamplesDropped",
			Expr:        collector.Increase(collector.Selector(metric, name), s.window(), "pod") + " > 0",
			Labels:      map[string]string{"reason": reason},
			Summary:     "Samples of seed {{ $externalLabels.seed }} for the garden are lost",
			Description: fmt.Sprintf("Collector {{ $labels.pod }} has dropped {{ $value | humanize }} samples within %s: %s", collector.Range(s.window()), text),
		}
	}
	return []collector.Alert{
		alert(collector.MetricSendFailed, "rejected",
			"the garden has refused them for good. Its log has the status: 401 is a token that the fan-out does not accept, 404 an address that does not exist."),
		alert(collector.MetricEnqueueFailed, "queue",
			"its queue or the volume of the queue is full. Restore the way to the garden, or enlarge both."),
		alert(collector.MetricRefused, "refused",
			"it could not pass on what it has scraped, because it has no memory left or its queue is full. Enlarge the memory limit, or see the alert about the queue."),
	}
}

func (s *seedCollector) outageAlerts() []collector.Alert {
	window, pending := collector.Range(s.window()), pendingScrapes*s.metricsInterval()
	return []collector.Alert{
		{
			Name:    "OTelFederationCollectorQueueFilling",
			Expr:    collector.QueueFilling(timeToFull, name, s.metricsInterval()),
			For:     pending,
			Labels:  map[string]string{"severity": "warning"},
			Summary: "The queue of samples of seed {{ $externalLabels.seed }} fills up",
			Description: "The queue of collector {{ $labels.pod }} for {{ $labels.exporter }} holds more than is delivered. " + collector.TimeToFullText(timeToFull, name) +
				" When it is full, samples are lost. The garden cannot be reached, or is too slow: its log has the error.",
		},
		{
			Name:    "OTelFederationCollectorNothingDelivered",
			Expr:    collector.NothingDelivered(name, s.window()),
			For:     pending,
			Labels:  map[string]string{"severity": "warning"},
			Summary: "No sample of seed {{ $externalLabels.seed }} is delivered to the garden",
			Description: fmt.Sprintf("Collector {{ $labels.pod }} has delivered nothing within %s, while {{ $value | humanize }} samples wait in its queue. "+
				"Nothing is lost until the queue is full. The garden cannot be reached, or has no fan-out that is ready: the log of the collector has the error.", window),
		},
		{
			Name: "OTelFederationCollectorScrapeFailing",
			// A collector that has just been started has not scraped yet, and has no rate.
			Expr:    fmt.Sprintf("sum by (pod) (rate(%s[%s])) * %v < %d", collector.Selector(collector.MetricAccepted, name), window, s.values.ScrapeInterval.Seconds(), emptyScrape),
			For:     pending,
			Summary: "The federation of seed {{ $externalLabels.seed }} scrapes nothing",
			Description: "Collector {{ $labels.pod }} gets hardly any samples from the aggregate Prometheus. It cannot be scraped, takes longer than the scrape timeout, or the " +
				"selectors match nothing: look at the log of the collector and at Prometheus garden/aggregate.",
		},
		{
			Name:    "OTelFederationCollectorDown",
			Expr:    fmt.Sprintf("absent(%s == 1)", collector.Selector("up", name)),
			For:     s.window(),
			Summary: "The collector of seed {{ $externalLabels.seed }} is down",
			Description: fmt.Sprintf("The collector could not be scraped for %s. Nothing of this seed is pushed to the garden: "+
				"look at the pod, its volume, and the OpenTelemetry operator.", window),
		},
	}
}
