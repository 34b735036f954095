// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package scale_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

const (
	// seriesPerSeed is how many samples a simulated seed sends at a time while seeds are added.
	seriesPerSeed = 5000
	// sendInterval is how often it does. So it is as one with 60,000 series that are scraped every minute.
	sendInterval = 5 * time.Second
	// step is how many seeds are added each stepInterval.
	step         = 8
	stepInterval = 15 * time.Second
	// maxLag is how old the newest sample of a seed may be in a replica of the garden Prometheus, besides the interval.
	maxLag = 10 * time.Second
	// tooOld is what the reason begins with if that is exceeded, noAnswer if a request has none in that time. Both are times, so no failures.
	tooOld, noAnswer = "samples", "no answer"
	// maxSeeds ends the measurement if nothing else does.
	maxSeeds = 200

	// costSamples is how many samples per second all seeds together send while their number is compared.
	costSamples = 20_000
	// costWarmUp is for how long they do before it is measured, besides the first samples of all of them, costWindow while it is.
	costWarmUp, costWindow = 15 * time.Second, time.Minute
)

// The cost comes first, and the credentials last: this leaves overloaded collectors and many series behind, those many namespaces that are being
// deleted.
var _ = DescribeTable("Capacity", Label("capacity"), Serial, SpecPriority(1), func(ctx SpecContext, replicas int) {
	setReplicas(ctx, replicas)
	DeferCleanup(func(ctx SpecContext) { Expect(ls.EnableGarden(ctx)).To(Succeed()) })

	load := newLoad(ctx, fmt.Sprintf("load-%d", replicas), seriesPerSeed, sendInterval)
	DeferCleanup(load.stop)
	c := course{replicas: replicas}
	for c.ended == "" && load.count < maxSeeds {
		load.add(step)
		// Until each of them has sent something.
		wait(ctx, sendInterval)
		var p point
		if p, c.ended = load.observe(ctx, stepInterval-sendInterval); c.ended == "" {
			c.points = append(c.points, p)
		}
	}
	load.stop()

	Expect(c.ended).NotTo(BeEmpty(), "nothing has ended the load")
	Expect(c.points).NotTo(BeEmpty(), "seeds whose samples were all in time")
	courses = append(courses, c)
	AddReportEntry(c.row(), ReportEntryVisibilityAlways)
},
	Entry("of one collector of the fan-out", 1),
	Entry("of two collectors of the fan-out", 2),
)

var _ = DescribeTable("Cost", Label("capacity"), Serial, SpecPriority(2), func(ctx SpecContext, seeds int, interval time.Duration) {
	setReplicas(ctx, 2)
	DeferCleanup(func(ctx SpecContext) { Expect(ls.EnableGarden(ctx)).To(Succeed()) })
	load := newLoad(ctx, fmt.Sprintf("cost-%d", seeds), costSamples*int(interval.Seconds())/seeds, interval)
	DeferCleanup(load.stop)
	load.add(seeds)
	wait(ctx, interval+costWarmUp)
	p, ended := load.observe(ctx, costWindow)
	load.stop()

	result := p.String()
	if ended != "" {
		Expect(ended).To(Or(HavePrefix(tooOld), HavePrefix(noAnswer)), "only a time is no failure")
		result = ended + strings.Repeat(" | –", strings.Count(pointHeader, " | "))
	}
	costs = append(costs, fmt.Sprintf("| %d | %d | %s | %s |", seeds, load.series, interval, result))
	AddReportEntry(costs[len(costs)-1], ReportEntryVisibilityAlways)
},
	Entry("of 10 seeds", 10, sendInterval),
	Entry("of 100 seeds", 100, sendInterval),
	Entry("of 1,000 seeds that are scraped as often as in a real landscape", 1000, time.Minute),
	Entry("of 1,000 seeds that are scraped as often as the others", 1000, sendInterval),
)

// course is how the fan-out did while seeds were added, as long as all of their samples were in time, and what ended that.
type course struct {
	replicas int
	points   []point
	ended    string
}

func (c course) row() string {
	last := c.points[len(c.points)-1]
	return fmt.Sprintf("| %d | %d | %s | %s |", c.replicas, last.seeds, last, c.ended)
}

// point is what was seen within some time: how many samples per second all seeds together sent, the processor time of all collectors of the fan-out
// in cores and in microseconds per sample, the memory of the largest one in MiB, and how old the newest sample of a seed was at most, in seconds.
type point struct {
	seeds                                     int
	samples, cores, cpuPerSample, memory, lag float64
}

const pointHeader = "samples per second | processor time of the fan-out | per sample | memory of a collector | age of the newest sample of a seed, at most"

func (p point) String() string {
	return fmt.Sprintf("%.0f | %.2f cores | %.1f µs | %.0f MiB | %.1f s", p.samples, p.cores, p.cpuPerSample, p.memory, p.lag)
}

// observe looks for a while, and says why the load cannot be borne if that is seen meanwhile.
func (l *load) observe(ctx context.Context, duration time.Duration) (point, string) {
	GinkgoHelper()
	var (
		started, before, sent = time.Now(), fanOutUsage(ctx), l.sent.Load()
		lag                   time.Duration
		missing               int
	)
	for end := started.Add(duration); time.Now().Before(end) && ctx.Err() == nil; wait(ctx, time.Second) {
		if reason := l.refused.Load(); reason != nil {
			return point{}, *reason
		}
		var age time.Duration
		age, missing = l.lag(ctx)
		if lag = max(lag, age); lag > l.interval+maxLag {
			return point{}, fmt.Sprintf("%s %s old", tooOld, lag.Round(time.Second))
		}
	}
	if missing > 0 {
		return point{}, fmt.Sprintf("no samples of %d seeds", missing)
	}
	after, samples, took := fanOutUsage(ctx), float64(l.sent.Load()-sent), time.Since(started).Seconds()
	if !maps.Equal(before.started, after.started) {
		return point{}, "a collector has been started again"
	}
	cpu := after.cpu - before.cpu
	return point{seeds: l.count, samples: samples / took, cores: cpu / took, cpuPerSample: 1e6 * cpu / math.Max(samples, 1), memory: after.memory / (1 << 20), lag: lag.Seconds()}, ""
}

// setReplicas changes the number of collectors of the fan-out, and waits until there are so many, all of them new: memory and queues are not those of
// what was before.
func setReplicas(ctx context.Context, replicas int) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) { g.Expect(queued(ctx, g)).To(BeZero(), "samples in the queues of the fan-out") }).Should(Succeed())
	Expect(gardener.EnableGarden(ctx, ls.Runtime(), gardener.With(gardener.GardenProviderConfig(ls.ScrapeInterval, ls.HandOver), int64(replicas), "replicas"))).To(Succeed())
	Eventually(ctx, func(g Gomega) { g.Expect(fanOutPods(ctx, g)).To(HaveLen(replicas)) }).Should(Succeed())
	before := map[types.UID]bool{}
	for _, pod := range fanOutPods(ctx, Default) {
		before[pod.UID] = true
		Expect(client.IgnoreNotFound(ls.Runtime().Delete(ctx, &pod))).To(Succeed())
	}
	Eventually(ctx, func(g Gomega) {
		pods := fanOutPods(ctx, g)
		g.Expect(pods).To(HaveLen(replicas))
		for _, pod := range pods {
			g.Expect(before).NotTo(HaveKey(pod.UID))
			g.Expect(pod.Status.Conditions).To(ContainElement(And(HaveField("Type", corev1.PodReady), HaveField("Status", corev1.ConditionTrue))))
		}
	}).Should(Succeed())
}

// queued is how many samples are in the queues of the fan-out.
func queued(ctx context.Context, g Gomega) float64 {
	total := 0.0
	for _, pod := range fanOutPods(ctx, g) {
		families, err := ls.PodMetrics(ctx, cluster.NameRuntime, pod.Name, collector.MetricsPort)
		g.Expect(err).NotTo(HaveOccurred())
		for _, metric := range families[collector.MetricQueueSize].GetMetric() {
			total += metric.GetGauge().GetValue()
		}
	}
	return total
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
	// started says of each collector which it is: by pod, its identity and how often it was started again.
	started map[string]string
}

func fanOutUsage(ctx context.Context) usage {
	GinkgoHelper()
	total := usage{started: map[string]string{}}
	for _, pod := range fanOutPods(ctx, Default) {
		for _, status := range pod.Status.ContainerStatuses {
			total.started[pod.Name+"/"+status.Name] = fmt.Sprintf("%s, %d restarts", pod.UID, status.RestartCount)
		}
		// One that does not answer because it has just ended has been started again when it does.
		var cpu, memory float64
		Eventually(ctx, func(g Gomega) {
			families, err := ls.PodMetrics(ctx, cluster.NameRuntime, pod.Name, collector.MetricsPort)
			g.Expect(err).NotTo(HaveOccurred())
			cpu, memory = value(g, families[collector.MetricCPU]), value(g, families[collector.MetricMemory])
		}).Should(Succeed())
		total.cpu, total.memory = total.cpu+cpu, max(total.memory, memory)
	}
	return total
}

// lag is how old the newest sample of a simulated seed is, of that for which it is oldest, in any replica of the garden Prometheus, and of how many seeds
// one of them has no samples, or none for as long as Prometheus looks back.
func (l *load) lag(ctx context.Context) (time.Duration, int) {
	GinkgoHelper()
	var (
		lag     time.Duration
		missing int
	)
	for _, replica := range landscape.GardenReplicas {
		// The value of a tick is its time, so the highest is the newest. A Prometheus of the landscape shows the last one for a minute only.
		vector, err := ls.Prometheus(replica).Query(ctx, fmt.Sprintf(`time() - max_over_time({__name__=%q,%s=~"%s-.+"}[10m])`, loadTick, constants.LabelSeed, l.prefix))
		Expect(err).NotTo(HaveOccurred())
		for _, sample := range vector {
			lag = max(lag, time.Duration(float64(sample.Value)*float64(time.Second)))
		}
		missing = max(missing, l.count-len(vector))
	}
	return lag, missing
}

func wait(ctx context.Context, duration time.Duration) {
	select {
	case <-time.After(duration):
	case <-ctx.Done():
	}
}
