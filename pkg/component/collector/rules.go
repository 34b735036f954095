// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"fmt"
	"strings"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	"k8s.io/apimachinery/pkg/util/intstr"

	monitoringutils "github.com/gardener/gardener/pkg/component/observability/monitoring/utils"
	"github.com/gardener/gardener/pkg/utils"
)

const (
	// queueFilled is how much of a queue may be used before an alert fires in any case.
	queueFilled = 0.5
	// queueHorizon is what soon means, in intervals: an hour by default.
	queueHorizon = 60

	runbook = "docs/operations/alerts.md of the extension otel-federation"
)

// Alert is an alert of a collector.
type Alert struct {
	// Name is the name of the alert, and of its section in the runbook.
	Name string
	// Expr is what lets it fire.
	Expr string
	// For is for how long it must be pending.
	For time.Duration
	// Labels are labels besides those that all alerts of the collector have.
	Labels map[string]string
	// Summary and Description are its annotations. The section of the runbook is added to the description.
	Summary, Description string
}

// Rule returns the rule of an alert with the given labels in addition to its own.
func (a Alert) Rule(labels map[string]string) monitoringv1.Rule {
	rule := monitoringv1.Rule{
		Alert:  a.Name,
		Expr:   intstr.FromString(a.Expr),
		Labels: utils.MergeStringMaps(labels, a.Labels),
		Annotations: map[string]string{
			"summary":     a.Summary,
			"description": fmt.Sprintf("%s What to do is in section %s of %s.", a.Description, a.Name, runbook),
		},
	}
	if a.For > 0 {
		rule.For = new(monitoringv1.Duration(Range(a.For)))
	}
	return rule
}

// PrometheusRule returns the rules about a collector for the Prometheus with the given label.
func PrometheusRule(name, namespace, prometheusLabel string, interval time.Duration, rules []monitoringv1.Rule) *monitoringv1.PrometheusRule {
	return &monitoringv1.PrometheusRule{
		ObjectMeta: monitoringutils.ConfigObjectMeta(name, namespace, prometheusLabel),
		Spec: monitoringv1.PrometheusRuleSpec{Groups: []monitoringv1.RuleGroup{{
			Name:     name,
			Interval: new(monitoringv1.Duration(Range(interval))),
			Rules:    rules,
		}}},
	}
}

// Range returns a duration as it is written in PromQL.
func Range(duration time.Duration) string {
	return model.Duration(duration).String()
}

// Selector returns a selector of the series of a metric of the collectors of a job.
func Selector(metric, job string, matchers ...string) string {
	return fmt.Sprintf("%s{%s}", metric, strings.Join(append([]string{fmt.Sprintf("job=%q", job)}, matchers...), ","))
}

// Increase returns an expression for how much counters have grown within a window, by the given labels. A collector has a counter of
// failures only once it has counted one, so that of a counter which was not there before the window all is counted.
func Increase(selector string, window time.Duration, by ...string) string {
	return fmt.Sprintf("sum by (%[1]s) (%[2]s unless %[2]s offset %[3]s or increase(%[2]s[%[3]s]))", strings.Join(by, ", "), selector, Range(window))
}

// TimeToFull returns the rule that records in how many seconds each queue of a job will be full, as far as it grows.
func TimeToFull(record, job string, window time.Duration) monitoringv1.Rule {
	size := Selector(MetricQueueSize, job)
	return monitoringv1.Rule{
		Record: record,
		Expr: intstr.FromString(fmt.Sprintf("max by (job, pod, exporter) ((%s - %s) / (deriv(%s[%s]) > 0))",
			Selector(MetricQueueCapacity, job), size, size, Range(window))),
	}
}

// QueueFill returns an expression for which part of each queue of a job is used.
func QueueFill(job string) string {
	return fmt.Sprintf("max by (job, pod, exporter) (%s / %s)", Selector(MetricQueueSize, job), Selector(MetricQueueCapacity, job))
}

// QueueFilling returns an expression for queues of a job that are half full, or will soon be full. What TimeToFull returns must be among
// the rules before it.
func QueueFilling(record, job string, interval time.Duration) string {
	fill := QueueFill(job)
	return fmt.Sprintf("%s > %v or (%s and %s < %v)", fill, queueFilled, fill, Selector(record, job), (queueHorizon * interval).Seconds())
}

// TimeToFullText returns the template of a sentence that says when the queue which an alert is about will be full.
func TimeToFullText(record, job string) string {
	return fmt.Sprintf("{{ with printf `%s` $labels.pod $labels.exporter | query }}At this rate it is full in {{ . | first | value | humanizeDuration }}.{{ else }}It does not grow at present.{{ end }}",
		Selector(record, job, `pod=%q`, `exporter=%q`))
}

// NothingDelivered returns an expression for queues of a job from which nothing was delivered within a window, although there is something
// in them. An exporter that has never delivered anything may have no counter.
func NothingDelivered(job string, window time.Duration) string {
	return fmt.Sprintf("sum by (pod, exporter) (%s) > 0 unless sum by (pod, exporter) (increase(%s[%s])) > 0",
		Selector(MetricQueueSize, job), Selector(MetricSent, job), Range(window))
}
