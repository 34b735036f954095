// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus

import "fmt"

// bulkFamily describes a family of which there are as many series as asked for.
type bulkFamily struct {
	name string
	// weight is the family's share.
	weight int
	// labels are the labels of the i-th series. Together with the namespace they are distinct.
	labels func(i int) []string
	// healthy is the value of the i-th series if an arbitrary one could make an alert of Gardener fire.
	healthy func(i int) float64
}

func shootNamespace(i int) string { return fmt.Sprintf("shoot--p%03d--c%05d", i%97, i) }

// bulk are the families that make a large corpus, in about the shares of a real seed.
var bulk = []bulkFamily{
	{name: "seed:bulk:count", weight: 1, labels: func(i int) []string { return []string{labelNamespace, shootNamespace(i)} }},
	{name: "seed:bulk:sum", weight: 2, labels: func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 2), labelResource, pick(i, "cpu", "memory")}
	}},
	{name: "seed:bulk:sum_cp", weight: 2, labels: func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 3), labelPod, fmt.Sprintf("etcd-main-%d", i%3)}
	}},
	{name: "seed:bulk:sum_by_pod", weight: 3, labels: func(i int) []string {
		return []string{labelNamespace, fmt.Sprintf("extension-provider-%02d", i%40), labelPod, fmt.Sprintf("gardener-extension-provider-%02d-6f7d8c9b5-%05d", i%40, i)}
	}},
	{name: "seed:bulk:sum_by_container", weight: 4, labels: func(i int) []string {
		return []string{labelContainer, "kube-apiserver", labelNamespace, shootNamespace(i / 2), labelPod, fmt.Sprintf("kube-apiserver-7c9d8b6f5d-%d", i%2)}
	}},
	{name: "shoot:bulk_requests:rate5m", weight: 8, labels: func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 8), "verb", pick(i, "GET", "LIST", "WATCH", "POST"), "code", pick(i/4, "200", "500")}
	}},
	{name: "shoot:bulk_duration_seconds:quantile", weight: 6, labels: func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 3), "quantile", pick(i, "0.5", "0.9", "0.99")}
	}},
	{name: "shoot:bulk_duration_seconds:bucket_rate", weight: 6, labels: func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 4), "le", pick(i, "0.1", "1", "10", "+Inf")}
	}},
	{name: "ALERTS", weight: 1, labels: func(i int) []string {
		return []string{labelAlertName, pick(i, "KubePodNotReady", "KubeEtcdBackupFailed", "NodeNotHealthy"), labelAlertState, pick(i/3, "firing", "pending"), labelNamespace, shootNamespace(i)}
	}},
	{name: "shoot:availability", weight: 1, labels: func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 3), "condition", pick(i, "APIServerAvailable", "ControlPlaneHealthy", "EveryNodeReady")}
	}},
	{name: nameInconsistentSize, weight: 1, labels: func(i int) []string {
		return []string{labelNamespace, shootNamespace(i), "persistentvolumeclaim", fmt.Sprintf("main-etcd-etcd-main-%d", i%3)}
	}, healthy: healthyInconsistentSize},
	{name: nameRestarts, weight: 1, labels: func(i int) []string { return []string{labelNamespace, shootNamespace(i)} }, healthy: healthyRestarts},
	{name: "metering:bulk:sum_by_namespace", weight: 3, labels: func(i int) []string { return []string{labelNamespace, shootNamespace(i)} }},
	{name: "metering:bulk:sum_by_instance_type", weight: 1, labels: func(i int) []string {
		return []string{labelNamespace, shootNamespace(i / 2), labelInstanceType, pick(i, "m5.large", "m5.xlarge")}
	}},
	{name: "kube_node_spec_taint", weight: 1, labels: func(i int) []string {
		return []string{"node", fmt.Sprintf("ip-10-%d-%d-%d.local", i>>16&255, i>>8&255, i&255), "key", "node.kubernetes.io/not-ready", "value", "", "effect", "NoSchedule"}
	}},
}

// healthyRestarts are at most those that the alert PodFrequentlyRestarting tolerates.
func healthyRestarts(i int) float64 { return float64(i % 6) }

// healthyInconsistentSize is at most what the alert PersistentVolumeSizeMismatch tolerates.
func healthyInconsistentSize(i int) float64 { return float64(i%6) / 100 }

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
		value := valueOf(bulk[family].name, i)
		if bulk[family].healthy != nil {
			value = bulk[family].healthy(i)
		}
		all[family] = append(all[family], series(value, labels...))
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
