// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus

import "strconv"

const (
	aggregateJob      = "prometheus-aggregate"
	aggregateInstance = "localhost:9090"

	nameAlerts           = "ALERTS"
	nameInconsistentSize = "seed:persistentvolume:inconsistent_size"
	nameRestarts         = "seed:kube_pod_container_status_restarts_total:max_by_namespace"
)

// selectedFamilies are families under every kind of name that federation selects, with the labels they have in Gardener.
func selectedFamilies() []Family {
	byNode := func(namesAndValues ...string) []string {
		return append([]string{labelJob, "kube-state-metrics", labelInstance, "10.0.0.9:8080"}, namesAndValues...)
	}

	return []Family{
		// Selector of seed:(.+):count, with several colons, too.
		gauges("seed:reqs:count", series(1), series(2, labelNamespace, "garden")),
		gauges("seed:with:several:colons:count", series(3), series(4, labelJob, "own")),
		gauges("seed::count:count", series(5)),
		// Selectors of seed:(.+):sum and seed:(.+):sum_cp.
		gauges("seed:x:sum", series(6), series(7, labelResource, "cpu"), series(8, labelResource, "memory")),
		untyped("seed:x:sum_cp", series(9), series(10, labelPod, "kube-apiserver-0")),
		// Selector of seed:(.+):sum_by_pod, in namespaces extension-(.+).
		gauges("seed:x:sum_by_pod",
			series(11, labelNamespace, "extension-foo", labelPod, "foo-0"),
			series(12, labelNamespace, "extension-foo", labelPod, "foo-1"),
			series(13, labelNamespace, "extension-provider-local", labelPod, "foo-0", labelJob, "cadvisor", labelInstance, "10.0.0.6"),
		),
		// Selector of seed:(.+):sum_by_container, for the container kube-apiserver.
		gauges("seed:x:sum_by_container",
			series(14, labelContainer, "kube-apiserver", labelNamespace, "shoot--local--one"),
			series(15, labelContainer, "kube-apiserver", labelNamespace, "shoot--local--two"),
		),
		// Selector of shoot:(.+):(.+), with several colons, too.
		gauges("shoot:a:b", series(16), series(17, labelNamespace, "shoot--local--one")),
		gauges("shoot:a:b:c", series(18)),
		gauges("shoot::b:c::d", series(19)),
		gauges("shoot:double__underscore:_leading_", series(20)),
		gauges("shoot:UPPER:CamelCase", series(21)),
		// Selectors by name.
		gauges("shoot:availability", series(1, "condition", "APIServerAvailable"), series(0, "condition", "ControlPlaneHealthy"), series(-1)),
		gauges("prometheus_tsdb_lowest_timestamp", series(1753000000123, labelJob, "corpus", labelInstance, aggregateInstance)),
		gauges("prometheus_tsdb_storage_blocks_bytes", series(123456789, labelJob, "corpus", labelInstance, aggregateInstance)),
		// Their values are the highest with which Gardener's alerts do not fire.
		gauges(nameInconsistentSize, series(0.01, "persistentvolumeclaim", "data-0"), series(0.05, "persistentvolumeclaim", "data-1")),
		gauges(nameRestarts, series(0, labelNamespace, "garden"), series(5, labelNamespace, "kube-system")),
		// Selector of metering:.+:(sum_by_namespace|sum_by_instance_type), besides the families of metering itself.
		gauges("metering:memory_usage:seconds:sum_by_namespace", series(36, labelNamespace, "shoot--local--one")),
		gauges("metering:machines:sum_by_instance_type", series(37, labelInstanceType, "m5.large"), series(38, labelInstanceType, "")),
		gauges("kube_node_spec_taint",
			series(1, byNode("node", "node-0", "key", "node.kubernetes.io/unschedulable", "value", "", "effect", "NoSchedule")...),
			series(1, byNode("node", "node-1", "key", "dedicated", "value", "etcd", "effect", "NoExecute")...),
		),
	}
}

// endingFamilies have names whose endings mean something in OpenMetrics, or are added and cut off when names are translated.
func endingFamilies() []Family {
	return []Family{
		counters("shoot:foo:rate_total", series(1), series(2, labelNamespace, "shoot--local--one")),
		gauges("shoot:foo:gauge_total", series(3)),
		untyped("shoot:foo:rate_total_total", series(4)),
		counters("shoot:foo:counter", series(5)),
		gauges("shoot:foo:latency_bucket", series(22, "le", "0.1"), series(23, "le", "1"), series(24, "le", "+Inf"), series(25)),
		gauges("shoot:foo:latency_sum", series(25.5)),
		gauges("shoot:foo:latency_count", series(26)),
		gauges("shoot:foo:latency", series(27, "quantile", "0.5"), series(28, "quantile", "0.99")),
		gauges("shoot:foo:build_info", series(1, "version", "v1.2.3", "revision", "0123abc")),
		gauges("shoot:foo:build_created", series(1753000000.123)),
		// Units.
		gauges("shoot:foo:uptime_seconds", series(29)),
		counters("shoot:foo:busy_seconds_total", series(30)),
		gauges("shoot:foo:latency_milliseconds", series(31)),
		gauges("shoot:foo:size_bytes", series(32)),
		counters("shoot:foo:sent_bytes_total", series(33)),
		gauges("shoot:foo:size_ratio", series(0.5)),
		gauges("shoot:foo:usage_percent", series(34)),
		// The same before a colon, as in most of Gardener's names.
		gauges("seed:foo_seconds_total:sum", series(35)),
		gauges("seed:foo_bytes:count", series(36)),
		gauges("shoot:foo_total:sum", series(37)),
		gauges("shoot:foo_seconds_bucket:rate5m", series(38, "le", "0.1"), series(39, "le", "+Inf")),
		gauges("shoot:foo_info:count", series(40)),
		gauges("shoot:foo_created:max", series(41)),
	}
}

// openTelemetryFamilies have names that contain those of the series which a translation from OpenTelemetry adds.
func openTelemetryFamilies() []Family {
	var families []Family
	for i, name := range []string{
		"seed:target_info:count", "seed:otel_scope_info:count", "shoot:target_info:sum", "shoot:otel_scope_info:sum",
		"shoot:corpus:target_info", "shoot:corpus:otel_scope_info", "metering:target_info:sum_by_namespace",
	} {
		families = append(families, gauges(name, series(float64(2*i+1)), series(float64(2*i+2), "version", "v1.2.3")))
	}
	return families
}

// alertFamilies are the ALERTS, which lose or gain shoot_alertname on the way.
func alertFamilies() []Family {
	return []Family{gauges(nameAlerts,
		series(1, labelAlertName, "KubePodNotReady", labelAlertState, "firing", "severity", "warning"),
		series(1, labelAlertName, "KubePodNotReady", labelAlertState, "pending", "severity", "warning"),
		series(1, labelAlertName, "ApiServerUnreachable", labelAlertState, "firing", labelJob, "kube-apiserver", labelInstance, "10.0.0.7:443"),
		series(1, labelAlertName, "Both", "shoot_alertname", "Inner", labelAlertState, "firing"),
		series(1, labelAlertState, "firing", labelShape, "without alertname"),
		series(1, labelAlertName, "", labelAlertState, "firing", labelShape, "with empty alertname"),
		series(1, labelAlertName, "quote \" backslash \\ newline \n ü", labelAlertState, "firing"),
	)}
}

// risingFamilies rise in a changing corpus.
func risingFamilies() []Family {
	var families []Family
	for _, name := range []string{"seed:corpus_rising:count", "shoot:corpus:rising_total", "metering:corpus_rising:sum_by_namespace"} {
		family := counters(name)
		family.Rising = true
		for i := range 5 {
			family.Series = append(family.Series, series(float64(1000*i), labelNamespace, "shoot--local--"+strconv.Itoa(i)))
		}
		families = append(families, family)
	}
	return families
}

// excludedFamilies are families and series that no selector selects, most of them by a hair's breadth.
func excludedFamilies() []Family {
	return []Family{
		gauges("seed:kube_pod_container_status_restarts_total:sum_by_container", series(1, labelContainer, "kube-apiserver", labelNamespace, "garden")),
		gauges("shoot:apiserver_storage_objects:sum_by_resource", series(2, labelResource, "pods")),
		gauges("shoot:apiserver_watch_duration:quantile", series(3, "quantile", "0.99")),
		gauges("seed:excluded:sum_by_pod", series(4, labelNamespace, "garden", labelPod, "a"), series(5, labelPod, "b"), series(6, labelNamespace, "extension-", labelPod, "c"), series(7, labelNamespace, "my-extension-foo", labelPod, "d")),
		gauges("seed:excluded:sum_by_container", series(8, labelContainer, "etcd"), series(9), series(10, labelContainer, "kube-apiserver-proxy")),
		gauges("seed:excluded:avg", series(11)),
		gauges("seed:excluded:count_total", series(12)),
		gauges("seed:count", series(13)),
		gauges("aseed:excluded:count", series(14)),
		gauges("shoot:excluded", series(15)),
		gauges("ALERTS_FOR_STATE", series(1753000000, labelAlertName, "KubePodNotReady")),
		gauges("prometheus_tsdb_lowest_timestamp_seconds", series(1753000000)),
		gauges("metering:excluded:sum_by_pod", series(16, labelPod, "a")),
		gauges("metering:excluded", series(17)),
		gauges("kube_node_info", series(1, "node", "node-0")),
		counters("node_cpu_seconds_total", series(18, "cpu", "0", "mode", "idle")),
	}
}
