// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// federated selects series that are always there, and only because they are federated. Those of the family that rises have another
// value in each scrape of the aggregate.
func federated() string {
	return fmt.Sprintf(`{__name__=~"(seed|shoot):.+",seed=%q,shape!="foreign seed"}`, seed)
}

const rising = `seed:corpus_rising:count`

// samples are the samples of each series, by their time in milliseconds.
type samples map[string]map[int64]float64

func samplesOf(ctx context.Context, prometheus, selector string, from, to time.Time) samples {
	GinkgoHelper()
	api, err := ls.Prometheus(prometheus).API()
	Expect(err).NotTo(HaveOccurred())
	value, _, err := api.Query(ctx, fmt.Sprintf("%s[%dms]", selector, to.Sub(from).Milliseconds()), to)
	Expect(err).NotTo(HaveOccurred())
	matrix, ok := value.(model.Matrix)
	Expect(ok).To(BeTrue())
	Expect(matrix).NotTo(BeEmpty(), "%s in %s", selector, prometheus)

	all := samples{}
	for _, stream := range matrix {
		series := map[int64]float64{}
		for _, pair := range stream.Values {
			series[int64(pair.Timestamp)] = float64(pair.Value)
		}
		all[asInAggregate(stream.Metric)] = series
	}
	return all
}

// asInAggregate returns the name of a series with the labels that it has in the aggregate.
func asInAggregate(metric model.Metric) string {
	metric = metric.Clone()
	for _, label := range []model.LabelName{"seed", "prometheus", "prometheus_replica"} {
		delete(metric, label)
	}
	if metric["job"] == constants.JobPrometheusAggregate {
		delete(metric, "job")
	}
	return metric.String()
}

// scrapesIn are the times at which the seed was scraped, as far as one of the given Prometheis knows.
func scrapesIn(all ...samples) map[int64]bool {
	times := map[int64]bool{}
	for _, s := range all {
		for _, series := range s {
			for t := range series {
				times[t] = true
			}
		}
	}
	return times
}

// missed is how many scrapes there should have been between the scrapes that are known, given the interval.
func missed(times map[int64]bool, from, to time.Time, interval time.Duration) int {
	sorted := []int64{from.UnixMilli(), to.UnixMilli()}
	for t := range times {
		if t >= from.UnixMilli() && t <= to.UnixMilli() {
			sorted = append(sorted, t)
		}
	}
	slices.Sort(sorted)

	count := 0
	for i := 1; i < len(sorted); i++ {
		gap := time.Duration(sorted[i]-sorted[i-1]) * time.Millisecond
		count += max(0, int(math.Round(float64(gap)/float64(interval)))-1)
	}
	return count
}

// findings are what became of the samples of a seed in one replica.
type findings struct {
	// lost samples are in the other replica only, duplicated ones have another value there.
	lost, different int
}

// compare compares the samples of one replica with those of the other.
func compare(of, with samples) findings {
	result := findings{}
	for name, series := range with {
		for t, value := range series {
			got, ok := of[name][t]
			switch {
			case !ok:
				result.lost++
			case got != value && !(math.IsNaN(got) && math.IsNaN(value)):
				result.different++
			}
		}
	}
	return result
}

// wrong counts the samples of rising series that the aggregate did not have at that time: a scrape takes the newest sample.
func wrong(of, aggregate samples) int {
	GinkgoHelper()
	count := 0
	for name, series := range of {
		source := aggregate[name]
		Expect(source).NotTo(BeEmpty(), "samples of %s in the aggregate", name)
		for t, value := range series {
			if !wasCurrent(source, t, value) {
				count++
			}
		}
	}
	return count
}

func wasCurrent(source map[int64]float64, t int64, value float64) bool {
	for at, v := range source {
		if v == value && at <= t && t-at <= 2*ls.ScrapeInterval.Milliseconds()+1000 {
			return true
		}
	}
	return false
}

// expectCurrent waits until both replicas and pull have a sample that is not older than two intervals, and returns how long it took.
func expectCurrent(ctx context.Context) time.Duration {
	GinkgoHelper()
	started := time.Now()
	Eventually(ctx, func(g Gomega) {
		for _, prometheus := range append([]string{gardener.ReferenceName}, landscape.GardenReplicas...) {
			g.Expect(age(ctx, g, prometheus)).To(BeNumerically("<", 2*ls.ScrapeInterval), "age of the newest sample in %s", prometheus)
		}
	}).WithTimeout(5 * time.Minute).Should(Succeed())
	return time.Since(started)
}

// age returns how old the newest samples of the seed are in a Prometheus. Of several series it is the oldest of the newest.
func age(ctx context.Context, g Gomega, prometheus string) time.Duration {
	vector, err := ls.Prometheus(prometheus).Query(ctx, fmt.Sprintf("timestamp(%s{seed=%q})", rising, seed))
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(vector).NotTo(BeEmpty(), prometheus)
	var oldest time.Duration
	for _, sample := range vector {
		oldest = max(oldest, time.Since(time.UnixMilli(int64(float64(sample.Value)*1000))))
	}
	return oldest
}
