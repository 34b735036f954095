// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
)

const (
	// labelCatchUp is for what needs a landscape with more series.
	labelCatchUp = "catch-up"
	// outage is longer than the five minutes after which a collector gives up by default.
	outage = 330 * time.Second
	// goalCatchUp is how long Prometheus remote write takes after the same outage, with the same number of series, alone on two cores. In a
	// landscape the cores are busy with both garden Prometheis and all else for as long as it takes, see docs/reliability.md, so that the limit is another.
	goalCatchUp = 28 * time.Second
	maxCatchUp  = 90 * time.Second
	// goalMemory is kept or missed by what else the machine does, see docs/reliability.md, so that the limit is another.
	goalMemory = 400 << 20
	// maxMemory is for the memory of a collector's own. The file of the queue is mapped into its memory as well, and all of it is resident
	// until others need the room: that counts for the resident size only.
	maxMemory = 512 << 20
	// seedLocal is the seed that is the runtime cluster, the only one here.
	seedLocal = "local"
)

var _ = Describe("Catching up", Label(labelCatchUp), func() {
	It("loses nothing, is current again within 90 seconds, and takes less than 512 MiB", func(ctx SpecContext) {
		expectScraped(ctx, time.Now())
		series := samplesPerScrape(ctx, seedLocal)
		from := time.Now()
		peak := map[string]memory{}

		Expect(ls.SetFaults(ctx, cluster.NameRuntime, ingress.Faults{Cut: true})).To(Succeed())
		DeferCleanup(func(ctx context.Context) {
			Expect(ls.SetFaults(ctx, cluster.NameRuntime, ingress.Faults{})).To(Succeed())
		})
		for cut := time.Now(); time.Since(cut) < outage; wait(ctx, time.Second) {
			observeMemory(peak)
		}
		Expect(ls.SetFaults(ctx, cluster.NameRuntime, ingress.Faults{})).To(Succeed())
		cured := time.Now()
		// What takes longer fails, but is to be measured.
		for !scrapedSince(ctx, Default, cured.Add(-ls.ScrapeInterval)) && time.Since(cured) < 3*maxCatchUp && ctx.Err() == nil {
			observeMemory(peak)
			wait(ctx, time.Second/2)
		}
		caughtUp := time.Since(cured)
		expectScraped(ctx, time.Now())
		observeMemory(peak)

		lost := 0
		for _, replica := range landscape.GardenReplicas {
			lost += missed(scrapes(ctx, replica, from, cured), from, cured, ls.ScrapeInterval)
		}
		result := []string{
			fmt.Sprintf("After an outage of %s of the WAN, with %d samples every %s: current again after %.1f s (goal: %s), %d scrapes lost. Largest memory of each collector throughout:",
				outage, series, ls.ScrapeInterval, caughtUp.Seconds(), goalCatchUp, lost), "",
		}
		for _, pod := range collectorPods() {
			result = append(result, fmt.Sprintf("- `%s`: %d MiB of its own (goal: %d MiB), %d MiB of files that are mapped, among them its queues", pod, peak[pod].own>>20, goalMemory>>20, peak[pod].files>>20))
		}
		catchUp = strings.Join(result, "\n") + "\n"
		AddReportEntry(catchUp, ReportEntryVisibilityAlways)

		Expect(lost).To(BeZero(), "scrapes that are missing in a replica")
		Expect(caughtUp).To(BeNumerically("<=", maxCatchUp))
		for pod, memory := range peak {
			Expect(memory.own).To(BeNumerically("<", maxMemory), "memory of %s in bytes", pod)
		}
	})
})

func collectorPods() []string {
	return []string{seedCollectorPod, fanOutPod(0), fanOutPod(1)}
}

// memory is what is resident of a process, in bytes.
type memory struct {
	own, files int
}

func observeMemory(peak map[string]memory) {
	GinkgoHelper()
	for _, pod := range collectorPods() {
		now := memoryOf(pod)
		peak[pod] = memory{own: max(peak[pod].own, now.own), files: max(peak[pod].files, now.files)}
	}
}

// memoryOf asks the system, because a collector tells only the sum.
func memoryOf(pod string) memory {
	GinkgoHelper()
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	Expect(err).NotTo(HaveOccurred())
	for _, file := range environments {
		// Processes may end meanwhile.
		environment, _ := os.ReadFile(file)
		if !bytes.Contains(environment, []byte("\x00POD_NAME="+pod+"\x00")) {
			continue
		}
		status, err := os.ReadFile(filepath.Join(filepath.Dir(file), "status"))
		if err != nil || !bytes.Contains(status, []byte("Name:\totelcol\n")) {
			continue
		}
		return memory{own: sizeOf(status, "RssAnon"), files: sizeOf(status, "RssFile")}
	}
	Fail("no process of the collector in pod " + pod + " is found")
	return memory{}
}

func sizeOf(status []byte, field string) int {
	GinkgoHelper()
	_, rest, found := bytes.Cut(status, []byte(field+":"))
	Expect(found).To(BeTrue(), field)
	var kibibytes int
	_, err := fmt.Sscan(string(rest), &kibibytes)
	Expect(err).NotTo(HaveOccurred())
	return kibibytes << 10
}

// expectScraped waits until both replicas have a scrape of the seed that was made after the given time.
func expectScraped(ctx context.Context, since time.Time) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		g.Expect(scrapedSince(ctx, g, since)).To(BeTrue())
	}).Should(Succeed())
}

func scrapedSince(ctx context.Context, g Gomega, since time.Time) bool {
	for _, replica := range landscape.GardenReplicas {
		vector, err := ls.Prometheus(replica).Query(ctx, fmt.Sprintf("timestamp(%s)", scrapeReport("up")))
		g.Expect(err).NotTo(HaveOccurred())
		if len(vector) != 1 || time.UnixMilli(int64(float64(vector[0].Value)*1000)).Before(since) {
			return false
		}
	}
	return true
}

// scrapes are the times of the scrapes of the seed that a replica has got.
func scrapes(ctx context.Context, replica string, from, to time.Time) map[int64]bool {
	GinkgoHelper()
	api, err := ls.Prometheus(replica).API()
	Expect(err).NotTo(HaveOccurred())
	value, _, err := api.Query(ctx, fmt.Sprintf("%s[%dms]", scrapeReport("scrape_samples_post_metric_relabeling"), to.Sub(from).Milliseconds()), to)
	Expect(err).NotTo(HaveOccurred())
	matrix, ok := value.(model.Matrix)
	Expect(ok).To(BeTrue())
	times := map[int64]bool{}
	for _, stream := range matrix {
		for _, pair := range stream.Values {
			times[int64(pair.Timestamp)] = true
		}
	}
	return times
}

func scrapeReport(metric string) string {
	return fmt.Sprintf("%s{job=%q,seed=%q}", metric, constants.JobPrometheusAggregate, seedLocal)
}
