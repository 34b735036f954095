// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity_test

import (
	"bytes"
	"context"
	"regexp"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"

	gardenprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

const (
	pullSelector      = `{__name__=~"test.+",__name__!~"shadow:.*"}`
	shadowSelector    = `{__name__=~"shadow:(?:test.+)"}`
	pullNamesQuery    = `count by (__name__) ({__name__=~".+",__name__!~"garden:otel_federation_.+",job!~"prometheus-garden|otel-federation-garden|gardener-extension-otel-federation-runtime",__name__!~"shadow:.*"})`
	shadowNamesQuery  = `count by (__name__) ({__name__=~"shadow:(?:.+)",__name__!~"shadow:(?:garden:otel_federation_.+)",job!~"prometheus-garden|otel-federation-garden|gardener-extension-otel-federation-runtime"})`
	shadowSeedsQuery  = `{__name__="shadow:up",job="prometheus-aggregate"}`
	federatedTestName = "test_federated"
)

var _ = Describe("Prefix", func() {
	// compareShadow compares both sides of one Prometheus. Without answers of its own it has names for all series.
	compareShadow := func(ctx context.Context, pull, shadow []timeSeries, names ...timeSeries) (*parity.Report, *fakePrometheus, error) {
		p := newFakePrometheus()
		p.seedsQuery = shadowSeedsQuery
		federated := []timeSeries{ts(always, federatedTestName, "seed", "one")}
		p.answers = map[string][]timeSeries{pullSelector: append(federated, pull...), shadowSelector: shadowOf(append(federated, shadow...)), shadowNamesQuery: names}
		report, err := compare(ctx, p, p, parity.Options{PushPrefix: "shadow:"})
		return report, p, err
	}

	It("should compare pull with what the same Prometheus stores with the prefix", func(ctx SpecContext) {
		report, p, err := compareShadow(ctx,
			append(target(always, "")[:5], ts(always, "test_a", "seed", "one"), ts(always, "test_b", "seed", "one"), ts(always, "test_c", "seed", "one"), ts(always, "test_d", "seed", "foreign")),
			append(target(always, "one")[:5], ts("2 2 2 2 2 2", "test_a", "seed", "one"), ts(always, "test_b", "seed", "one", "instance", "i"), ts("1 _ 1 1 1 1", "test_c", "seed", "one"), ts(always, "test_d", "seed", "one")),
		)
		Expect(err).NotTo(HaveOccurred())
		Expect(lines(report)).To(Equal([]string{
			`value differs: test_a{seed="one"}: pull 1 push 2 at 12:01:00Z`,
			`labels differ: test_b{seed="one"}: instance: pull "" push "i"`,
			`staleness: missing in push: test_c{seed="one"}: missing at 12:01:00Z`,
		}))
		Expect(report.Seeds).To(Equal([]string{"one", "two"}))
		Expect(report.Intended).To(Equal(map[string]int{parity.TargetSeed: 5, parity.ForeignSeed: 1}))
		Expect(report.NotFederated).To(BeEmpty())
		Expect(report.SeriesInPull).To(Equal(10))
		Expect(report.SeriesInPush).To(Equal(10))
		Expect(p.queries).To(ConsistOf(shadowSeedsQuery, pullSelector, shadowSelector, pullNamesQuery, shadowNamesQuery))
	})

	It("should find names that only push has, without the prefix", func(ctx SpecContext) {
		report, _, err := compareShadow(ctx, nil, nil, ts(always, "shadow:"+federatedTestName), ts("7 7 7 7 7 7", "shadow:extra"))
		Expect(err).NotTo(HaveOccurred())
		// The names of pull have no answer.
		Expect(lines(report)).To(Equal([]string{
			"only in push: extra: pull has no metric of this name, push has 7 series of it",
			"only in push: " + federatedTestName + ": pull has no metric of this name, push has 1 series of it",
		}))
	})

	It("should say what it has left out, and which prefix it has removed", func(ctx SpecContext) {
		report, _, err := compareShadow(ctx, []timeSeries{ts(always, "test_a"), ts(always, "test_a", "job", "a"), ts(always, "ALERTS", "alertname", "a", "seed", "one")}, nil)
		Expect(err).NotTo(HaveOccurred())
		out := &bytes.Buffer{}
		Expect(report.Write(out, parity.WriteOptions{})).To(Succeed())
		Expect(out.String()).To(Equal(`reference (pull) and garden-0 (push, without shadow:) at 6 times, each 1m0s, from 2026-01-01T12:00:00Z; seeds: one, two

series compared: 1 in pull, 1 in push
constant values compared: 1
series on one side only, but too briefly to judge: 0
left out of pull as not federated, ALERTS: 1
left out of pull as not federated, test_a: 2
differences: 0
`))
	})

	It("should count a series once that is left out twice", func(ctx SpecContext) {
		p := newFakePrometheus()
		p.answers = map[string][]timeSeries{
			pullSelector:                           {ts(always, federatedTestName, "seed", "one"), ts(always, "test_a")},
			`{__name__="a",__name__!~"shadow:.*"}`: {ts(always, "test_a")},
		}
		report, err := compare(ctx, p, p, parity.Options{PushPrefix: "shadow:", Selectors: []string{selector, "a"}, Seeds: []string{"one"}})
		Expect(err).NotTo(HaveOccurred())
		Expect(report.NotFederated).To(Equal(map[string]int{"test_a": 1}))
	})

	DescribeTable("what is left out of pull",
		func(ctx SpecContext, one timeSeries, federated bool) {
			name := string(one.metric[model.MetricNameLabel])
			report, _, err := compareShadow(ctx, []timeSeries{one}, nil)
			Expect(err).NotTo(HaveOccurred())
			if federated {
				Expect(lines(report)).To(HaveExactElements(HavePrefix("only in pull: ")))
				Expect(report.NotFederated).To(BeEmpty())
			} else {
				Expect(lines(report)).To(BeEmpty())
				Expect(report.NotFederated).To(Equal(map[string]int{name: 1}))
			}

			report, differences := compareSeries(ctx, []timeSeries{one}, nil, parity.Options{})
			Expect(differences).To(HaveLen(1), "nothing is left out without a prefix")
			Expect(report.NotFederated).To(BeEmpty())

			// What is pushed is never left out.
			report, _, err = compareShadow(ctx, nil, []timeSeries{one})
			Expect(err).NotTo(HaveOccurred())
			Expect(lines(report)).To(HaveExactElements(HavePrefix("only in push: ")))
		},
		Entry("federated series", ts(always, "seed:a:count", "seed", "one"), true),
		Entry("federated alert", ts(always, "ALERTS", "alertname", "PodStuckInPending", "shoot_alertname", "PodStuckInPending", "seed", "one"), true),
		Entry("state of a federated alert", ts(always, "ALERTS_FOR_STATE", "alertname", "PodStuckInPending", "shoot_alertname", "PodStuckInPending", "seed", "one"), true),
		Entry("federation target", ts(always, "up", "job", "prometheus-aggregate", "instance", "i"), true),
		Entry("scrape of the federation target", ts(always, "scrape_series_added", "job", "prometheus-aggregate", "instance", "i"), true),

		Entry("target of the garden", ts(always, "up", "job", "kube-state-metrics"), false),
		Entry("series of a target of the garden", ts(always, "kube_node_spec_taint", "job", "kube-state-metrics"), false),
		Entry("series of the extension about a seed", ts(always, "otel_federation_seed_token_expiry_timestamp_seconds", "seed", "one"), false),
		Entry("target_info", ts(always, "target_info", "seed", "one"), false),
		Entry("alert of the garden", ts(always, "ALERTS", "alertname", "EtcdMainDown"), false),
		Entry("alert of the garden because of the federation target", ts(always, "ALERTS", "alertname", "SeedFederationFailure", "job", "prometheus-aggregate", "instance", "i"), false),
		Entry("alert of the garden because of a federated series", ts(always, "ALERTS", "alertname", "PodFrequentlyRestarting", "seed", "one"), false),
		Entry("alert of the garden because of a federated alert", ts(always, "ALERTS", "alertname", "SeedPodStuckInPending", "shoot_alertname", "PodStuckInPending", "seed", "one"), false),
		Entry("state of an alert of the garden", ts(always, "ALERTS_FOR_STATE", "alertname", "PodFrequentlyRestarting", "seed", "one"), false),
		Entry("record of the garden because of a federated alert", ts(always, "a:b", "shoot_alertname", "PodStuckInPending", "seed", "one"), false),
		Entry("record of the garden because of the federation target", ts(always, "healthcheck", "job", "prometheus-aggregate", "instance", "i"), false),
	)

	It("should find out by labels which results of Gardener's rules are federated", func() {
		rules, err := gardenprometheus.CentralPrometheusRules(true, []string{"one"})
		Expect(err).NotTo(HaveOccurred())

		var selected []*regexp.Regexp
		for _, selector := range landscape.Selectors() {
			name := regexp.MustCompile(`^\{__name__=~?"([^"]+)"`).FindStringSubmatch(selector)
			Expect(name).To(HaveLen(2), selector)
			selected = append(selected, regexp.MustCompile("^(?:"+name[1]+")$"))
		}
		alertSelector := regexp.MustCompile(`ALERTS\{[^}]*\balertname *= *"([^"]+)"`)
		records, alerts := 0, 0
		var sameName []string
		for _, rule := range rules {
			for _, group := range rule.Spec.Groups {
				for _, rule := range group.Rules {
					expression := rule.Expr.String()
					if rule.Record != "" {
						records++
						Expect(expression).NotTo(ContainSubstring("ALERTS"))
						for _, name := range selected {
							Expect(rule.Record).NotTo(MatchRegexp(name.String()), "a result of a rule looks like a federated series")
						}
						continue
					}
					alerts++
					sources := alertSelector.FindAllStringSubmatch(expression, -1)
					Expect(sources).To(HaveLen(len(regexp.MustCompile(`\bALERTS\b`).FindAllString(expression, -1))), expression)
					for _, source := range sources {
						if source[1] == rule.Alert {
							sameName = append(sameName, rule.Alert)
						}
					}
				}
			}
		}
		Expect(records).To(BeNumerically(">", 30))
		Expect(alerts).To(BeNumerically(">", 30))
		// This one looks at itself, by an aggregation that drops shoot_alertname.
		Expect(sameName).To(HaveExactElements("ApproachingSeedCapacity", "ApproachingSeedCapacity"))
	})

	It("should say that nothing is pushed with the prefix", func(ctx SpecContext) {
		p := newFakePrometheus(base)
		_, err := compare(ctx, p, p, parity.Options{PushPrefix: "shadow:"})
		Expect(err).To(MatchError(`Prometheus garden-0 has no {__name__="shadow:up",job="prometheus-aggregate"} with a label seed: is what is pushed stored with the prefix "shadow:"?`))
	})

	It("should not take series for pushed ones that have not the prefix", func(ctx SpecContext) {
		p := newFakePrometheus()
		p.answers[shadowSelector] = []timeSeries{ts(always, "test_a")}
		_, err := compare(ctx, p, p, parity.Options{PushPrefix: "shadow:", Seeds: []string{"one"}})
		Expect(err).To(MatchError(ContainSubstring(`Prometheus garden-0: series test_a has not the prefix "shadow:", for which alone was asked`)))
	})
})

// shadowOf returns series as they are stored with the prefix.
func shadowOf(all []timeSeries) []timeSeries {
	var shadow []timeSeries
	for _, one := range all {
		metric := one.metric.Clone()
		metric[model.MetricNameLabel] = "shadow:" + metric[model.MetricNameLabel]
		shadow = append(shadow, timeSeries{metric, one.values})
	}
	return shadow
}
