// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

// firstMark is above all values that series have by themselves, but for times in milliseconds and bytes.
const firstMark = 666_000_000

var marks atomic.Int64

// mark is a value that no other sample has. What is stored is found by it, whatever became of its labels.
func mark() float64 {
	return firstMark + float64(marks.Add(1))
}

// markedFor is how far back a marked sample is looked for.
const markedFor = 2 * time.Minute

// marked are all series of a replica that have a sample with the given value, or a histogram with this sum, be it the newest or not, in the time
// before end.
func marked(ctx context.Context, g Gomega, replica string, value float64, end time.Time) []model.Metric {
	api, err := ls.Prometheus(replica).API()
	g.Expect(err).NotTo(HaveOccurred())
	result, _, err := api.Query(ctx, fmt.Sprintf(`{__name__=~".+"}[%s]`, model.Duration(markedFor)), end)
	g.Expect(err).NotTo(HaveOccurred())
	matrix, ok := result.(model.Matrix)
	g.Expect(ok).To(BeTrue())
	var found []model.Metric
	for _, series := range matrix {
		if slices.ContainsFunc(series.Values, func(pair model.SamplePair) bool { return float64(pair.Value) == value }) ||
			slices.ContainsFunc(series.Histograms, func(pair model.SampleHistogramPair) bool { return float64(pair.Histogram.Sum) == value }) {
			found = append(found, series.Metric)
		}
	}
	return found
}

// settle waits until all that the attacker has sent before has arrived, or was dropped: something that somebody sends now is in both replicas,
// and the queues were empty since.
func settle(ctx context.Context) {
	GinkgoHelper()
	value := mark()
	Eventually(ctx, func() int {
		return attempt{body: request(gauge("attack:settled", point(time.Now(), value))), header: map[string]string{"Authorization": "Bearer " + witnessToken}}.send(ctx).status
	}).Should(Equal(http.StatusOK))
	Eventually(ctx, func(g Gomega) {
		for _, replica := range landscape.GardenReplicas {
			g.Expect(marked(ctx, g, replica, value, time.Now())).To(HaveLen(1), replica)
		}
	}).Should(Succeed())
	Eventually(ctx, func(g Gomega) {
		g.Expect(fanOutMetric(ctx, g, collector.MetricQueueSize, nil) + fanOutMetric(ctx, g, collector.MetricInFlight, nil)).To(BeZero())
	}).WithPolling(100 * time.Millisecond).Should(Succeed())
}

// stored tells what became of a sample, which must be the same in both replicas: the labels of its series, without those that are of
// the attack itself. Only the attacker's series may have it.
func stored(ctx context.Context, value float64) string {
	GinkgoHelper()
	return storedUntil(ctx, value, time.Now())
}

// storedUntil tells it of a sample that has another time, shortly before end.
func storedUntil(ctx context.Context, value float64, end time.Time) string {
	GinkgoHelper()
	var found []string
	for _, replica := range landscape.GardenReplicas {
		all := []string{}
		for _, metric := range marked(ctx, Default, replica, value, end) {
			Expect(string(metric[constants.LabelSeed])).To(Equal(attackerSeed), "label seed of %s in %s", metric, replica)
			all = append(all, metric.String())
		}
		slices.Sort(all)
		found = append(found, strings.Join(all, ", "))
	}
	Expect(found[1]).To(Equal(found[0]), "what is stored in the second replica")
	if found[0] == "" {
		return nothing
	}
	return found[0]
}

const nothing = "nothing"

// history are the samples of series, by series and replica, each with its times in milliseconds.
type history map[string]map[int64]float64

// historyOf returns the samples between two times of series of the victims that are federated and always there.
func historyOf(ctx context.Context, from, to time.Time) history {
	GinkgoHelper()
	all := history{}
	for _, replica := range landscape.GardenReplicas {
		api, err := ls.Prometheus(replica).API()
		Expect(err).NotTo(HaveOccurred())
		query := fmt.Sprintf(`{__name__=~"(seed|shoot):corpus.+|up",job!~"otel-federation.*",seed=~"%s|%s"}[%dms]`, seedLocal, seedOther, to.Sub(from).Milliseconds())
		value, _, err := api.Query(ctx, query, to)
		Expect(err).NotTo(HaveOccurred())
		matrix, ok := value.(model.Matrix)
		Expect(ok).To(BeTrue())
		Expect(matrix).NotTo(BeEmpty(), "series of the victims in %s", replica)
		for _, stream := range matrix {
			series := map[int64]float64{}
			for _, pair := range stream.Values {
				series[int64(pair.Timestamp)] = float64(pair.Value)
			}
			all[replica+" "+stream.Metric.String()] = series
		}
	}
	return all
}

// pushedHistory returns the history of the victims in so much time, in which none of them was pulled, too.
func pushedHistory(ctx context.Context, length time.Duration) history {
	GinkgoHelper()
	var found history
	Eventually(ctx, func(g Gomega) {
		found = historyOf(ctx, time.Now().Add(-length), time.Now())
		for name, series := range found {
			g.Expect(len(series)).To(BeNumerically("<=", int(length/ls.ScrapeInterval)+1), "samples of %s", name)
		}
	}).WithTimeout(2 * time.Minute).Should(Succeed())
	return found
}

// expectUntouched checks that the history of the victims in the time of an attack is what they have sent: as many samples as scrapes, all of
// them constant where they were before, and none of the attacker's values. There may be twice as many where seeds may have been pulled, too.
func expectUntouched(ctx context.Context, before history, from, to time.Time, pulled bool) {
	GinkgoHelper()
	most := int(to.Sub(from)/ls.ScrapeInterval) + 1
	if pulled {
		most *= 2
	}
	during := historyOf(ctx, from, to)
	for name, series := range during {
		for t, value := range series {
			Expect(value >= firstMark && value <= firstMark+float64(marks.Load())).To(BeFalse(), "%s has the attacker's value %v at %d", name, value, t)
		}
	}
	for name, series := range before {
		constant, ok := constantValue(series)
		if !ok {
			continue
		}
		Expect(during).To(HaveKey(name))
		Expect(during[name]).To(HaveEach(constant), name)
		Expect(missed(during[name], from, to)).To(BeZero(), "scrapes that %s misses", name)
		Expect(len(during[name])).To(BeNumerically("<=", most), "samples of %s", name)
	}
}

func constantValue(series map[int64]float64) (float64, bool) {
	first, found := 0.0, false
	for _, value := range series {
		if found && value != first {
			return 0, false
		}
		first, found = value, true
	}
	return first, found
}

// missed counts the scrapes that are missing between two times.
func missed(series map[int64]float64, from, to time.Time) int {
	times := []int64{from.UnixMilli(), to.UnixMilli()}
	for t := range series {
		times = append(times, t)
	}
	slices.Sort(times)
	count := 0
	for i := 1; i < len(times); i++ {
		if time.Duration(times[i]-times[i-1])*time.Millisecond > ls.ScrapeInterval*3/2 {
			count++
		}
	}
	return count
}
