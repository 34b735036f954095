// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/changes"
)

// smallVolume is the size of a volume that is full within a minute.
const smallVolume = "size=1500k"

// corruptQueue destroys the queue of a seed's collector while the collector stands still, and kills it. The collector does not recover by
// itself, although it is told to (`recreate`): it notices the damage in a goroutine of the database, whose panic nobody catches. So the
// extension replaces the pod, and the new one removes what is destroyed before its collector starts.
func corruptQueue(ctx context.Context) {
	wan(ingress.Faults{Cut: true})(ctx)
	wait(ctx, 4*ls.ScrapeInterval)
	pod, c := &corev1.Pod{}, ls.Seed(seed)
	Expect(c.Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: seedCollectorPod}, pod)).To(Succeed())
	container(seedCluster, seedCollectorPod, collectorContainer, "pause")(ctx)
	directory := volumeOf(ctx, seedCluster, constants.SeedCollectorName)
	file := filepath.Join(directory, "exporter_otlp_http_garden_metrics")
	content, err := os.ReadFile(file)
	Expect(err).NotTo(HaveOccurred())
	for i := range content {
		content[i] = byte(i * 7)
	}
	Expect(os.WriteFile(file, content, 0o600)).To(Succeed())
	kill(seedCluster, seedCollectorPod, collectorContainer)(ctx)

	changes.ExpectReplaced(ctx, c, pod)
	Expect(volumeOf(ctx, seedCluster, constants.SeedCollectorName)).To(Equal(directory), "the volume is the same")
}

// fillVolumeOfSeed lets the volume of a seed's collector become full while the WAN is cut.
func fillVolumeOfSeed(ctx context.Context) {
	unmount := mountSmallVolume(volumeOf(ctx, seedCluster, constants.SeedCollectorName))
	replacePod(ctx, seedCluster, seedCollectorPod)
	expectCurrent(ctx)

	wan(ingress.Faults{Cut: true})(ctx)
	expectEnqueueFailures(ctx, seedCluster, seedCollectorPod)
	wan(ingress.Faults{})(ctx)
	// What is in the queue has been delivered before the volume goes.
	expectCurrent(ctx)
	unmount(ctx)
	replacePod(ctx, seedCluster, seedCollectorPod)
}

// fillVolumeOfFanOut lets the volume of a collector of the fan-out become full while a replica of the garden Prometheus stands still. The
// collector refuses what it cannot keep, and the seeds send it again. What it has kept must not be lost either, but in two of three runs some
// of it was (docs/reliability.md).
func fillVolumeOfFanOut(ctx context.Context) {
	unmount := mountSmallVolume(volumeOf(ctx, cluster.NameRuntime, constants.GardenCollectorName+"-0"))
	replacePod(ctx, cluster.NameRuntime, fanOutPod(0))
	expectCurrent(ctx)

	pauseGarden1(ctx)
	expectEnqueueFailures(ctx, cluster.NameRuntime, fanOutPod(0))
	container(cluster.NameRuntime, "prometheus-garden-1", prometheusContainer, "continue")(ctx)
	expectCurrent(ctx)
	expectEmptyQueues(ctx, cluster.NameRuntime, fanOutPod(0))
	unmount(ctx)
	replacePod(ctx, cluster.NameRuntime, fanOutPod(0))
}

// replacePod deletes a pod and waits for the next one. A container that starts again in the same pod sees the volumes as they were.
func replacePod(ctx context.Context, clusterName, name string) {
	GinkgoHelper()
	pod := &corev1.Pod{}
	Expect(ls.Client(clusterName).Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: name}, pod)).To(Succeed())
	Expect(ls.Client(clusterName).Delete(ctx, pod)).To(Succeed())
	changes.ExpectReplaced(ctx, ls.Client(clusterName), pod)
}

// volumeOf returns the directory of the volume with the queue of a collector.
func volumeOf(ctx context.Context, clusterName, collectorName string) string {
	GinkgoHelper()
	claim := &corev1.PersistentVolumeClaim{}
	Expect(ls.Client(clusterName).Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: collectorName + "-queue"}, claim)).To(Succeed())
	return filepath.Join(ls.Dir, "nodes", clusterName, "volumes", claim.Spec.VolumeName)
}

// mountSmallVolume hides a volume behind one that is small and empty, and returns a function that takes it away. A pod that runs keeps what
// it has.
func mountSmallVolume(directory string) func(context.Context) {
	GinkgoHelper()
	Expect(inDaemon(func() error { return unix.Mount("tmpfs", directory, "tmpfs", 0, smallVolume) })).To(Succeed(), "mounting needs root")
	mounted := true
	unmount := func(context.Context) {
		if mounted {
			mounted = false
			// Lazily: the pod that is replaced next still uses it.
			Expect(inDaemon(func() error { return unix.Unmount(directory, unix.MNT_DETACH) })).To(Succeed())
		}
	}
	DeferCleanup(unmount)
	return unmount
}

// inDaemon does something among the mounts of the landscape's daemon: it has some of its own, and its pods have those of the daemon.
func inDaemon(do func() error) error {
	done := make(chan error)
	go func() {
		// The thread ends with the goroutine, as it is not unlocked.
		runtime.LockOSThread()
		done <- func() error {
			namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", ls.PID))
			if err != nil {
				return err
			}
			defer namespace.Close()
			// A thread that shares its working directory with others cannot go elsewhere.
			if err := unix.Unshare(unix.CLONE_FS); err != nil {
				return err
			}
			if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNS); err != nil {
				return err
			}
			return do()
		}()
	}()
	return <-done
}

// expectEnqueueFailures waits until a collector has refused samples, because it has no place for them.
func expectEnqueueFailures(ctx context.Context, clusterName, pod string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(metricOf(ctx, g, clusterName, pod, "otelcol_exporter_enqueue_failed_metric_points")).To(BeNumerically(">", 0))
	}).WithTimeout(5 * time.Minute).Should(Succeed())
}

// expectEmptyQueues waits until a collector has delivered all that it has.
func expectEmptyQueues(ctx context.Context, clusterName, pod string) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(metricOf(ctx, g, clusterName, pod, "otelcol_exporter_queue_size")).To(BeZero())
	}).Should(Succeed())
}

// metricOf returns the sum of a metric of a collector. A counter that has counted nothing does not exist.
func metricOf(ctx context.Context, g Gomega, clusterName, pod, name string) float64 {
	families, err := ls.PodMetrics(ctx, clusterName, pod, 8888)
	g.Expect(err).NotTo(HaveOccurred())
	sum := 0.0
	for _, suffix := range []string{"", "_total"} {
		for _, metric := range families[name+suffix].GetMetric() {
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue() + metric.GetUntyped().GetValue()
		}
	}
	return sum
}
