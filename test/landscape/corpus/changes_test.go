// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"
	testclock "k8s.io/utils/clock/testing"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
)

var _ = Describe("Changes", func() {
	const acceptUTF8 = "text/plain;version=1.0.0;escaping=allow-utf-8"

	var (
		clock    *testclock.FakePassiveClock
		path     string
		exporter *corpus.Exporter
		before   []string
	)

	lines := func(accept string) []string {
		GinkgoHelper()
		return strings.Split(strings.TrimSpace(string(scrape(exporter, accept))), "\n")
	}
	missing := func() []string {
		GinkgoHelper()
		var all []string
		now := map[string]bool{}
		for _, line := range lines("") {
			now[line] = true
		}
		for _, line := range before {
			if !now[line] && !strings.HasPrefix(line, "#") {
				all = append(all, line)
			}
		}
		return all
	}

	BeforeEach(func() {
		clock = testclock.NewFakePassiveClock(time.Unix(1753000000, 0))
		path = filepath.Join(GinkgoT().TempDir(), "changes.json")
		var err error
		exporter, err = corpus.NewExporter(corpus.Options{UTF8Names: true, Changing: true}, clock)
		Expect(err).NotTo(HaveOccurred())
		exporter.FollowChanges(path)
		before = lines("")
	})

	It("should change nothing without a file or with an empty set of changes", func() {
		Expect(corpus.Changes{}.Write(path)).To(Succeed())
		Expect(lines("")).To(Equal(before))
		Expect(os.Remove(path)).To(Succeed())
		Expect(lines("")).To(Equal(before))
	})

	DescribeTable("hiding",
		func(hide []corpus.Matcher, expected ...string) {
			Expect(corpus.Changes{Hide: hide}.Write(path)).To(Succeed())
			Expect(missing()).To(ConsistOf(expected))
			Expect(os.Remove(path)).To(Succeed())
			Expect(missing()).To(BeEmpty())
		},
		Entry("nothing", []corpus.Matcher{{"__name__": "shoot:a:b:nothing"}}),
		Entry("a family", []corpus.Matcher{{"__name__": "shoot:a:b"}},
			`shoot:a:b{job="",instance=""} 16`, `shoot:a:b{namespace="shoot--local--one",job="",instance=""} 17`),
		Entry("series of a family", []corpus.Matcher{{"__name__": "shoot:a:b", "namespace": "shoot--local--one"}},
			`shoot:a:b{namespace="shoot--local--one",job="",instance=""} 17`),
		Entry("series without a label", []corpus.Matcher{{"__name__": "shoot:a:b", "namespace": ""}}, `shoot:a:b{job="",instance=""} 16`),
		Entry("series of any name", []corpus.Matcher{{"instance": "localhost:9090"}},
			`prometheus_tsdb_lowest_timestamp{job="corpus",instance="localhost:9090"} 1.753000000123e+12`,
			`prometheus_tsdb_storage_blocks_bytes{job="corpus",instance="localhost:9090"} 1.23456789e+08`),
		Entry("several series", []corpus.Matcher{{"__name__": "shoot:a:b:c"}, {"__name__": "ALERTS", "alertname": "Both"}},
			`shoot:a:b:c{job="",instance=""} 18`, `ALERTS{alertname="Both",shoot_alertname="Inner",alertstate="firing",job="",instance=""} 1`),
		Entry("a series that is not federated", []corpus.Matcher{{"__name__": "kube_node_info"}}, `kube_node_info{node="node-0",job="",instance=""} 1`),
		Entry("a name in UTF-8, also if it is escaped", []corpus.Matcher{{"__name__": "shoot:größe:sum"}}, `shoot:gr__e:sum{shape="name in UTF-8",job="",instance=""} 1`),
	)

	It("should hide everything with an empty matcher", func() {
		Expect(corpus.Changes{Hide: []corpus.Matcher{{}}}.Write(path)).To(Succeed())
		Expect(scrape(exporter, "")).To(BeEmpty())
	})

	It("should not leave out anything else, in UTF-8 as well as escaped, while counters rise", func() {
		clock.SetTime(clock.Now().Add(90 * time.Second))
		unchanged, unchangedUTF8 := lines(""), lines(acceptUTF8)
		Expect(unchanged).NotTo(ConsistOf(before))

		Expect(corpus.Changes{Hide: []corpus.Matcher{{"__name__": "shoot:a:b:nothing"}}}.Write(path)).To(Succeed())
		Expect(lines("")).To(ConsistOf(unchanged))
		Expect(lines(acceptUTF8)).To(ConsistOf(unchangedUTF8))
		Expect(unchangedUTF8).To(ContainElement(HavePrefix(`{"shoot:größe:sum",`)))
	})

	It("should hide series of an incident, too, and end it", func() {
		Expect(corpus.Changes{
			Hide:      []corpus.Matcher{{"__name__": "ALERTS", "alertname": "PodStuckInPending"}},
			Incidents: []string{corpus.IncidentShootControlPlane, corpus.IncidentShootControlPlane},
		}.Write(path)).To(Succeed())
		for range 2 {
			changed := strings.Join(lines(""), "\n")
			Expect(changed).To(ContainSubstring(`alertname="KubeApiserverDown"`))
			Expect(changed).NotTo(ContainSubstring(`alertname="PodStuckInPending"`))
		}
		Expect(missing()).To(BeEmpty())
		Expect(corpus.Changes{}.Write(path)).To(Succeed())
		Expect(lines("")).To(Equal(before))
	})

	DescribeTable("what is wrong with the file",
		func(content, expected string) {
			Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
			response := get(exporter, "")
			Expect(response.Code).To(Equal(http.StatusInternalServerError))
			Expect(response.Body.String()).To(And(ContainSubstring(path), ContainSubstring(expected), Not(ContainSubstring("shoot:"))))

			Expect(os.Remove(path)).To(Succeed())
			Expect(lines("")).To(Equal(before))
		},
		Entry("empty", "", "EOF"),
		Entry("not JSON", "{", "unexpected EOF"),
		Entry("unknown field", `{"show":[]}`, `unknown field "show"`),
		Entry("value that is not a string", `{"hide":[{"le":1}]}`, "cannot unmarshal number"),
		Entry("more than one value", `{"hide":[]} {"hide":[]}`, "more than one JSON value"),
		Entry("garbage behind", `{"hide":[]} }`, "more than one JSON value"),
		Entry("unknown incident", `{"incidents":["shoot-control-plane","flood"]}`, `unknown incident "flood", the known ones are: shoot-control-plane`),
	)

	It("should say that the file cannot be read", func() {
		Expect(os.Mkdir(path, 0o700)).To(Succeed())
		response := get(exporter, "")
		Expect(response.Code).To(Equal(http.StatusInternalServerError))
		Expect(response.Body.String()).To(And(ContainSubstring(path), ContainSubstring("is a directory")))
	})

	It("should be read as written, without leaving anything else", func() {
		changes := corpus.Changes{Hide: []corpus.Matcher{{"__name__": "ALERTS", "alertname": "quote \" ü \n"}}, Incidents: []string{"shoot-control-plane"}}
		for range 2 {
			Expect(changes.Write(path)).To(Succeed())
			Expect(corpus.ReadChanges(path)).To(Equal(changes))
		}
		entries, err := os.ReadDir(filepath.Dir(path))
		Expect(err).NotTo(HaveOccurred())
		Expect(entries).To(HaveLen(1))
	})

	It("should keep what was there if it cannot be replaced", func() {
		Expect(corpus.Changes{}.Write(filepath.Join(path, "missing", "changes.json"))).To(MatchError(ContainSubstring("its directory must exist and be writable")))
		Expect(os.MkdirAll(filepath.Join(path, "kept"), 0o700)).To(Succeed())
		Expect(corpus.Changes{}.Write(path)).To(MatchError(And(ContainSubstring(path), ContainSubstring("must be replaceable"))))
		entries, err := os.ReadDir(filepath.Dir(path))
		Expect(err).NotTo(HaveOccurred())
		Expect(entries).To(HaveLen(1))
	})

	It("should hide series of the garden's exporter, which has no incidents", func() {
		garden, err := corpus.NewGardenExporter([]string{"local"}, clock)
		Expect(err).NotTo(HaveOccurred())
		garden.FollowChanges(path)
		Expect(parse(scrape(garden, ""))).To(ContainElement(HaveKeyWithValue(model.MetricNameLabel, "garden_shoot_info")))

		Expect(corpus.Changes{Hide: []corpus.Matcher{{"__name__": "garden_shoot_info"}}}.Write(path)).To(Succeed())
		Expect(parse(scrape(garden, ""))).NotTo(Or(BeEmpty(), ContainElement(HaveKeyWithValue(model.MetricNameLabel, "garden_shoot_info"))))

		Expect(corpus.Changes{Incidents: []string{"shoot-control-plane"}}.Write(path)).To(Succeed())
		response := get(garden, "")
		Expect(response.Code).To(Equal(http.StatusInternalServerError))
		Expect(response.Body.String()).To(ContainSubstring("this exporter has no incidents"))
	})

	It("should be applied to a large corpus", func() {
		large, err := corpus.NewExporter(corpus.Options{Series: 70000}, clock)
		Expect(err).NotTo(HaveOccurred())
		large.FollowChanges(path)
		all := len(parse(scrape(large, "")))
		Expect(corpus.Changes{Hide: []corpus.Matcher{{"__name__": "shoot:a:b"}}}.Write(path)).To(Succeed())
		Expect(parse(scrape(large, ""))).To(HaveLen(all - 2))
	})
})
