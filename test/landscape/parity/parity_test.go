// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity_test

import (
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/api"
	"github.com/prometheus/common/config"
	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

var _ = Describe("Compare", func() {
	It("should count what it has compared", func(ctx SpecContext) {
		report, differences := compareSeries(ctx,
			[]timeSeries{ts("1 2 3 4 5 6", "test_a"), ts(always, "test_b"), ts("1 _ _ _ _ _", "test_b", "a", "1")},
			[]timeSeries{ts(always, "test_a"), ts(always, "test_b"), ts("1 _ _ _ _ _", "test_b", "a", "2"), ts("1 _ _ _ _ _", "test_b", "a", "3")}, parity.Options{})
		Expect(differences).To(BeEmpty())
		Expect(report.SeriesInPull).To(Equal(4))
		Expect(report.SeriesInPush).To(Equal(5))
		Expect(report.Constant).To(Equal(2))
		Expect(report.Brief).To(Equal(3))
		Expect(report.Names()).To(BeEmpty())
		Expect(report.Family("test_b").Pull).To(Equal(2))
		Expect(report.Family("test_b").Push).To(Equal(3))
		Expect(report.Family("test_c")).To(BeNil())
	})

	It("should ask for the grid, and count a series once that two selectors match", func(ctx SpecContext) {
		pull, push := newFakePrometheus(base, ts("1 1 _ 1 1 1", "test_a")), newFakePrometheus(base, ts("1 1 _ 1 1 1", "test_a"))
		pull.answers[otherSelector] = []timeSeries{ts("1 _ 1 1 1 1", "test_a")}
		push.answers[otherSelector] = []timeSeries{ts("1 _ 1 1 1 1", "test_a")}
		report, err := compare(ctx, pull, push, parity.Options{Selectors: []string{selector, otherSelector}})
		Expect(err).NotTo(HaveOccurred())
		Expect(report.SeriesInPull).To(Equal(2))
		Expect(report.SeriesInPush).To(Equal(2))
		Expect(report.Constant).To(Equal(2))

		window := fmt.Sprintf(" %d %d 60 ", at.Add(-5*interval).Unix(), at.Unix())
		ranges := []any{
			"/api/v1/query_range " + selector + window,
			"/api/v1/query_range " + otherSelector + window,
			"/api/v1/query_range " + namesQuery + window,
		}
		Expect(pull.requests).To(HaveExactElements(ranges...))
		Expect(push.requests).To(HaveExactElements(append([]any{fmt.Sprintf("/api/v1/query %s    %d", seedsQuery, at.Unix())}, ranges...)...))
		Expect(report.Seeds).To(Equal([]string{"one", "two"}))
	})

	It("should end one interval ago by default", func(ctx SpecContext) {
		pull, push := newFakePrometheus(base), newFakePrometheus(base)
		DeferCleanup(pull.Close)
		DeferCleanup(push.Close)
		report, err := parity.Compare(ctx, pull.prometheus("reference"), push.prometheus("garden-0"), parity.Options{Selectors: []string{selector}, Interval: 500 * time.Millisecond})
		Expect(err).NotTo(HaveOccurred())
		Expect(report.Start).To(BeTemporally("~", time.Now().Add(-3*time.Second), time.Second))
		Expect(report.Differences()).To(BeZero())
		Expect(report.Constant).To(Equal(1))
	})

	Describe("options", func() {
		It("should leave out excluded jobs", func(ctx SpecContext) {
			report, differences := compareSeries(ctx, []timeSeries{ts(always, "test_base", "job", "prometheus-garden")}, []timeSeries{ts(always, "test_base", "job", "prometheus-garden", "a", "b")}, parity.Options{})
			Expect(differences).To(BeEmpty())
			Expect(report.SeriesInPull).To(Equal(1))

			_, differences = compareSeries(ctx, []timeSeries{ts(always, "test_base", "job", "prometheus-garden")}, nil, parity.Options{ExcludeJobs: []string{}})
			Expect(differences).To(HaveLen(1))
		})

		It("should leave out the alerts of the extension that the garden Prometheus evaluates, but not those of a seed", func(ctx SpecContext) {
			common := ts(always, "ALERTS", "alertname", "Foo")
			_, differences := compareSeries(ctx, []timeSeries{common}, []timeSeries{common, ts(always, "ALERTS", "alertname", "OTelFederationSeedDown", "service", "otel-federation", "topology", "garden")}, parity.Options{})
			Expect(differences).To(BeEmpty())
			_, differences = compareSeries(ctx, []timeSeries{common}, []timeSeries{common, ts(always, "ALERTS", "alertname", "OTelFederationCollectorDown", "service", "otel-federation", "type", "seed")}, parity.Options{})
			Expect(differences).To(HaveLen(1))
		})

		It("should exclude exactly the given jobs from the metric names", func(ctx SpecContext) {
			pull, push := newFakePrometheus(base), newFakePrometheus(base)
			_, err := compare(ctx, pull, push, parity.Options{ExcludeJobs: []string{"a.b", "c"}})
			Expect(err).NotTo(HaveOccurred())
			Expect(pull.requests).To(ContainElement(ContainSubstring(`count by (__name__) ({__name__=~".+",__name__!~"garden:otel_federation_.+",job!~"a\\.b|c"})`)))

			pull, push = newFakePrometheus(base), newFakePrometheus(base)
			_, err = compare(ctx, pull, push, parity.Options{ExcludeJobs: []string{}})
			Expect(err).NotTo(HaveOccurred())
			Expect(pull.requests).To(ContainElement(ContainSubstring(`count by (__name__) ({__name__=~".+",__name__!~"garden:otel_federation_.+"})`)))
		})

		It("should ignore labels, and merge series which are the same without", func(ctx SpecContext) {
			pull := []timeSeries{ts("1 1 1 _ _ _", "test_a", "timestamp", "1"), ts("_ _ _ 1 1 1", "test_a", "timestamp", "2"), ts(always, "test_b", "timestamp", "1"), ts("2 2 2 2 2 2", "test_b", "timestamp", "2")}
			push := []timeSeries{ts("1 1 1 5 1 1", "test_a", "timestamp", "3"), ts("2 2 2 2 2 2", "test_b", "timestamp", "3")}
			_, differences := compareSeries(ctx, pull, push, parity.Options{IgnoreLabels: []string{"timestamp"}})
			Expect(differences).To(Equal([]string{"value differs: test_a: pull 1 push 5 at 12:03:00Z"}))

			// Which of two values is the right one is unknown, whichever side has them.
			report, differences := compareSeries(ctx, push[1:], pull[2:], parity.Options{IgnoreLabels: []string{"timestamp"}})
			Expect(differences).To(BeEmpty())
			Expect(report.Constant).To(Equal(1))

			_, differences = compareSeries(ctx, pull, push, parity.Options{})
			Expect(differences).NotTo(HaveLen(1))
		})

		It("should refuse to compare when too few values are constant", func(ctx SpecContext) {
			pulled := []timeSeries{ts(always, "test_a"), ts("1 2 1 1 1 1", "test_b"), ts("_ 1 1 1 1 1", "test_c")}
			// The base of pull is constant, too.
			_, err := compare(ctx, newFakePrometheus(append(pulled, base)...), newFakePrometheus(base), parity.Options{MinConstant: 0.51})
			Expect(err).To(MatchError(ContainSubstring("only 2 of 4 series of Prometheus reference have had one value at all of the 6 times")))
			report, err := compare(ctx, newFakePrometheus(append(pulled, base)...), newFakePrometheus(base), parity.Options{MinConstant: 0.5})
			Expect(err).NotTo(HaveOccurred())
			Expect(report.Differences()).To(Equal(3))
		})

		It("should use the given seeds", func(ctx SpecContext) {
			pull, push := newFakePrometheus(base), newFakePrometheus(base)
			report, err := compare(ctx, pull, push, parity.Options{Seeds: []string{"three"}})
			Expect(err).NotTo(HaveOccurred())
			Expect(report.Seeds).To(Equal([]string{"three"}))
			Expect(push.requests).NotTo(ContainElement(ContainSubstring(seedsQuery)))
		})

		It("should authenticate", func(ctx SpecContext) {
			pull, push := newFakePrometheus(base), newFakePrometheus(base)
			_, err := compare(ctx, pull, push, parity.Options{RoundTripper: config.NewAuthorizationCredentialsRoundTripper("Bearer", config.NewInlineSecret("token"), api.DefaultRoundTripper)})
			Expect(err).NotTo(HaveOccurred())
			Expect(append(pull.tokens, push.tokens...)).To(HaveEach("Bearer token"))
		})

		DescribeTable("that are wrong", func(ctx SpecContext, o parity.Options, expected string) {
			_, err := parity.Compare(ctx, &landscape.Prometheus{}, &landscape.Prometheus{}, o)
			Expect(err).To(MatchError(ContainSubstring(expected)))
		},
			Entry("interval", parity.Options{Interval: -time.Second}, "interval -1s"),
			Entry("interval below a millisecond", parity.Options{Interval: time.Microsecond}, "interval 1µs"),
			Entry("too few times", parity.Options{Steps: 2}, "2 evaluation times"),
			Entry("too many times", parity.Options{Steps: 61}, "61 evaluation times"),
			Entry("selector", parity.Options{Selectors: []string{""}}, "selector"),
			Entry("seed", parity.Options{Seeds: []string{""}}, "seed"),
			Entry("prefix", parity.Options{PushPrefix: "shadow:.+"}, `"shadow:.+" is not a prefix of metric names: use letters, digits, underscores and colons, like "shadow:"`),
			Entry("selector with a prefix", parity.Options{PushPrefix: "shadow:", Selectors: []string{"up", "rate(up[5m])"}}, `selector rate(up[5m]) cannot be used with the prefix "shadow:", which needs a PromQL vector selector: expected nothing more at "(up[5m])"`),
			Entry("ignored name", parity.Options{IgnoreLabels: []string{"__name__"}}, "__name__"),
		)
	})

	It("should support the largest number of times", func(ctx SpecContext) {
		all := []timeSeries{ts(strings.Repeat("1 ", 60), "test_a")}
		push := newFakePrometheus(ts(strings.Repeat("1 ", 58)+"2 1", "test_a"))
		report, err := compare(ctx, newFakePrometheus(all...), push, parity.Options{Steps: 60})
		Expect(err).NotTo(HaveOccurred())
		Expect(lines(report)).To(Equal([]string{"value differs: test_a: pull 1 push 2 at 12:04:00Z"}))
	})

	It("should select what federation carries and what a push adds by default", func() {
		Expect(parity.DefaultSelectors()).To(Equal(append(landscape.Selectors(),
			`{__name__=~"up|scrape_.+",job="prometheus-aggregate"}`,
			`{__name__=~"target_info|otel_.+"}`,
		)))
		Expect(parity.DefaultSelectors()).To(HaveLen(16))
	})

	Describe("metric names", func() {
		names := func(ctx SpecContext, pull, push []timeSeries, o parity.Options) []string {
			pullPrometheus, pushPrometheus := newFakePrometheus(base), newFakePrometheus(base, ts(always, "test_a"))
			pullPrometheus.answers[namesQuery] = append(pullPrometheus.answers[namesQuery], pull...)
			pushPrometheus.answers[namesQuery] = append(pushPrometheus.answers[namesQuery], push...)
			report, err := compare(ctx, pullPrometheus, pushPrometheus, o)
			Expect(err).NotTo(HaveOccurred())
			return lines(report)
		}
		counted := "only in push: test_a: present at 6 of 6 times"

		It("should find names that only push has, once", func(ctx SpecContext) {
			Expect(names(ctx, nil, []timeSeries{ts("7 7 7 7 7 8", "extra")}, parity.Options{})).To(Equal([]string{
				"only in push: extra: pull has no metric of this name, push has 8 series of it", counted,
			}))
		})
		It("should not take names for extra that pull has at any time, or push too briefly", func(ctx SpecContext) {
			Expect(names(ctx, []timeSeries{ts("_ 1 _ _ _ _", "some")}, []timeSeries{ts(always, "some"), ts("_ 1 1 _ 1 1", "brief")}, parity.Options{})).To(Equal([]string{counted}))
		})
		It("should not look for them if told so", func(ctx SpecContext) {
			Expect(names(ctx, nil, []timeSeries{ts(always, "extra")}, parity.Options{IgnoreExtraNames: true})).To(Equal([]string{counted}))
		})
	})

	Describe("errors", func() {
		It("should not compare with nothing", func(ctx SpecContext) {
			_, err := compare(ctx, newFakePrometheus(), newFakePrometheus(), parity.Options{})
			Expect(err).To(MatchError(And(ContainSubstring("Prometheus reference has no series"), ContainSubstring("wait until"))))
			_, err = compare(ctx, newFakePrometheus(ts("_ 1 1 1 1 1", "test_a")), newFakePrometheus(ts(always, "test_a")), parity.Options{})
			Expect(err).To(MatchError(ContainSubstring("Prometheus reference has no series at all of the 6 times")))
		})
		It("should say that nobody pushes", func(ctx SpecContext) {
			push := newFakePrometheus(base)
			push.up = []model.Metric{{"job": "prometheus-aggregate"}}
			_, err := compare(ctx, newFakePrometheus(base), push, parity.Options{})
			Expect(err).To(MatchError(And(ContainSubstring("Prometheus garden-0 has no "+seedsQuery), ContainSubstring("is federation by push enabled?"))))
		})
		It("should say which Prometheus fails at what", func(ctx SpecContext) {
			pull := newFakePrometheus(base)
			pull.failures = 1
			_, err := compare(ctx, pull, newFakePrometheus(base), parity.Options{})
			Expect(err).To(MatchError(And(ContainSubstring("Prometheus reference"), ContainSubstring(selector), ContainSubstring("too many samples"))))
		})
		It("should not take native histograms for equal", func(ctx SpecContext) {
			push := newFakePrometheus(base)
			push.histogram = true
			_, err := compare(ctx, newFakePrometheus(base), push, parity.Options{})
			Expect(err).To(MatchError(And(ContainSubstring("Prometheus garden-0: series test_base"), ContainSubstring("native histogram"))))
		})
		It("should not take samples of other times", func(ctx SpecContext) {
			pull := newFakePrometheus(base)
			pull.offset = 2 * time.Millisecond
			_, err := compare(ctx, pull, newFakePrometheus(base), parity.Options{})
			Expect(err).To(MatchError(ContainSubstring("Prometheus reference: series test_base has a sample at 2026-01-01T12:00:00.002Z")))
		})
		It("should take samples that are off by a rounding error", func(ctx SpecContext) {
			pull, push := newFakePrometheus(base), newFakePrometheus(base)
			pull.offset, push.offset = -time.Millisecond, time.Millisecond
			report, err := compare(ctx, pull, push, parity.Options{})
			Expect(err).NotTo(HaveOccurred())
			Expect(report.Constant).To(Equal(1))
		})
		It("should not take another kind of answer", func(ctx SpecContext) {
			pull := newFakePrometheus(base)
			pull.scalar = true
			_, err := compare(ctx, pull, newFakePrometheus(base), parity.Options{})
			Expect(err).To(MatchError(ContainSubstring("by a scalar, not a matrix")))
		})
		It("should say that there is no such Prometheus", func(ctx SpecContext) {
			_, err := parity.Compare(ctx, nil, &landscape.Prometheus{}, parity.Options{})
			Expect(err).To(MatchError(ContainSubstring("no such Prometheus")))
		})
	})

	It("should compare 50000 broken series in seconds", func(ctx SpecContext) {
		pull, push := []timeSeries{base}, []timeSeries{base}
		for i := range 25000 {
			labels := []string{"pod", fmt.Sprint("pod-", i), "namespace", fmt.Sprint("namespace-", i%100), "seed", "one", "prometheus", "garden/aggregate"}
			pull = append(pull, ts(always, "test_labels", labels...), ts(always, "test_left", labels...))
			push = append(push, ts(always, "test_labels", append(labels, "instance", "i", "job", "j")...), ts(always, "test_left", append(labels, "a", "1", "b", "2")...))
		}
		pullPrometheus, pushPrometheus := newFakePrometheus(pull...), newFakePrometheus(push...)
		start := time.Now()
		report, err := compare(ctx, pullPrometheus, pushPrometheus, parity.Options{})
		Expect(err).NotTo(HaveOccurred())
		Expect(time.Since(start)).To(BeNumerically("<", 30*time.Second))
		Expect(report.Family("test_labels").Differences[parity.LabelsDiffer]).To(HaveLen(25000))
		Expect(report.Family("test_left").Differences[parity.OnlyInPull]).To(HaveLen(25000))
		Expect(report.Family("test_left").Differences[parity.OnlyInPush]).To(HaveLen(25000))
	})
})
