// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

const (
	// vanishingFamily is a family of the corpus that a spec takes away.
	vanishingFamily = "shoot:a:b"
	// vanishingAlert is an alert of the corpus that a spec resolves.
	vanishingAlert = "ApiServerUnreachable"

	// transport is what a sample may take from a seed to the garden Prometheis. It is not scaled like the intervals.
	transport = 2 * time.Second
)

// It comes first: averages of the metering rules depend on the history of a Prometheus, which is that of pull only as long as no replica
// has been rolled.
var _ = Describe("Fidelity", Ordered, SpecPriority(1), func() {
	var (
		ctx      context.Context
		incident = corpus.Changes{Incidents: []string{corpus.IncidentShootControlPlane}}
		// Not those of metering, from which rules of the garden record series of the same kind.
		federated = fmt.Sprintf(`{__name__=~"(seed|shoot):.+",__name__!=%q,seed=%q}`, vanishingFamily, seedOther)
	)

	// So that nothing is pulled, whatever the specs do to the push.
	BeforeAll(func() {
		handOverAll(context.Background())
	})

	BeforeEach(func() {
		ctx = context.Background()
		DeferCleanup(func() {
			Expect(ls.ChangeCorpus(seedOther, corpus.Changes{})).To(Succeed())
		})
	})

	It("stores the series that pull stores, and no other", func() {
		expectParity(ctx, parity.Options{MinConstant: 0.9})
		expectNoRejections(ctx)
	})

	It("lets a series and a resolved alert vanish as soon as pull does", func() {
		Expect(ls.ChangeCorpus(seedOther, corpus.Changes{Hide: []corpus.Matcher{
			{model.MetricNameLabel: vanishingFamily},
			{model.MetricNameLabel: "ALERTS", "alertname": vanishingAlert},
		}})).To(Succeed())

		expectVanished(ctx, ls.ScrapeInterval+transport,
			fmt.Sprintf(`%s{seed=%q}`, vanishingFamily, seedOther),
			fmt.Sprintf(`ALERTS{seed=%q,alertname=%q}`, seedOther, vanishingAlert),
		)
		expectNoRejections(ctx)
	})

	It("shows no gap when the collector of a seed is restarted, and nothing that lingers", func() {
		const resolution = 500 * time.Millisecond
		before := seriesOf(ctx, federated)
		started := time.Now().Truncate(resolution)

		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: gardenNamespace, Name: seedCollectorPod}}
		Expect(ls.Seed(seedOther).Delete(ctx, pod)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(ls.PodMetrics(ctx, seedOther, seedCollectorPod, 8888)).Error().To(HaveOccurred())
		}).WithPolling(100 * time.Millisecond).Should(Succeed())
		// The new collector has never seen this family. So nobody marks it as stale.
		Expect(ls.ChangeCorpus(seedOther, corpus.Changes{Hide: []corpus.Matcher{{model.MetricNameLabel: vanishingFamily}}})).To(Succeed())
		hidden := time.Now()
		expectFederated(ctx, seedOther, hidden.Add(2*ls.ScrapeInterval))

		ended := time.Now().Add(-resolution).Truncate(resolution)
		for _, replica := range landscape.GardenReplicas {
			counts := rangeOf(ctx, replica, "count("+federated+")", started, ended, resolution)
			Expect(counts).To(HaveLen(1))
			Expect(counts[0].Values).To(HaveLen(int(ended.Sub(started)/resolution)+1), "instant queries to %s with a result", replica)
			Expect(counts[0].Values).To(HaveEach(HaveField("Value", BeNumerically("~", before, 0))), "number of series in %s", replica)

			Eventually(func(g Gomega) {
				g.Expect(ls.Prometheus(replica).Query(ctx, fmt.Sprintf(`%s{seed=%q}`, vanishingFamily, seedOther))).To(BeEmpty(), "%s in %s", vanishingFamily, replica)
			}).WithTimeout(time.Until(hidden.Add(ls.ScrapeInterval + ls.Lookback() + transport))).Should(Succeed())
		}
		expectNoRejections(ctx)
	})

	It("lets Gardener's rules come to the same results while all is healthy", func() {
		expectRulesHealthy(ctx)
		expectParity(ctx, ruleOptions(ctx))
		for _, name := range comparedPrometheis() {
			Expect(ls.Prometheus(name).Query(ctx, firing(alertsOfIncident...))).To(BeEmpty(), "alerts in %s", name)
			Expect(ls.Prometheus(name).Query(ctx, `count(metering:cpu_usage:sum_by_namespace:meta) >= 4`)).NotTo(BeEmpty(), "metering in %s", name)
		}
	})

	It("lets Gardener's alerts fire and resolve as with pull when the control plane of a shoot has problems", func() {
		Expect(ls.ChangeCorpus(seedOther, incident)).To(Succeed())
		Eventually(func(g Gomega) {
			for _, name := range comparedPrometheis() {
				for _, alert := range alertsOfIncident {
					g.Expect(ls.Prometheus(name).Query(ctx, firing(alert))).NotTo(BeEmpty(), "alert %s in %s", alert, name)
				}
			}
		}).Should(Succeed())
		expectParity(ctx, ruleOptions(ctx))

		Expect(ls.ChangeCorpus(seedOther, corpus.Changes{})).To(Succeed())
		// The rules are evaluated at a phase of their own in each Prometheus.
		expectVanished(ctx, 2*ls.ScrapeInterval+transport, firing(alertsOfIncident...))
		expectParity(ctx, ruleOptions(ctx))
		expectRulesHealthy(ctx)
	})

	It("shows that the aggregate Prometheus of a seed is down as pull does", func() {
		DeferCleanup(func() {
			Expect(ls.StartAggregate(ctx, seedOther)).To(Succeed())
		})
		Expect(ls.StopAggregate(ctx, seedOther)).To(Succeed())

		instance := "p-seed." + gardener.SeedIngressDomain(seedOther)
		down := fmt.Sprintf(`up{job=%q,instance=%q} == 0`, constants.JobPrometheusAggregate, instance)
		failure := fmt.Sprintf(`ALERTS{alertname="SeedFederationFailure",alertstate="firing",instance=%q}`, instance)
		absent := fmt.Sprintf(`healthcheck{task="federate:metering:absent",seed=%q}`, seedOther)
		expectVanished(ctx, ls.ScrapeInterval+transport, federated)
		Eventually(func(g Gomega) {
			for _, name := range comparedPrometheis() {
				for _, query := range []string{down, failure, absent} {
					g.Expect(ls.Prometheus(name).Query(ctx, query)).To(HaveLen(1), "%s in %s", query, name)
				}
			}
		}).Should(Succeed())
		expectParity(ctx, ruleOptions(ctx))
		expectParity(ctx, parity.Options{MinConstant: 0.9})

		Expect(ls.StartAggregate(ctx, seedOther)).To(Succeed())
		expectVanished(ctx, 2*ls.ScrapeInterval+transport, failure, absent)
		expectParity(ctx, parity.Options{MinConstant: 0.9})
		expectParity(ctx, ruleOptions(ctx))
		expectNoRejections(ctx)
	})
})

// expectParity waits until pull and both replicas of the garden Prometheus hold the same.
func expectParity(ctx context.Context, options parity.Options) {
	options.Interval = ls.ScrapeInterval
	options.Seeds = []string{seedLocal, seedOther}
	for _, replica := range landscape.GardenReplicas {
		EventuallyWithOffset(1, func(g Gomega) {
			report, err := parity.Compare(ctx, ls.Prometheus(gardener.ReferenceName), ls.Prometheus(replica), options)
			g.Expect(err).NotTo(HaveOccurred())
			text := &bytes.Buffer{}
			g.Expect(report.Write(text, parity.WriteOptions{Examples: 3})).To(Succeed())
			g.Expect(report.Differences()).To(BeZero(), "%s\n%s", replica, text)
			g.Expect(report.Constant).NotTo(BeZero())
		}).WithTimeout(3 * time.Minute).WithPolling(ls.ScrapeInterval).Should(Succeed())
	}
}

// expectNoRejections checks that no sample has been refused or dropped on its way.
func expectNoRejections(ctx context.Context) {
	rejections, err := ls.Rejections(ctx)
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	ExpectWithOffset(1, rejections).To(BeEmpty())
}

// comparedPrometheis are the names of the Prometheus that pulls and of those to which samples are pushed.
func comparedPrometheis() []string {
	return append([]string{gardener.ReferenceName}, landscape.GardenReplicas...)
}

// expectVanished waits until none of the queries has a result in any of the Prometheis, and checks that the results of push
// vanish not later than the given time after those of pull.
func expectVanished(ctx context.Context, within time.Duration, queries ...string) {
	vanished := map[string]map[string]time.Time{}
	for _, query := range queries {
		vanished[query] = map[string]time.Time{}
	}
	EventuallyWithOffset(1, func(g Gomega) {
		for query, times := range vanished {
			for _, name := range comparedPrometheis() {
				samples, err := ls.Prometheus(name).Query(ctx, query)
				g.Expect(err).NotTo(HaveOccurred())
				if len(samples) > 0 {
					delete(times, name)
				} else if times[name].IsZero() {
					times[name] = time.Now()
				}
			}
		}
		for query, times := range vanished {
			g.Expect(times).To(HaveLen(len(comparedPrometheis())), "%s has vanished only in %v", query, times)
		}
	}).WithPolling(200 * time.Millisecond).Should(Succeed())

	for query, times := range vanished {
		for _, replica := range landscape.GardenReplicas {
			lag := times[replica].Sub(times[gardener.ReferenceName])
			AddReportEntry(fmt.Sprintf("%s vanished in %s %s after pull", query, replica, lag.Round(100*time.Millisecond)), ReportEntryVisibilityFailureOrVerbose)
			ExpectWithOffset(1, lag).To(BeNumerically("<=", within), "%s in %s", query, replica)
		}
	}
}

// seriesOf returns how many series a query yields, which must be the same in both replicas.
func seriesOf(ctx context.Context, query string) float64 {
	var counts []float64
	for _, replica := range landscape.GardenReplicas {
		samples, err := ls.Prometheus(replica).Query(ctx, "count("+query+")")
		ExpectWithOffset(1, err).NotTo(HaveOccurred())
		ExpectWithOffset(1, samples).To(HaveLen(1), query)
		counts = append(counts, float64(samples[0].Value))
	}
	ExpectWithOffset(1, counts).To(HaveEach(counts[0]))
	return counts[0]
}

func rangeOf(ctx context.Context, prometheus, query string, start, end time.Time, step time.Duration) model.Matrix {
	api, err := ls.Prometheus(prometheus).API()
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	value, _, err := api.QueryRange(ctx, query, prometheusv1.Range{Start: start, End: end, Step: step})
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return value.(model.Matrix)
}
