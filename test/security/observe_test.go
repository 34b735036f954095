// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// observation is what others notice of an attack.
type observation struct {
	// restarts are of the collectors of the fan-out and of the garden Prometheus, before the attack.
	restarts map[string]string

	mutex sync.Mutex
	// newest is the time of the newest sample that was seen of the seed of which it is oldest, by replica of the garden Prometheus, and answered is when
	// a collector of the fan-out has told its memory last.
	newest, answered map[string]time.Time
	// silence is for how long a collector has not told it.
	silence time.Duration
	// delay is how old the newest sample of any other seed was at most, in any replica.
	delay time.Duration
	// memory is how much of its limit a collector of the fan-out used at most.
	memory float64

	stop  context.CancelFunc
	ended sync.WaitGroup
}

// observe begins to observe. It ends with the specs that began it at the latest.
func observe(ctx context.Context) *observation {
	GinkgoHelper()
	limits := memoryLimits(ctx)
	o := &observation{restarts: restarts(ctx), newest: map[string]time.Time{}, answered: map[string]time.Time{}}
	for _, replica := range landscape.GardenReplicas {
		o.newest[replica] = time.Now()
	}
	for pod := range limits {
		o.answered[pod] = time.Now()
	}
	ctx, o.stop = context.WithCancel(context.WithoutCancel(ctx))
	for _, look := range []func(context.Context){o.lookAtSeeds, func(ctx context.Context) { o.lookAtMemory(ctx, limits) }} {
		o.ended.Go(func() {
			ticker := time.NewTicker(500 * time.Millisecond)
			defer ticker.Stop()
			for ctx.Err() == nil {
				look(ctx)
				select {
				case <-ticker.C:
				case <-ctx.Done():
				}
			}
		})
	}
	DeferCleanup(o.end)
	return o
}

// end stops observing.
func (o *observation) end() {
	o.stop()
	o.ended.Wait()
}

func (o *observation) lookAtSeeds(ctx context.Context) {
	for _, replica := range landscape.GardenReplicas {
		age, err := oldest(ctx, replica)
		o.mutex.Lock()
		if err != nil {
			// The newest sample that was seen becomes older meanwhile.
			age = time.Since(o.newest[replica])
		} else {
			o.newest[replica] = time.Now().Add(-age)
		}
		if ctx.Err() == nil {
			o.delay = max(o.delay, age)
		}
		o.mutex.Unlock()
	}
}

func (o *observation) lookAtMemory(ctx context.Context, limits map[string]float64) {
	for pod, limit := range limits {
		families, err := ls.PodMetrics(ctx, cluster.NameRuntime, pod, collector.MetricsPort)
		o.mutex.Lock()
		if ctx.Err() == nil {
			o.silence = max(o.silence, time.Since(o.answered[pod]))
		}
		if err == nil {
			o.answered[pod] = time.Now()
			o.memory = max(o.memory, sum(families, collector.MetricMemory, nil)/limit)
		}
		o.mutex.Unlock()
	}
}

// expectUnharmed checks that nothing was restarted, that the fan-out had memory left, and that the samples of the other seeds were not
// later than allowed.
func (o *observation) expectUnharmed(ctx context.Context, allowed time.Duration) {
	GinkgoHelper()
	expectCurrent(ctx)
	o.end()
	Expect(restarts(ctx)).To(Equal(o.restarts), "pods and their restarts")
	Expect(o.memory).To(And(BeNumerically(">", 0), BeNumerically("<", 1)), "share of the memory limit that the fan-out used")
	Expect(o.silence).To(BeNumerically("<", allowed), "how long a collector of the fan-out did not tell its memory")
	Expect(o.delay).To(And(BeNumerically(">", 0), BeNumerically("<", allowed)), "largest age of the newest sample of the other seeds")
}

const (
	// rememberedFor is how far back samples of the other seeds are looked for. It is longer than any that is allowed to be late.
	rememberedFor = 5 * time.Minute
	// lookTimeout is how long a look may take.
	lookTimeout = 5 * time.Second
)

// oldest is the age of the newest sample of a replica, of that seed for which it is largest.
func oldest(ctx context.Context, replica string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	now := time.Now()
	api, err := ls.Prometheus(replica).API()
	if err != nil {
		return 0, err
	}
	value, _, err := api.Query(ctx, fmt.Sprintf(`up{job=%q,seed=~"%s|%s"}[%s]`, constants.JobPrometheusAggregate, seedLocal, seedOther, model.Duration(rememberedFor)), now)
	if err != nil {
		return 0, err
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return 0, fmt.Errorf("%s has answered by %T", replica, value)
	}
	newest := map[model.LabelValue]time.Time{}
	for _, series := range matrix {
		if t := series.Values[len(series.Values)-1].Timestamp.Time(); t.After(newest[series.Metric[constants.LabelSeed]]) {
			newest[series.Metric[constants.LabelSeed]] = t
		}
	}
	if len(newest) < len(victims) {
		return 0, fmt.Errorf("%s has samples of %d of %d seeds", replica, len(newest), len(victims))
	}
	age := time.Duration(0)
	for _, t := range newest {
		age = max(age, now.Sub(t))
	}
	return age, nil
}

// expectCurrent waits until both replicas have new samples of all other seeds.
func expectCurrent(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		for _, replica := range landscape.GardenReplicas {
			age, err := oldest(ctx, replica)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(age).To(BeNumerically("<", 2*ls.ScrapeInterval), replica)
		}
	}).Should(Succeed())
}

// expectSamplesSince waits until both replicas have samples of all other seeds that were scraped after the given time.
func expectSamplesSince(ctx context.Context, since time.Time) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		for _, replica := range landscape.GardenReplicas {
			age, err := oldest(ctx, replica)
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(age).To(BeNumerically("<", time.Since(since)), replica)
		}
	}).Should(Succeed())
}

func fanOutPods(ctx context.Context, g Gomega) []corev1.Pod {
	pods := &corev1.PodList{}
	g.Expect(ls.Runtime().List(ctx, pods, client.InNamespace(gardener.Namespace), client.MatchingLabels{"app": constants.GardenCollectorName})).To(Succeed())
	g.Expect(pods.Items).To(HaveLen(2), "collectors of the fan-out")
	return pods.Items
}

// memoryLimits are the limits of the collectors of the fan-out in bytes, by pod.
func memoryLimits(ctx context.Context) map[string]float64 {
	limits := map[string]float64{}
	for _, pod := range fanOutPods(ctx, Default) {
		for _, container := range pod.Spec.Containers {
			if container.Name == collector.ContainerName {
				limits[pod.Name] = container.Resources.Limits.Memory().AsApproximateFloat64()
			}
		}
		Expect(limits[pod.Name]).To(BeNumerically(">", 0), "memory limit of %s", pod.Name)
	}
	return limits
}

// restarts identify the containers that must go on running.
func restarts(ctx context.Context) map[string]string {
	pods := fanOutPods(ctx, Default)
	for _, replica := range landscape.GardenReplicas {
		pod := corev1.Pod{}
		Expect(ls.Runtime().Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: "prometheus-" + replica}, &pod)).To(Succeed())
		pods = append(pods, pod)
	}
	found := map[string]string{}
	for _, pod := range pods {
		for _, status := range pod.Status.ContainerStatuses {
			found[pod.Name+"/"+status.Name] = fmt.Sprintf("%s, %d restarts", pod.UID, status.RestartCount)
		}
	}
	return found
}

// fanOutMetric is the sum of a metric over the collectors of the fan-out.
func fanOutMetric(ctx context.Context, g Gomega, name string, labels map[string]string) float64 {
	total := 0.0
	for _, pod := range fanOutPods(ctx, g) {
		families, err := ls.PodMetrics(ctx, cluster.NameRuntime, pod.Name, collector.MetricsPort)
		g.Expect(err).NotTo(HaveOccurred())
		total += sum(families, name, labels)
	}
	return total
}

// sum adds up the metrics of a family that have the given labels. Of a histogram it is the number of observations.
func sum(families map[string]*dto.MetricFamily, name string, labels map[string]string) float64 {
	total := 0.0
	for _, suffix := range []string{"", "_total"} {
		for _, metric := range families[name+suffix].GetMetric() {
			matching := 0
			for _, label := range metric.GetLabel() {
				if value, ok := labels[label.GetName()]; ok && value == label.GetValue() {
					matching++
				}
			}
			if matching == len(labels) {
				total += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + metric.GetUntyped().GetValue() + float64(metric.GetHistogram().GetSampleCount())
			}
		}
	}
	return total
}
