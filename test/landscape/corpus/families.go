// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"fmt"
	"strconv"
)

const (
	aggregateJob      = "prometheus-aggregate"
	aggregateInstance = "localhost:9090"
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
		gauges("seed:x:sum", series(6), series(7, "resource", "cpu"), series(8, "resource", "memory")),
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
		// Selector of shoot:(.+):(.+), with the endings that have a meaning in OpenMetrics.
		gauges("shoot:a:b", series(16), series(17, labelNamespace, "shoot--local--one")),
		gauges("shoot:a:b:c", series(18)),
		counters("shoot:foo:rate_total", series(19), series(20, labelNamespace, "shoot--local--one")),
		untyped("shoot:foo:rate_total_total", series(21)),
		gauges("shoot:foo:latency_bucket", series(22, "le", "0.1"), series(23, "le", "1"), series(24, "le", "+Inf")),
		gauges("shoot:foo:latency_sum", series(25.5)),
		gauges("shoot:foo:latency_count", series(26)),
		gauges("shoot:foo:latency", series(27, "quantile", "0.5"), series(28, "quantile", "0.99")),
		gauges("shoot:foo:build_info", series(1, "version", "v1.2.3", "revision", "0123abc")),
		gauges("shoot:foo:build_created", series(1753000000.123)),
		gauges("shoot:foo:size_bytes", series(29)),
		gauges("shoot:foo:size_ratio", series(0.5)),
		gauges("shoot:double__underscore:_leading_", series(30)),
		gauges("shoot:UPPER:CamelCase", series(31)),
		// Selectors by name.
		gauges("shoot:availability", series(1, "condition", "APIServerAvailable"), series(0, "condition", "ControlPlaneHealthy"), series(-1)),
		gauges("prometheus_tsdb_lowest_timestamp", series(1753000000123, labelJob, "corpus", labelInstance, aggregateInstance)),
		gauges("prometheus_tsdb_storage_blocks_bytes", series(123456789, labelJob, "corpus", labelInstance, aggregateInstance)),
		gauges("seed:persistentvolume:inconsistent_size", series(0, "persistentvolumeclaim", "data-0"), series(1, "persistentvolumeclaim", "data-1")),
		gauges("seed:kube_pod_container_status_restarts_total:max_by_namespace", series(32, labelNamespace, "garden"), series(33, labelNamespace, "kube-system")),
		// Selector of metering:.+:(sum_by_namespace|sum_by_instance_type).
		gauges("metering:cpu_requests:sum_by_namespace", series(34, labelNamespace, "shoot--local--one"), series(35, labelNamespace, "shoot--local--two")),
		gauges("metering:memory_usage:seconds:sum_by_namespace", series(36, labelNamespace, "shoot--local--one")),
		gauges("metering:machines:sum_by_instance_type", series(37, "instance_type", "m5.large"), series(38, "instance_type", "")),
		gauges("kube_node_spec_taint",
			series(1, byNode("node", "node-0", "key", "node.kubernetes.io/unschedulable", "value", "", "effect", "NoSchedule")...),
			series(1, byNode("node", "node-1", "key", "dedicated", "value", "etcd", "effect", "NoExecute")...),
		),
	}
}

// alertFamilies are the ALERTS, which lose or gain shoot_alertname on the way.
func alertFamilies() []Family {
	return []Family{gauges("ALERTS",
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
		gauges("shoot:apiserver_storage_objects:sum_by_resource", series(2, "resource", "pods")),
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

// bulkFamily describes a family of which there are as many series as asked for.
type bulkFamily struct {
	name string
	// weight is the family's share.
	weight int
	// labels are the labels of the i-th series. Together with the namespace they are distinct.
	labels func(i int) []string
}

func shootNamespace(i int) string { return fmt.Sprintf("shoot--p%03d--c%05d", i%97, i) }

// bulk are the families that make a large corpus, in about the shares of a real seed.
var bulk = []bulkFamily{
	{"seed:bulk:count", 1, func(i int) []string { return []string{labelNamespace, shootNamespace(i)} }},
	{"seed:bulk:sum", 2, func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 2), "resource", pick(i, "cpu", "memory")}
	}},
	{"seed:bulk:sum_cp", 2, func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 3), labelPod, fmt.Sprintf("etcd-main-%d", i%3)}
	}},
	{"seed:bulk:sum_by_pod", 3, func(i int) []string {
		return []string{labelNamespace, fmt.Sprintf("extension-provider-%02d", i%40), labelPod, fmt.Sprintf("gardener-extension-provider-%02d-6f7d8c9b5-%05d", i%40, i)}
	}},
	{"seed:bulk:sum_by_container", 4, func(i int) []string {
		return []string{labelContainer, "kube-apiserver", labelNamespace, shootNamespace(i / 2), labelPod, fmt.Sprintf("kube-apiserver-7c9d8b6f5d-%d", i%2)}
	}},
	{"shoot:bulk_requests:rate5m", 8, func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 8), "verb", pick(i, "GET", "LIST", "WATCH", "POST"), "code", pick(i/4, "200", "500")}
	}},
	{"shoot:bulk_duration_seconds:quantile", 6, func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 3), "quantile", pick(i, "0.5", "0.9", "0.99")}
	}},
	{"shoot:bulk_duration_seconds:bucket_rate", 6, func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 4), "le", pick(i, "0.1", "1", "10", "+Inf")}
	}},
	{"ALERTS", 1, func(i int) []string {
		return []string{labelAlertName, pick(i, "KubePodNotReady", "KubeEtcdBackupFailed", "NodeNotHealthy"), labelAlertState, pick(i/3, "firing", "pending"), labelNamespace, shootNamespace(i)}
	}},
	{"shoot:availability", 1, func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 3), "condition", pick(i, "APIServerAvailable", "ControlPlaneHealthy", "EveryNodeReady")}
	}},
	{"seed:persistentvolume:inconsistent_size", 1, func(i int) []string {
		return []string{labelNamespace, shootNamespace(i), "persistentvolumeclaim", fmt.Sprintf("main-etcd-etcd-main-%d", i%3)}
	}},
	{"seed:kube_pod_container_status_restarts_total:max_by_namespace", 1, func(i int) []string { return []string{labelNamespace, shootNamespace(i)} }},
	{"metering:bulk:sum_by_namespace", 3, func(i int) []string { return []string{labelNamespace, shootNamespace(i)} }},
	{"metering:bulk:sum_by_instance_type", 1, func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 2), "instance_type", pick(i, "m5.large", "m5.xlarge")}
	}},
	{"kube_node_spec_taint", 1, func(i int) []string {
		return []string{"node", fmt.Sprintf("ip-10-%d-%d-%d.local", i>>16&255, i>>8&255, i&255), "key", "node.kubernetes.io/not-ready", "value", "", "effect", "NoSchedule"}
	}},
}

func pick(i int, values ...string) string { return values[i%len(values)] }

// bulkFamilies returns families with n series in all.
func bulkFamilies(n int) []Family {
	var cycle []int
	for i, family := range bulk {
		for range family.weight {
			cycle = append(cycle, i)
		}
	}

	all := make([][]Series, len(bulk))
	for k := range n {
		family := cycle[k%len(cycle)]
		i := len(all[family])
		labels := bulk[family].labels(i)
		switch i % 5 {
		case 1:
			labels = append(labels, labelJob, "kube-state-metrics", labelInstance, fmt.Sprintf("10.1.%d.%d:8080", i>>8&255, i&255))
		case 3:
			labels = append(labels, labelJob, aggregateJob)
		}
		all[family] = append(all[family], series(valueOf(bulk[family].name, i), labels...))
	}

	var families []Family
	for i, family := range bulk {
		if len(all[i]) > 0 {
			result := gauges(family.name, all[i]...)
			result.Selected = true
			families = append(families, result)
		}
	}
	return families
}
