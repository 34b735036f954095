// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench_test

import (
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/seedcollector"
	. "github.com/gardener/gardener-extension-otel-federation/test/bench"
	"github.com/gardener/gardener-extension-otel-federation/test/bench/usage"
	"github.com/gardener/gardener-extension-otel-federation/test/bench/wan"
)

var _ = Describe("Configurations", func() {
	// inPods is what must not be left of configurations for pods.
	inPods := Or(ContainSubstring("[::]"), ContainSubstring("/var/"), ContainSubstring("/etc/"), ContainSubstring("prometheus-aggregate:80"), ContainSubstring("prometheus-operated"))

	It("should be those that the extension deploys, for processes", func(ctx SpecContext) {
		config, env, err := SeedCollectorConfig(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(config).To(And(ContainSubstring("127.0.0.1:9090"), ContainSubstring("/dir/credentials/token"), ContainSubstring("directory: /dir/queue"), ContainSubstring("file_storage")))
		Expect(config).NotTo(inPods)
		Expect(env).To(ConsistOf("GOMEMLIMIT=322122547"))

		config, env, err = FanOutConfig(ctx)
		Expect(err).NotTo(HaveOccurred())
		Expect(config).To(And(ContainSubstring("http://127.0.0.3:9090/api/v1/otlp"), ContainSubstring("http://127.0.0.4:9090/api/v1/otlp"), ContainSubstring("/dir/jwks/jwks.json"), ContainSubstring("127.0.0.2:4318")))
		Expect(config).NotTo(inPods)
		Expect(env).To(ConsistOf("GOMEMLIMIT=644245094"))
	})

	It("should pull as Gardener does", func() {
		config, err := FederationScrapeConfig("127.0.0.1:8443", 15*time.Second, true)
		Expect(err).NotTo(HaveOccurred())
		Expect(config).To(And(
			HaveKeyWithValue("honor_labels", true),
			HaveKeyWithValue("honor_timestamps", false),
			HaveKeyWithValue("scheme", "https"),
			HaveKeyWithValue("basic_auth", map[string]any{"username": "bench", "password": "secret"}),
			HaveKeyWithValue("scrape_timeout", "14s"),
			HaveKeyWithValue("params", map[string][]string{"match[]": seedcollector.DefaultSelectors()}),
			HaveKeyWithValue("metric_relabel_configs", HaveLen(1)),
		))

		config, err = FederationScrapeConfig("127.0.0.1:9090", 15*time.Second, false)
		Expect(err).NotTo(HaveOccurred())
		Expect(config).NotTo(Or(HaveKey("scheme"), HaveKey("basic_auth"), HaveKey("tls_config")))
	})

	It("should let Prometheus accept OTLP as the extension does", func() {
		Expect(OTLPReceiverConfig()).To(Equal(map[string]any{
			"otlp":    map[string]any{"translation_strategy": "NoTranslation", "promote_resource_attributes": []string{"prometheus", "prometheus_replica"}},
			"storage": map[string]any{"tsdb": map[string]any{"out_of_order_time_window": "2h"}},
		}))
	})

	It("should ask for the same series in the proof of concept", func() {
		for _, selector := range seedcollector.DefaultSelectors() {
			Expect(ProofOfConceptConfigs[0]).To(ContainSubstring("'" + selector + "'"))
		}
	})

	It("should fail if there is nothing to replace", func() {
		Expect(Replace("a b", map[string]string{"a": "c", "b": "a"})).To(Equal("c a"))
		_, err := Replace("a", map[string]string{"b": "c"})
		Expect(err).To(MatchError(ContainSubstring(`no "b"`)))
	})
})

var _ = Describe("Options", func() {
	var options Options

	BeforeEach(func() {
		options = Options{Series: []int{7000}, Interval: 15 * time.Second, WarmUp: 3, Scrapes: 1, Ways: WayNames()}
	})

	It("should be valid", func() {
		Expect(options.Validate()).To(Succeed())
	})

	DescribeTable("should be refused", func(change func(), message string) {
		change()
		Expect(options.Validate()).To(MatchError(ContainSubstring(message)))
	},
		Entry("unknown way", func() { options.Ways = []string{"pigeon"} }, `no way "pigeon", choose from pull, poc, extension`),
		Entry("no way", func() { options.Ways = nil }, "no way"),
		Entry("no series", func() { options.Series = nil }, "numbers of series []"),
		Entry("too few series", func() { options.Series = []int{7000, 10} }, "the least is 700"),
		Entry("short interval", func() { options.Interval = time.Second }, "1s is too short"),
		Entry("no scrapes", func() { options.Scrapes = 0 }, "at least one scrape"),
		Entry("no warm-up", func() { options.WarmUp = 2 }, "three before it"),
		Entry("nothing to compare with", func() { options.Together = 1 }, "at least two"),
	)

	It("should compare each way with pull at the same time", func() {
		Expect(options.Groups(70_000)).To(Equal([][]string{WayNames()}))
		Expect(options.Groups(200_000)).To(Equal([][]string{
			{WayPull, WayProofOfConcept, WayExtension, WayRemoteWrite1}, {WayPull, WayRemoteWrite2, WayVMAgent},
		}))
		options.Together = 2
		options.Ways = []string{WayExtension, WayVMAgent}
		Expect(options.Groups(7000)).To(Equal([][]string{{WayPull, WayExtension}, {WayPull, WayVMAgent}}))
		options.Ways = []string{WayPull}
		Expect(options.Groups(7000)).To(Equal([][]string{{WayPull}}))
	})
})

var _ = Describe("Measurement", func() {
	roles := map[string]Role{"a": RoleAggregate, "s": RoleSender, "g0": RoleReceiver, "g1": RoleReceiver}
	before := map[string]usage.Process{"a": {CPU: time.Second}, "s": {CPU: 2 * time.Second}, "g0": {}, "g1": {}}
	after := map[string]usage.Process{
		"a": {CPU: 3 * time.Second, PeakRSS: 10}, "s": {CPU: 3 * time.Second, PeakRSS: 20}, "g0": {CPU: 2 * time.Second, PeakRSS: 30}, "g1": {CPU: 4 * time.Second, PeakRSS: 40},
	}
	from, to := wan.Traffic{FromClient: 100, ToClient: 1000, Requests: 7}, wan.Traffic{FromClient: 300, ToClient: 5000, Requests: 17}

	It("should be per scrape and per sample", func() {
		m := MeasureSite(roles, false, before, after, from, to, 10, 100_000)
		Expect(m.CPU).To(Equal(map[Role]float64{RoleAggregate: 2, RoleSender: 1, RoleReceiver: 3}))
		Expect(m.PeakRSS).To(Equal(map[Role]int64{RoleAggregate: 10, RoleSender: 20, RoleReceiver: 40}))
		Expect([]float64{m.SeedToGarden, m.GardenToSeed, m.Bytes(), m.Requests}).To(Equal([]float64{20, 400, 420, 1}))
		m.FederationCPU = 1.5
		Expect(m.SeedCPU()).To(Equal(2.5))
	})

	It("should know where the clients are", func() {
		m := MeasureSite(roles, true, before, after, from, to, 10, 100_000)
		Expect([]float64{m.SeedToGarden, m.GardenToSeed}).To(Equal([]float64{400, 20}))
	})

	It("should have percentiles of latencies", func() {
		m := &Measurement{}
		Expect(m.Latency(50)).To(BeZero())
		for i := range 200 {
			m.Latencies = append(m.Latencies, time.Duration(i+1))
		}
		Expect(m.Latency(50)).To(BeEquivalentTo(100))
		Expect(m.Latency(99)).To(BeEquivalentTo(198))
		m.Latencies = m.Latencies[:1]
		Expect(m.Latency(50)).To(BeEquivalentTo(1))
		Expect(m.Latency(99)).To(BeEquivalentTo(1))
	})
})

var _ = Describe("Document", func() {
	var (
		document *Document
		path     string
	)

	BeforeEach(func() {
		document = &Document{
			Machine: "a machine", Versions: []string{"Prometheus 1", "collector 2"}, Command: "make bench", Target: "bench", Date: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: 61 * time.Minute,
			Options: Options{Interval: 15 * time.Second, WarmUp: 4, Scrapes: 12, LatencyScrapes: 6},
			Results: []*Result{{Series: 70_000, IngestionCPU: 2.5, Busy: 1.25, Others: 0.5, Failed: []string{"other"}, Measurements: []*Measurement{
				{
					Title: "pull", Samples: 70_000, Scrapes: 12, Complete: 12, SeedToGarden: 880_000, GardenToSeed: 2000, Requests: 2, FederationCPU: 17.4, Stored: 70_005, Wrong: -1, Surplus: -1,
					CPU: map[Role]float64{RoleReceiver: 2}, PeakRSS: map[Role]int64{RoleReceiver: 300 << 20}, Pull: Reference{Bytes: 882_000, SeedCPU: 17.4, ReceiverCPU: 2},
				},
				{
					Title: "push", Samples: 70_000, Scrapes: 12, Complete: 11, SeedToGarden: 440_000, GardenToSeed: 1000, Requests: 4, FederationCPU: 8.7, Stored: 70_005, Wrong: 3, Surplus: 4, TargetInfo: 2,
					CPU:     map[Role]float64{RoleReceiver: 3, RoleSender: 4, RoleFanOut: 5},
					PeakRSS: map[Role]int64{RoleReceiver: 300 << 20, RoleSender: 200 << 20, RoleFanOut: 100 << 20}, Latencies: []time.Duration{time.Second, 2 * time.Second},
					Pull: Reference{Bytes: 882_000, SeedCPU: 17.4, ReceiverCPU: 2},
				},
			}}},
		}
		path = filepath.Join(GinkgoT().TempDir(), "benchmarks.md")
	})

	It("should have the ratios to pull", func() {
		var text strings.Builder
		document.Write(&text)
		Expect(text.String()).To(And(
			ContainSubstring("| machine | a machine |"),
			ContainSubstring("| date | 2026-01-02, took 1h1m0s |"),
			ContainSubstring("### 70,000 series"),
			ContainSubstring("| pull | 12 of 12 | 880 kB | 2.0 kB | 2 | 12.6 B | 100 % | 70,005 | – | – | 0 |"),
			ContainSubstring("| push | 11 of 12 | 440 kB | 1.0 kB | 4 | 6.3 B | 50 % | 70,005 | 3 | 4 | 2 |"),
			ContainSubstring("| other | not all samples arrive |"),
			ContainSubstring("| pull | 17.4 | – | **17.4** | × 1.00 | – | 2.0 | × 1.00 |"),
			ContainSubstring("| push | 8.7 | 4.0 | **12.7** | × 0.73 | 5.0 | 3.0 | × 1.50 |"),
			ContainSubstring("| push | – | 200 MiB | 100 MiB | 300 MiB | 1.0 s | 2.0 s |"),
		))
	})

	It("should tell how the memory went in the course of a soak", func() {
		document.Options.Soak = time.Hour
		document.Results[0].Measurements[1].Memory = map[Role][]int64{RoleSender: {100 << 20, 100 << 20, 200 << 20, 200 << 20, 100 << 20, 100 << 20, 100 << 20, 140 << 20, 999 << 20}}
		var text strings.Builder
		document.Write(&text)
		Expect(text.String()).To(And(
			ContainSubstring("Memory (RSS) within 1h0m0s, mean of each quarter:"),
			ContainSubstring("| push | sender | 100 MiB | 200 MiB | 100 MiB | 120 MiB | × 1.20 |"),
		))
	})

	It("should replace what is between the markers only", func() {
		const begin, end = "<!-- Begin of what `make bench` writes. -->", "<!-- End of what `make bench` writes. -->"
		Expect(os.WriteFile(path, []byte("before\n"+begin+"\nold\n"+end+"\nafter\n"), 0o600)).To(Succeed())
		Expect(document.WriteFile(path)).To(Succeed())
		data, err := os.ReadFile(path)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(data)).To(And(HavePrefix("before\n"+begin+"\n\n| | |\n"), ContainSubstring("### 70,000 series"), HaveSuffix("|\n\n"+end+"\nafter\n"), Not(ContainSubstring("old"))))
	})

	It("should not touch a document without markers", func() {
		Expect(os.WriteFile(path, []byte("text\n"), 0o600)).To(Succeed())
		Expect(document.WriteFile(path)).To(MatchError(ContainSubstring("has no lines")))
		Expect(os.ReadFile(path)).To(BeEquivalentTo("text\n"))
	})
})
