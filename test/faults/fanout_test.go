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
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

const (
	// smallQueue is the capacity of a queue in samples that is full within a few minutes.
	smallQueue = 24_000
	// delayBySister is by how much a replica of the garden Prometheus that stands still may delay the other one.
	delayBySister = 10 * time.Second
	// rollTimeout is how long it may take until all collectors of the fan-out have been replaced.
	rollTimeout = 5 * time.Minute
)

// scaleFanOut scales the fan-out to four replicas, and back while there are samples in the queues of those that leave.
func scaleFanOut(ctx context.Context) {
	config := gardener.GardenProviderConfig(ls.ScrapeInterval, ls.HandOver)
	DeferCleanup(func(ctx context.Context) { Expect(ls.EnableGarden(ctx)).To(Succeed()) })
	Expect(gardener.EnableGarden(ctx, ls.Runtime(), gardener.With(config, int64(4), "replicas"))).To(Succeed())
	expectFanOut(ctx, 4, 4)

	pauseGarden1(ctx)
	// All of the four have received something by then.
	wait(ctx, 6*ls.ScrapeInterval)
	Expect(ls.EnableGarden(ctx)).To(Succeed())
	expectFanOut(ctx, 4, 2)
	Consistently(ctx, func(g Gomega) { g.Expect(fanOut(ctx, g)).To(HaveLen(4)) }).WithTimeout(4 * ls.ScrapeInterval).Should(Succeed())

	container(cluster.NameRuntime, "prometheus-garden-1", prometheusContainer, "continue")(ctx)
	expectFanOut(ctx, 2, 2)
	Eventually(ctx, func(g Gomega) {
		claims := &corev1.PersistentVolumeClaimList{}
		g.Expect(ls.Runtime().List(ctx, claims, client.InNamespace(gardener.Namespace), client.MatchingLabels{"app": constants.GardenCollectorName})).To(Succeed())
		g.Expect(claims.Items).To(HaveLen(2))
	}).Should(Succeed())
}

// exceedMemoryLimit gives the fan-out so little memory that its memory limiter refuses everything, and takes that back.
func exceedMemoryLimit(ctx context.Context) {
	config := gardener.With(gardener.GardenProviderConfig(ls.ScrapeInterval, ls.HandOver), "12Mi", "resources", "limits", "memory")
	Expect(gardener.EnableGarden(ctx, ls.Runtime(), config)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(ls.EnableGarden(ctx)).To(Succeed()) })
	for _, replica := range []int{0, 1} {
		Eventually(ctx, func(g Gomega) {
			g.Expect(metricOf(ctx, g, cluster.NameRuntime, fanOutPod(replica), "otelcol_receiver_refused_metric_points")).To(BeNumerically(">", 0))
		}).WithTimeout(rollTimeout).Should(Succeed(), fanOutPod(replica))
	}
	wait(ctx, 4*ls.ScrapeInterval)
	Expect(ls.EnableGarden(ctx)).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		for _, replica := range []int{0, 1} {
			g.Expect(metricOf(ctx, g, cluster.NameRuntime, fanOutPod(replica), "otelcol_receiver_refused_metric_points")).To(BeZero())
		}
	}).WithTimeout(rollTimeout).Should(Succeed())
}

// fillQueues lets a replica of the garden Prometheus stand still until it is detached, and a while longer than that. The other one must get
// everything in time.
func fillQueues(ctx context.Context) {
	config := gardener.GardenProviderConfig(ls.ScrapeInterval, ls.HandOver)
	Expect(gardener.EnableGarden(ctx, ls.Runtime(), gardener.With(config, int64(smallQueue), "queue", "capacity"))).To(Succeed())
	DeferCleanup(func(ctx context.Context) {
		Expect(ls.EnableGarden(ctx)).To(Succeed())
	})
	expectCapacity(ctx, smallQueue)
	// The fan-out has been replaced. What that delays must not count.
	expectCurrent(ctx)

	pauseGarden1(ctx)
	var (
		worst time.Duration
		began = time.Now()
		at    time.Duration
		watch = func(g Gomega) {
			if a := age(ctx, g, "garden-0"); a > worst {
				worst, at = a, time.Since(began)
			}
			g.Expect(worst).To(BeNumerically("<", 2*ls.ScrapeInterval+delayBySister), "age of the newest sample in garden-0")
		}
	)
	Eventually(ctx, func(g Gomega) {
		watch(Default)
		g.Expect(detachedReplicas(ctx, g)).To(ConsistOf("prometheus-garden-1"))
	}).WithTimeout(10 * time.Minute).Should(Succeed())
	// For longer than it would take to fill what was left of the queues, a fifth.
	Consistently(ctx, watch).WithTimeout(time.Minute).Should(Succeed())
	AddReportEntry(fmt.Sprintf("oldest that the newest sample in garden-0 was meanwhile: %s, %s after the other one stood still", worst, at), ReportEntryVisibilityAlways)

	container(cluster.NameRuntime, "prometheus-garden-1", prometheusContainer, "continue")(ctx)
	Eventually(ctx, func(g Gomega) {
		g.Expect(detachedReplicas(ctx, g)).To(BeEmpty())
	}).Should(Succeed())
}

// pauseGarden1 lets a replica of the garden Prometheus stand still: it accepts connections, and does not answer.
func pauseGarden1(ctx context.Context) {
	container(cluster.NameRuntime, "prometheus-garden-1", prometheusContainer, "pause")(ctx)
	DeferCleanup(container(cluster.NameRuntime, "prometheus-garden-1", prometheusContainer, "continue"))
}

func detachedReplicas(ctx context.Context, g Gomega) []string {
	status, err := ls.FederationStatus(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	if status.FanOut == nil {
		return nil
	}
	var names []string
	for _, replica := range status.FanOut.DetachedReplicas {
		names = append(names, replica.Name)
	}
	return names
}

// fanOut returns the StatefulSets of the fan-out by whether they receive samples.
func fanOut(ctx context.Context, g Gomega) map[string]bool {
	list := &appsv1.StatefulSetList{}
	g.Expect(ls.Runtime().List(ctx, list, client.InNamespace(gardener.Namespace), client.MatchingLabels{"app": constants.GardenCollectorName})).To(Succeed())
	receives := map[string]bool{}
	for _, set := range list.Items {
		g.Expect(set.Status.ReadyReplicas).To(BeEquivalentTo(1), set.Name)
		g.Expect(set.Status.UpdatedReplicas).To(BeEquivalentTo(1), set.Name)
		receives[set.Name] = set.Spec.Template.Labels["otel-federation.extensions.gardener.cloud/receives"] == "true"
	}
	return receives
}

// expectFanOut waits until there are so many collectors of the fan-out, of which so many receive samples.
func expectFanOut(ctx context.Context, all, receiving int) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		sets := fanOut(ctx, g)
		g.Expect(sets).To(HaveLen(all))
		count := 0
		for _, receives := range sets {
			if receives {
				count++
			}
		}
		g.Expect(count).To(Equal(receiving))
	}).WithTimeout(rollTimeout).Should(Succeed())
}

// expectCapacity waits until all collectors of the fan-out have queues of the given capacity.
func expectCapacity(ctx context.Context, capacity float64) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		expectFanOut(ctx, 2, 2)
		for _, replica := range []int{0, 1} {
			g.Expect(metricOf(ctx, g, cluster.NameRuntime, fanOutPod(replica), "otelcol_exporter_queue_capacity")).To(Equal(2*capacity), fanOutPod(replica))
		}
	}).WithTimeout(rollTimeout).Should(Succeed())
}

func wait(ctx context.Context, duration time.Duration) {
	select {
	case <-time.After(duration):
	case <-ctx.Done():
	}
}
