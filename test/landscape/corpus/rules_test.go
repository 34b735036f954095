// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"
	testclock "k8s.io/utils/clock/testing"

	gardenprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
)

// rule is a rule of Gardener's garden Prometheus.
type rule struct {
	alert, record, expression string
}

var (
	comment       = regexp.MustCompile(`(?m)#.*$`)
	federatedName = regexp.MustCompile(`(?:seed|shoot|metering):[\w:]+|ALERTS`)
)

// rules are Gardener's rules for the garden, without comments and superfluous white space.
func rules(seeds ...string) []rule {
	GinkgoHelper()
	objects, err := gardenprometheus.CentralPrometheusRules(true, seeds)
	Expect(err).NotTo(HaveOccurred())
	var all []rule
	for _, object := range objects {
		for _, group := range object.Spec.Groups {
			for _, r := range group.Rules {
				all = append(all, rule{alert: r.Alert, record: r.Record, expression: strings.Join(strings.Fields(comment.ReplaceAllString(r.Expr.StrVal, "")), " ")})
			}
		}
	}
	Expect(all).NotTo(BeEmpty())
	return all
}

// federatedNames are the names of federated series in the rule's expression.
func (r rule) federatedNames() []string {
	var names []string
	for _, name := range federatedName.FindAllString(r.expression, -1) {
		labels := map[string]string{model.MetricNameLabel: name, "namespace": "extension-foo", "container": "kube-apiserver"}
		if slices.ContainsFunc(selectors(), func(s selector) bool { return s.matches(labels) }) {
			names = append(names, name)
		}
	}
	return names
}

// federatedAlert is what an alert of the garden makes of federated series.
type federatedAlert struct {
	// expression is in the alert's expression. If Gardener changes it, fires has to be changed, too.
	expression string
	fires      func(sample) bool
}

func named(name string, fires func(sample) bool) func(sample) bool {
	return func(s sample) bool { return s.labels[model.MetricNameLabel] == name && fires(s) }
}

func firing(alertname string, labels ...string) func(sample) bool {
	return named("ALERTS", func(s sample) bool {
		for i := 0; i < len(labels); i += 2 {
			if !regexp.MustCompile("^(?:" + labels[i+1] + ")$").MatchString(s.labels[labels[i]]) {
				return false
			}
		}
		return s.labels["alertname"] == alertname && s.labels["alertstate"] == "firing"
	})
}

var federatedAlerts = map[string]federatedAlert{
	"PodFrequentlyRestarting": {
		"seed:kube_pod_container_status_restarts_total:max_by_namespace > 5",
		named("seed:kube_pod_container_status_restarts_total:max_by_namespace", func(s sample) bool { return s.value > 5 }),
	},
	"PersistentVolumeSizeMismatch": {
		"round((seed:persistentvolume:inconsistent_size > 0.05) * 10000) / 100",
		named("seed:persistentvolume:inconsistent_size", func(s sample) bool { return s.value > 0.05 }),
	},
	"ApproachingSeedCapacity": {
		`ALERTS{alertname = "ApproachingSeedCapacity", alertstate = "firing"}`,
		firing("ApproachingSeedCapacity"),
	},
	"SeedKubeEtcd3MainDbSizeLimitApproaching": {
		`ALERTS{alertname="KubeEtcd3MainDbSizeLimitApproaching",alertstate="firing",namespace=~"shoot--garden--.+"}`,
		firing("KubeEtcd3MainDbSizeLimitApproaching", "namespace", "shoot--garden--.+"),
	},
	"SeedKubeEtcd3MainDbSizeLimitCrossed": {
		`ALERTS{alertname="KubeEtcd3MainDbSizeLimitCrossed",alertstate="firing",namespace=~"shoot--garden--.+"}`,
		firing("KubeEtcd3MainDbSizeLimitCrossed", "namespace", "shoot--garden--.+"),
	},
	"SeedPodStuckInPending": {
		`ALERTS{alertname="PodStuckInPending",alertstate="firing"}`,
		firing("PodStuckInPending"),
	},
	"SeedVerticalPodAutoscalerCappedRecommendationCount": {
		`count by (seed) (ALERTS{alertname="VerticalPodAutoscalerCappedRecommendation", type="seed", alertstate="firing"})`,
		firing("VerticalPodAutoscalerCappedRecommendation", "type", "seed"),
	},
	"NodeFilesystemAlmostOutOfFiles": {
		`shoot:node_filesystem_files_free:percent{project="garden"} < 5`,
		named("shoot:node_filesystem_files_free:percent", func(s sample) bool { return s.labels["project"] == "garden" && s.value < 5 }),
	},
	"ShootVerticalPodAutoscalerCappedRecommendationCount": {
		`count by (cluster) (ALERTS{alertname="VerticalPodAutoscalerCappedRecommendation", type="shoot", alertstate="firing"})`,
		firing("VerticalPodAutoscalerCappedRecommendation", "type", "shoot", "cluster", ".+"),
	},
}

// firingAlerts are the alerts that fire because of the series.
func firingAlerts(all []sample) []string {
	var alerts []string
	for name, alert := range federatedAlerts {
		if slices.ContainsFunc(all, alert.fires) {
			alerts = append(alerts, name)
		}
	}
	return alerts
}

var _ = Describe("Gardener's rules for the garden", func() {
	var clock = testclock.NewFakePassiveClock(time.Unix(1753000000, 0))

	It("should be the ones that these tests know", func() {
		known := map[string]bool{}
		for _, rule := range rules("local") {
			if rule.alert == "" || len(rule.federatedNames()) == 0 {
				continue
			}
			Expect(federatedAlerts).To(HaveKey(rule.alert), rule.expression)
			Expect(rule.expression).To(ContainSubstring(federatedAlerts[rule.alert].expression))
			known[rule.alert] = true
		}
		Expect(known).To(HaveLen(len(federatedAlerts)))
	})

	DescribeTable("without an incident",
		func(options corpus.Options) {
			exporter, err := corpus.NewExporter(options, clock)
			Expect(err).NotTo(HaveOccurred())
			Expect(firingAlerts(samples(scrape(exporter, "")))).To(BeEmpty())
		},
		Entry("default", corpus.Options{}),
		Entry("70000 series", corpus.Options{Series: 70000}),
		Entry("all names", corpus.Options{UTF8Names: true, Changing: true}),
	)

	It("should come close to firing, to notice a value that is carried as a higher one", func() {
		exporter, err := corpus.NewExporter(corpus.Options{}, clock)
		Expect(err).NotTo(HaveOccurred())
		highest := map[string]float64{}
		for _, sample := range samples(scrape(exporter, "")) {
			name := sample.labels[model.MetricNameLabel]
			highest[name] = max(highest[name], sample.value)
		}
		Expect(highest).To(HaveKeyWithValue("seed:kube_pod_container_status_restarts_total:max_by_namespace", 5.0))
		Expect(highest).To(HaveKeyWithValue("seed:persistentvolume:inconsistent_size", 0.05))
	})

	It("should fire because of an incident in a shoot's control plane", func() {
		path := filepath.Join(GinkgoT().TempDir(), "changes.json")
		exporter, err := corpus.NewExporter(corpus.Options{Seed: "my-seed"}, clock)
		Expect(err).NotTo(HaveOccurred())
		exporter.FollowChanges(path)
		before := parse(scrape(exporter, ""))

		Expect(corpus.Changes{Incidents: []string{"shoot-control-plane"}}.Write(path)).To(Succeed())
		all := samples(scrape(exporter, ""))
		Expect(all).To(HaveLen(len(before) + 8))
		Expect(firingAlerts(all)).To(ConsistOf(
			"PodFrequentlyRestarting", "PersistentVolumeSizeMismatch", "SeedKubeEtcd3MainDbSizeLimitApproaching", "SeedKubeEtcd3MainDbSizeLimitCrossed",
			"SeedPodStuckInPending", "NodeFilesystemAlmostOutOfFiles", "ShootVerticalPodAutoscalerCappedRecommendationCount",
		))
		Expect(all).To(ContainElement(Satisfy(firing("KubeApiserverDown", "cluster", "shoot--garden--my-seed", "severity", "blocker"))))

		seen := map[string]bool{}
		for _, sample := range all {
			seen[federated(sample.labels)] = true
		}
		Expect(seen).To(HaveLen(len(all)))
	})

	It("should find the metering of the seed and of its shoots", func() {
		exporter, err := corpus.NewExporter(corpus.Options{Seed: "my-seed"}, clock)
		Expect(err).NotTo(HaveOccurred())
		all := parse(scrape(exporter, ""))

		names := map[string]bool{}
		for _, rule := range rules("my-seed") {
			if rule.record == "" {
				continue
			}
			for _, name := range rule.federatedNames() {
				names[name] = true
			}
		}
		Expect(names).To(HaveLen(12))
		for name := range names {
			var found []string
			for _, labels := range all {
				if labels[model.MetricNameLabel] == name {
					found = append(found, strings.TrimSpace(labels["namespace"]+" "+labels["shoot_uid"]+labels["instance_type"]+" "+labels["resource"]))
				}
			}
			if strings.HasSuffix(name, ":sum_by_instance_type") {
				Expect(found).To(ConsistOf("m5.large cpu", "m5.large memory"), name)
			} else {
				Expect(found).To(ConsistOf("garden", "shoot--local--one-my-seed my-seed-one", "shoot--local--two-my-seed my-seed-two"), name)
			}
		}
	})
})
