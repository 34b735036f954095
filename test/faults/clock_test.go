// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/changes"
)

// shiftedFor is for how long the clock of the seed is wrong.
const shiftedFor = 6

// offBeat keeps samples whose clock is wrong from having the times of earlier ones, to the millisecond: scrapes are aligned, and Prometheus
// refuses two values of one time.
const offBeat = 1300 * time.Millisecond

// The Go runtime reads the clock of the kernel without a system call, so that a process cannot be given another clock. A processor that
// only this test adds shifts the times of the samples instead.
var _ = DescribeTable("Clock", Serial, Ordered, SpecPriority(-1), func(ctx SpecContext, shift time.Duration, refused bool, alert string) {
	expectCurrent(ctx)
	refusedBefore := refusedByPrometheus(ctx)
	newest, err := ls.Prometheus(landscape.AggregateName(seed)).Query(ctx, "max("+rising+")")
	Expect(err).NotTo(HaveOccurred())
	Expect(newest).To(HaveLen(1))

	restore := changes.To(ctx, ls.Seed(seed), constants.SeedCollectorName, changes.Collectors(shiftClock(shift), constants.SeedCollectorName))
	DeferCleanup(func(ctx context.Context) { restore(ctx) })
	began := time.Now()
	observer := observe(ctx)
	DeferCleanup(observer.end)
	wait(ctx, shiftedFor*ls.ScrapeInterval)
	Eventually(observer.told).WithContext(ctx).WithTimeout(noticeTimeout).Should(HaveKey("garden/"+alert), "alerts")
	ended := time.Now()
	shifted := &corev1.Pod{}
	Expect(ls.Seed(seed).Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: seedCollectorPod}, shifted)).To(Succeed())
	restore(ctx)
	changes.ExpectReplaced(ctx, ls.Seed(seed), shifted)
	cured := time.Now()
	caughtUp := expectCurrent(ctx)
	wait(ctx, aftermath*ls.ScrapeInterval)

	result := judge(ctx, fault{unscraped: 2}, cured, time.Now().Add(-2*ls.ScrapeInterval))
	Expect(result.lostByPush).To(BeZero(), "scrapes lost after the clock is right again")
	Expect(result.different).To(BeZero(), "samples with wrong values after the clock is right again")
	due := int(ended.Sub(began) / ls.ScrapeInterval)
	for _, replica := range landscape.GardenReplicas {
		times := shiftedScrapes(ctx, replica, float64(newest[0].Value), began.Add(shift), ended.Add(shift))
		if refused {
			Expect(times).To(BeEmpty(), replica)
			result.lostByPush = due
			continue
		}
		// The collector scrapes the first time up to an interval after it has started.
		Expect(missed(times, began.Add(shift), ended.Add(shift), ls.ScrapeInterval)).To(BeNumerically("<=", 1), "scrapes that %s has not got", replica)
	}
	if refused {
		Expect(refusedByPrometheus(ctx)).To(BeNumerically(">", refusedBefore), "samples that are counted as lost")
	}
	result.told = observer.end()
	result.fault, result.lasted, result.caughtUp, result.due = CurrentSpecReport().LeafNodeText, ended.Sub(began), caughtUp, result.due+due
	report = append(report, result)
	AddReportEntry(result.String(), ReportEntryVisibilityAlways)
},
	Entry("clock of the seed 5 minutes slow", -5*time.Minute-offBeat, false, "OTelFederationSeedSilent"),
	// So little that what is shifted becomes the newest while this test still runs.
	Entry("clock of the seed 70 seconds slow", -70*time.Second-offBeat, false, "OTelFederationSeedClockSlow"),
	Entry("clock of the seed an hour slow, like a backlog of an hour", -time.Hour-offBeat, false, "OTelFederationSeedSilent"),
	// Prometheus refuses what is more than ten minutes in the future (storage/remote/write_handler.go, maxAheadTime).
	Entry("clock of the seed an hour fast", time.Hour+offBeat, true, "OTelFederationRequestsRejected"),
	// Last: what it leaves in the future would be among the samples of another fault.
	Entry("clock of the seed 5 minutes fast", 5*time.Minute+offBeat, false, "OTelFederationSeedClockFast"),
)

// refusedByPrometheus is how many samples the fan-out has dropped, because the garden Prometheus has refused them.
func refusedByPrometheus(ctx context.Context) float64 {
	GinkgoHelper()
	return metricOf(ctx, Default, cluster.NameRuntime, fanOutPod(0), "otelcol_exporter_send_failed_metric_points") +
		metricOf(ctx, Default, cluster.NameRuntime, fanOutPod(1), "otelcol_exporter_send_failed_metric_points")
}

// shiftClock adds a processor that shifts the times of all samples.
func shiftClock(shift time.Duration) func(*otelv1beta1.Config) {
	return func(config *otelv1beta1.Config) {
		const name = "transform/clock"
		config.Processors.Object[name] = map[string]any{
			"error_mode":        "propagate",
			"metric_statements": []any{fmt.Sprintf(`set(datapoint.time, datapoint.time + Duration("%s"))`, shift)},
		}
		pipeline := config.Service.Pipelines["metrics"]
		pipeline.Processors = append(pipeline.Processors, name)
	}
}

// shiftedScrapes are the times of the scrapes whose values are newer than what the aggregate had before the clock was wrong.
func shiftedScrapes(ctx context.Context, replica string, before float64, from, to time.Time) map[int64]bool {
	GinkgoHelper()
	api, err := ls.Prometheus(replica).API()
	Expect(err).NotTo(HaveOccurred())
	value, _, err := api.Query(ctx, fmt.Sprintf("%s{seed=%q}[%dms]", rising, seed, to.Sub(from).Milliseconds()), to)
	Expect(err).NotTo(HaveOccurred())
	matrix, ok := value.(model.Matrix)
	Expect(ok).To(BeTrue())
	times := map[int64]bool{}
	for _, stream := range matrix {
		for _, pair := range stream.Values {
			if float64(pair.Value) >= before {
				times[int64(pair.Timestamp)] = true
			}
		}
	}
	return times
}
