// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package scale_test

import (
	"context"
	"fmt"
	"math"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

const (
	// seriesPerSeed is how many samples a simulated seed sends at a time.
	seriesPerSeed = 5000
	// sendInterval is how often it does. So it is as one with 60,000 series that are scraped every minute.
	sendInterval = 5 * time.Second
	// step is how many seeds are added each stepInterval.
	step         = 8
	stepInterval = 15 * time.Second
	// maxLag is how old the newest sample of a seed may be in a replica of the garden Prometheus, besides the interval.
	maxLag = 10 * time.Second
	// maxSeeds ends the measurement if nothing else does.
	maxSeeds = 200
)

var _ = DescribeTable("Capacity", Label("capacity"), Serial, func(ctx SpecContext, replicas int) {
	setReplicas(ctx, replicas)
	DeferCleanup(func(ctx SpecContext) { Expect(ls.EnableGarden(ctx)).To(Succeed()) })

	load := newLoad(ctx, fmt.Sprintf("load-%d", replicas))
	DeferCleanup(load.stop)
	var (
		inTime capacity
		ended  string
	)
	for ended == "" && load.count < maxSeeds {
		load.add(step)
		before, sent := fanOutUsage(ctx), load.sent.Load()
		if ended = load.endsWithin(ctx, stepInterval); ended == "" {
			after, samples := fanOutUsage(ctx), load.sent.Load()-sent
			inTime = capacity{seeds: load.count, cpuPerSample: (after.cpu - before.cpu) / math.Max(float64(samples), 1), memory: after.memory}
		}
	}
	load.stop()

	capacities = append(capacities, fmt.Sprintf("| %d | %d | %d | %.1f µs | %.0f MiB | %s |", replicas, inTime.seeds, inTime.seeds*seriesPerSeed/int(sendInterval.Seconds()),
		1e6*inTime.cpuPerSample, inTime.memory/(1<<20), ended))
	AddReportEntry(capacities[len(capacities)-1], ReportEntryVisibilityAlways)
	Expect(ended).NotTo(BeEmpty(), "nothing has ended the load")
	Expect(inTime.seeds).To(BeNumerically(">", 0), "seeds whose samples were all in time")
},
	Entry("of one collector of the fan-out", 1),
	Entry("of two collectors of the fan-out", 2),
)

// capacity is what the fan-out was able to do in time.
type capacity struct {
	seeds int
	// cpuPerSample is in seconds, memory is that of the largest collector in bytes.
	cpuPerSample, memory float64
}

// endsWithin waits for a while, and returns why the load cannot be borne if that is seen meanwhile.
func (l *load) endsWithin(ctx context.Context, duration time.Duration) string {
	GinkgoHelper()
	for end := time.Now().Add(duration); time.Now().Before(end) && ctx.Err() == nil; wait(ctx, time.Second) {
		if answer := l.refused.Load(); answer != nil {
			return "answer " + *answer
		}
		if lag := l.lag(ctx); lag > sendInterval+maxLag {
			return fmt.Sprintf("lag of %s", lag.Round(time.Second))
		}
	}
	return ""
}

// setReplicas changes the number of collectors of the fan-out, and waits until there are so many.
func setReplicas(ctx context.Context, replicas int) {
	GinkgoHelper()
	Expect(gardener.EnableGarden(ctx, ls.Runtime(), gardener.With(gardener.GardenProviderConfig(ls.ScrapeInterval, ls.HandOver), int64(replicas), "replicas"))).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		g.Expect(fanOutPods(ctx, g)).To(HaveLen(replicas))
		for _, pod := range fanOutPods(ctx, g) {
			g.Expect(pod.Status.Conditions).To(ContainElement(And(HaveField("Type", corev1.PodReady), HaveField("Status", corev1.ConditionTrue))))
		}
	}).Should(Succeed())
}

func fanOutPods(ctx context.Context, g Gomega) []corev1.Pod {
	pods := &corev1.PodList{}
	g.Expect(ls.Runtime().List(ctx, pods, client.InNamespace(gardener.Namespace), client.MatchingLabels{"app": constants.GardenCollectorName})).To(Succeed())
	return pods.Items
}

// usage is what all collectors of the fan-out have used.
type usage struct {
	// cpu is in seconds since the start, memory is the largest of a collector in bytes.
	cpu, memory float64
}

func fanOutUsage(ctx context.Context) usage {
	GinkgoHelper()
	total := usage{}
	for _, pod := range fanOutPods(ctx, Default) {
		families, err := ls.PodMetrics(ctx, cluster.NameRuntime, pod.Name, collector.MetricsPort)
		Expect(err).NotTo(HaveOccurred())
		total.cpu += value(Default, families[collector.MetricCPU])
		total.memory = max(total.memory, value(Default, families[collector.MetricMemory]))
	}
	return total
}

// lag is how old the newest sample of a simulated seed is, of that for which it is oldest, in any replica of the garden Prometheus.
func (l *load) lag(ctx context.Context) time.Duration {
	GinkgoHelper()
	var lag time.Duration
	for _, replica := range landscape.GardenReplicas {
		vector, err := ls.Prometheus(replica).Query(ctx, fmt.Sprintf(`time() - min({__name__=%q,%s=~"%s-.+"})`, loadTick, constants.LabelSeed, l.prefix))
		Expect(err).NotTo(HaveOccurred())
		for _, sample := range vector {
			lag = max(lag, time.Duration(float64(sample.Value)*float64(time.Second)))
		}
	}
	return lag
}

func wait(ctx context.Context, duration time.Duration) {
	select {
	case <-time.After(duration):
	case <-ctx.Done():
	}
}
