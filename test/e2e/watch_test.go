// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus/common/model"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

// jitter is by how much two scrapes may be further apart than their interval.
const jitter = 100 * time.Millisecond

// countResolution is how often the number of series is looked at.
const countResolution = 500 * time.Millisecond

// watched is what both replicas had when a transition began.
type watched struct {
	started time.Time
	// series is the number of federated series of each seed.
	series map[string]float64
	// pendingSince has for each alert and replica since when it is active.
	pendingSince map[string]model.SampleValue
}

// watchSeries begins to watch a transition, from a moment on at which the garden is healthy, and has as many series as some time
// before: an incident of the spec before may just have ended.
func watchSeries(ctx context.Context) *watched {
	EventuallyWithOffset(1, func(g Gomega) {
		for _, replica := range landscape.GardenReplicas {
			samples, err := ls.Prometheus(replica).Query(ctx, "healthcheck:up")
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(samples).To(HaveLen(1), replica)
			g.Expect(samples[0].Value).To(BeEquivalentTo(1), replica)
			for _, seed := range []string{seedLocal, seedOther} {
				series := fmt.Sprintf("count(%s)[%s:1s]", federatedOf(seed), 4*ls.ScrapeInterval)
				samples, err := ls.Prometheus(replica).Query(ctx, fmt.Sprintf("max_over_time(%s) - min_over_time(%s)", series, series))
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(samples).To(HaveLen(1), replica)
				g.Expect(samples[0].Value).To(BeZero(), "change of the number of series of seed %s in %s", seed, replica)
			}
		}
	}).Should(Succeed())

	w := &watched{series: map[string]float64{}}
	for _, seed := range []string{seedLocal, seedOther} {
		w.series[seed] = seriesOf(ctx, federatedOf(seed))
	}
	w.pendingSince = alertStates(ctx)
	w.started = time.Now().Truncate(countResolution)
	return w
}

// federatedOf selects series of a seed that are always there, and are only there because they are federated. The shape of the corpus that
// claims another seed is left out: by push it is stored under the seed's own name.
func federatedOf(seed string) string {
	return fmt.Sprintf(`{__name__=~"(seed|shoot):.+",seed=%q,shape!="foreign seed"}`, seed)
}

// expectUninterrupted checks that no series of the seeds had a gap that is longer than the limit in either replica, that none was
// stale at any moment, and that none was there twice.
func (w *watched) expectUninterrupted(ctx context.Context, limit time.Duration, seeds ...string) {
	ended := time.Now().Add(-ls.ScrapeInterval - transport).Truncate(countResolution)
	for _, seed := range seeds {
		for _, replica := range landscape.GardenReplicas {
			gap, series := longestGap(ctx, replica, federatedOf(seed), w.started, ended)
			AddReportEntry(fmt.Sprintf("longest gap of seed %s in %s within %s: %s", seed, replica, ended.Sub(w.started), gap.Round(time.Millisecond)), ReportEntryVisibilityAlways)
			ExpectWithOffset(1, gap).To(BeNumerically("<=", limit+jitter), "gap of %s in %s", series, replica)

			counts := rangeOf(ctx, replica, "count("+federatedOf(seed)+")", w.started, ended, countResolution)
			ExpectWithOffset(1, counts).To(HaveLen(1))
			ExpectWithOffset(1, counts[0].Values).To(HaveLen(int(ended.Sub(w.started)/countResolution)+1), "instant queries to %s with a result", replica)
			ExpectWithOffset(1, counts[0].Values).To(HaveEach(HaveField("Value", BeNumerically("~", w.series[seed], 0))), "number of series of seed %s in %s", seed, replica)
		}
	}
}

// expectAvailable checks that at any time at least one of the replicas had a sample of each series that is not older than the limit,
// although the replicas have been rolled one after the other.
func (w *watched) expectAvailable(ctx context.Context, limit time.Duration, seeds ...string) {
	ended := time.Now().Add(-ls.ScrapeInterval - transport).Truncate(countResolution)
	for _, seed := range seeds {
		for _, replica := range landscape.GardenReplicas {
			gap, _ := longestGap(ctx, replica, federatedOf(seed), w.started, ended)
			AddReportEntry(fmt.Sprintf("longest gap of seed %s in %s within %s, in which it was rolled: %s", seed, replica, ended.Sub(w.started), gap.Round(time.Millisecond)), ReportEntryVisibilityAlways)
		}
		gap, series := longestGapOfAll(ctx, federatedOf(seed), w.started, ended)
		AddReportEntry(fmt.Sprintf("longest gap of seed %s in both replicas taken together: %s", seed, gap.Round(time.Millisecond)), ReportEntryVisibilityAlways)
		ExpectWithOffset(1, gap).To(BeNumerically("<=", limit+jitter), "gap of %s", series)
	}
}

// expectAlertsKept checks that the alerts that were active still are, since the same time.
func (w *watched) expectAlertsKept(ctx context.Context) {
	ExpectWithOffset(1, w.pendingSince).NotTo(BeEmpty())
	now := alertStates(ctx)
	for alert, since := range w.pendingSince {
		ExpectWithOffset(1, now).To(HaveKeyWithValue(alert, since))
	}
}

// expectHealthy checks that no health check of Gardener has failed meanwhile.
func (w *watched) expectHealthy(ctx context.Context) {
	w.expectFailedHealthChecks(ctx, BeEmpty())
	for _, replica := range landscape.GardenReplicas {
		samples, err := ls.Prometheus(replica).Query(ctx, "min_over_time(healthcheck:up"+since(w.started)+")")
		ExpectWithOffset(1, err).NotTo(HaveOccurred())
		ExpectWithOffset(1, samples).To(HaveLen(1), replica)
		ExpectWithOffset(1, samples[0].Value).To(BeEquivalentTo(1), replica)
	}
}

// expectFailedHealthChecks checks which of Gardener's health checks have failed meanwhile in each replica.
func (w *watched) expectFailedHealthChecks(ctx context.Context, matcher OmegaMatcher) {
	for _, replica := range landscape.GardenReplicas {
		failed, err := ls.Prometheus(replica).Query(ctx, "max_over_time(healthcheck"+since(w.started)+")")
		ExpectWithOffset(2, err).NotTo(HaveOccurred())
		AddReportEntry(fmt.Sprintf("health checks that failed in %s: %v", replica, failed), ReportEntryVisibilityAlways)
		if len(failed) > 0 {
			ExpectWithOffset(2, failed).To(matcher, "failed health checks in %s", replica)
		}
	}
}

// alertStates has for each active alert of the incident and each replica since when it is active.
func alertStates(ctx context.Context) map[string]model.SampleValue {
	states := map[string]model.SampleValue{}
	for _, replica := range landscape.GardenReplicas {
		samples, err := ls.Prometheus(replica).Query(ctx, fmt.Sprintf(`ALERTS_FOR_STATE{alertname=~%q,topology!=""}`, strings.Join(alertsOfIncident, "|")))
		ExpectWithOffset(2, err).NotTo(HaveOccurred())
		for _, sample := range samples {
			states[replica+" "+sample.Metric.String()] = sample.Value
		}
	}
	return states
}

// longestGap returns the longest time without a sample in one replica, and the series with it.
func longestGap(ctx context.Context, replica, selector string, from, to time.Time) (time.Duration, string) {
	return longestOf(samplesOf(ctx, replica, selector, from, to), to)
}

// longestGapOfAll returns the longest time in which no replica had a sample, and the series with it.
func longestGapOfAll(ctx context.Context, selector string, from, to time.Time) (time.Duration, string) {
	all := map[string][]time.Time{}
	for _, replica := range landscape.GardenReplicas {
		for series, times := range samplesOf(ctx, replica, selector, from, to) {
			all[series] = append(all[series], times...)
		}
	}
	return longestOf(all, to)
}

// samplesOf returns the times of all samples by series, beginning with one before the given time.
func samplesOf(ctx context.Context, replica, selector string, from, to time.Time) map[string][]time.Time {
	api, err := ls.Prometheus(replica).API()
	ExpectWithOffset(3, err).NotTo(HaveOccurred())
	value, _, err := api.Query(ctx, fmt.Sprintf("%s[%dms]", selector, (to.Sub(from)+2*ls.ScrapeInterval).Milliseconds()), to)
	ExpectWithOffset(3, err).NotTo(HaveOccurred())
	matrix, ok := value.(model.Matrix)
	ExpectWithOffset(3, ok).To(BeTrue())
	ExpectWithOffset(3, matrix).NotTo(BeEmpty(), "%s in %s", selector, replica)

	samples := map[string][]time.Time{}
	for _, stream := range matrix {
		if last := stream.Values[len(stream.Values)-1].Timestamp.Time(); last.Before(from) {
			// It had vanished before. One that vanishes later is missing in the number of series.
			continue
		}
		for _, sample := range stream.Values {
			samples[stream.Metric.String()] = append(samples[stream.Metric.String()], sample.Timestamp.Time())
		}
	}
	return samples
}

func longestOf(samples map[string][]time.Time, to time.Time) (time.Duration, string) {
	var (
		longest time.Duration
		where   string
	)
	for series, times := range samples {
		slices.SortFunc(times, time.Time.Compare)
		for i, t := range append(times[1:], to) {
			if gap := t.Sub(times[i]); gap > longest {
				longest, where = gap, fmt.Sprintf("%s at %s", series, times[i].UTC().Format(time.RFC3339))
			}
		}
	}
	return longest, where
}

// expectPulled waits until the garden Prometheus is configured to pull from the given targets and no other: the states are written
// before the targets follow.
func expectPulled(ctx context.Context, targets ...string) {
	EventuallyWithOffset(1, func(g Gomega) {
		g.Expect(pulledTargets(ctx, g)).To(ConsistOf(targets))
	}).Should(Succeed())
}

// pulledTargets returns the seeds that the garden Prometheus is configured to pull from.
func pulledTargets(ctx context.Context, g Gomega) []string {
	var targets []string
	for _, name := range handover.ScrapeConfigNames() {
		scrapeConfig := &monitoringv1alpha1.ScrapeConfig{}
		g.Expect(ls.Runtime().Get(ctx, client.ObjectKey{Namespace: gardenNamespace, Name: name}, scrapeConfig)).To(Succeed())
		if len(scrapeConfig.Spec.StaticConfigs) == 0 {
			g.Expect(scrapeConfig.Labels).NotTo(HaveKey("prometheus"), "ScrapeConfig %s", name)
		}
		targets = append(targets, handover.Targets(scrapeConfig)...)
	}
	return targets
}
