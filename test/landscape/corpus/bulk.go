// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"fmt"
	"hash/fnv"
)

// bulkFamily describes families of which a shoot has series. How well a corpus is compressed depends on what repeats in it, so a shoot
// has as many series as in a seed of 250 shoots and 70,000 series, and the values are of the kind that the families stand for.
type bulkFamily struct {
	// name is the name of a family. If it has the verb %d, there are several of them.
	name string
	// families is the number of families, 1 unless the name has a verb.
	families int
	// labels are those of the j-th series of a shoot in one family, with the namespace of the shoot. Together they are distinct.
	labels func(namespace string, j int) []string
	// series is the number of series of a shoot in one family.
	series int
	value  func(id uint64) float64
}

// bulk are the families that make a large corpus, in about the shares of a real seed: 280 series for each shoot.
var bulk = []bulkFamily{
	{name: "seed:bulk_%d:count", families: 7, series: 1, value: whole, labels: onlyNamespace},
	{name: "seed:bulk_cpu_%d:sum", families: 7, series: 1, value: fraction, labels: onlyNamespace},
	{name: "seed:bulk_memory_%d:sum", families: 7, series: 1, value: pages, labels: onlyNamespace},
	{name: "seed:bulk_%d:sum_cp", families: 5, series: 3, value: pages, labels: func(namespace string, j int) []string {
		return []string{labelNamespace, namespace, labelPod, fmt.Sprintf("etcd-main-%d", j)}
	}},
	{name: "seed:bulk_%d:sum_by_pod", families: 10, series: 3, value: fraction, labels: func(namespace string, j int) []string {
		return []string{labelNamespace, fmt.Sprintf("extension-provider-%02d", j), labelPod, "gardener-extension-provider-6f7d8c9b5-" + namespace[len(namespace)-5:]}
	}},
	{name: "seed:bulk_%d:sum_by_container", families: 14, series: 2, value: fraction, labels: func(namespace string, j int) []string {
		return []string{labelContainer, "kube-apiserver", labelNamespace, namespace, labelPod, fmt.Sprintf("kube-apiserver-7c9d8b6f5d-%d", j)}
	}},
	{name: "shoot:bulk_requests_%d:rate5m", families: 7, series: 8, value: rate, labels: func(namespace string, j int) []string {
		return []string{labelNamespace, namespace, "verb", pick(j, "GET", "LIST", "WATCH", "POST"), "code", pick(j/4, "200", "500")}
	}},
	{name: "shoot:bulk_duration_seconds_%d:quantile", families: 14, series: 3, value: fraction, labels: func(namespace string, j int) []string {
		return []string{labelNamespace, namespace, "quantile", pick(j, "0.5", "0.9", "0.99")}
	}},
	{name: "shoot:bulk_duration_seconds_%d:bucket_rate", families: 14, series: 4, value: rate, labels: func(namespace string, j int) []string {
		return []string{labelNamespace, namespace, "le", pick(j, "0.1", "1", "10", "+Inf")}
	}},
	{name: "ALERTS", families: 1, series: 2, value: one, labels: func(namespace string, j int) []string {
		return []string{labelAlertName, pick(j, "KubePodNotReady", "NodeNotHealthy"), labelAlertState, pick(j, "firing", "pending"), labelNamespace, namespace}
	}},
	{name: "shoot:availability", families: 1, series: 3, value: one, labels: func(namespace string, j int) []string {
		return []string{labelNamespace, namespace, "condition", pick(j, "APIServerAvailable", "ControlPlaneHealthy", "EveryNodeReady")}
	}},
	{name: nameInconsistentSize, families: 1, series: 3, value: healthyInconsistentSize, labels: func(namespace string, j int) []string {
		return []string{labelNamespace, namespace, "persistentvolumeclaim", fmt.Sprintf("main-etcd-etcd-main-%d", j)}
	}},
	{name: nameRestarts, families: 1, series: 1, value: healthyRestarts, labels: onlyNamespace},
	{name: "metering:bulk_%d:sum_by_namespace", families: 14, series: 1, value: pages, labels: onlyNamespace},
	{name: "metering:bulk_%d:sum_by_instance_type", families: 3, series: 2, value: whole, labels: func(namespace string, j int) []string {
		return []string{labelNamespace, namespace, labelInstanceType, pick(j, "m5.large", "m5.xlarge")}
	}},
	{name: "kube_node_spec_taint", families: 1, series: 3, value: one, labels: func(namespace string, j int) []string {
		return []string{"node", fmt.Sprintf("ip-10-250-%d-%s.local", j, namespace[len(namespace)-5:]), "key", "node.kubernetes.io/not-ready", "value", "", "effect", "NoSchedule"}
	}},
}

func shootNamespace(i int) string { return fmt.Sprintf("shoot--p%03d--c%05d", i%97, i) }

func onlyNamespace(namespace string, _ int) []string { return []string{labelNamespace, namespace} }

func pick(i int, values ...string) string { return values[i%len(values)] }

// one is the value of an alert, a taint, and a condition that holds.
func one(uint64) float64 { return 1 }

// whole is the value of a number of something.
func whole(id uint64) float64 { return float64(id % 40) }

// pages is the value of an amount of memory: whole pages, up to 4 GiB.
func pages(id uint64) float64 { return float64(id%(1<<20)) * 4096 }

// fraction is the value of what was divided or interpolated. It has all digits.
func fraction(id uint64) float64 { return float64(id>>11) / (1 << 53) }

// rate is a fraction, or 0 because nothing has happened, as often as not.
func rate(id uint64) float64 {
	if id%2 == 0 {
		return 0
	}
	return fraction(id)
}

// healthyRestarts are at most those that the alert PodFrequentlyRestarting tolerates.
func healthyRestarts(id uint64) float64 { return float64(id % 6) }

// healthyInconsistentSize is at most what the alert PersistentVolumeSizeMismatch tolerates.
func healthyInconsistentSize(id uint64) float64 { return float64(id%6) / 100 }

// bulkFamilies returns families with n series in all: those of one shoot after those of another.
func bulkFamilies(n int) []Family {
	var (
		families []Family
		of       = map[string]int{}
		left     = n
	)
	for shoot := 0; left > 0; shoot++ {
		for _, family := range bulk {
			for k := range family.families {
				name := family.name
				if family.families > 1 {
					name = fmt.Sprintf(family.name, k)
				}
				for j := range min(family.series, left) {
					if _, ok := of[name]; !ok {
						of[name] = len(families)
						families = append(families, gauges(name))
						families[of[name]].Selected = true
					}
					families[of[name]].Series = append(families[of[name]].Series, bulkSeries(family, name, shoot, j))
					left--
				}
			}
		}
	}
	return families
}

func bulkSeries(family bulkFamily, name string, shoot, j int) Series {
	namespace := shootNamespace(shoot)
	id := fnv.New64a()
	_, _ = fmt.Fprintf(id, "%s/%s/%d", name, namespace, j)

	labels := family.labels(namespace, j)
	switch (shoot + j) % 5 {
	case 1:
		labels = append(labels, labelJob, "kube-state-metrics", labelInstance, fmt.Sprintf("10.1.%d.%d:8080", shoot>>8&255, shoot&255))
	case 3:
		labels = append(labels, labelJob, aggregateJob)
	}
	return series(family.value(id.Sum64()), labels...)
}
