// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus_test

import (
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"
	testclock "k8s.io/utils/clock/testing"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
)

var _ = Describe("Corpus", func() {
	var (
		clock        *testclock.FakePassiveClock
		allSelectors = selectors()
	)

	BeforeEach(func() {
		clock = testclock.NewFakePassiveClock(time.Unix(1753000000, 0))
	})

	DescribeTable("what is scraped",
		func(options corpus.Options) {
			wanted := options.Series
			if wanted == 0 {
				wanted = 700
			}
			exporter, err := corpus.NewExporter(options, clock)
			Expect(err).NotTo(HaveOccurred())
			scraped := parse(scrape(exporter, ""))

			selected, seen := 0, map[string]bool{}
			perSelector := make([]int, len(allSelectors))
			for _, labels := range scraped {
				matched := false
				for i, selector := range allSelectors {
					if selector.matches(labels) {
						perSelector[i]++
						matched = true
					}
				}
				if matched {
					selected++
				}
				identity := federated(labels)
				if seen[identity] {
					Fail("series occurs twice once it is federated: " + identity)
				}
				seen[identity] = true
			}

			Expect(perSelector).To(HaveLen(14))
			Expect(perSelector).To(HaveEach(BeNumerically(">", 0)))
			Expect(selected).To(BeNumerically("~", wanted, wanted/50))
			Expect(exporter.Series()).To(Equal(selected))
		},
		Entry("default", corpus.Options{}),
		Entry("700 series", corpus.Options{Series: 700}),
		Entry("70000 series", corpus.Options{Series: 70000}),
		Entry("with names in UTF-8, escaped", corpus.Options{Series: 700, UTF8Names: true}),
	)

	It("should say itself what is selected", func() {
		families, err := corpus.Families(corpus.Options{Series: 2000, UTF8Names: true})
		Expect(err).NotTo(HaveOccurred())
		for _, family := range families {
			for _, series := range family.Series {
				labels := map[string]string{model.MetricNameLabel: family.Name}
				for _, label := range series.Labels {
					labels[label.Name] = label.Value
				}
				selected := slices.ContainsFunc(allSelectors, func(s selector) bool { return s.matches(labels) })
				Expect(selected).To(Equal(family.Selected), "%v", labels)
			}
		}
	})

	It("should always be the same", func() {
		first, err := corpus.NewExporter(corpus.Options{Series: 3000}, clock)
		Expect(err).NotTo(HaveOccurred())
		second, err := corpus.NewExporter(corpus.Options{Series: 3000}, clock)
		Expect(err).NotTo(HaveOccurred())
		before := scrape(first, "")
		Expect(scrape(second, "")).To(Equal(before))
		clock.SetTime(clock.Now().Add(time.Hour))
		Expect(scrape(first, "")).To(Equal(before))
	})

	It("should let some counters rise if asked to", func() {
		exporter, err := corpus.NewExporter(corpus.Options{Changing: true}, clock)
		Expect(err).NotTo(HaveOccurred())
		before := strings.Split(string(scrape(exporter, "")), "\n")
		clock.SetTime(clock.Now().Add(90 * time.Second))
		after := strings.Split(string(scrape(exporter, "")), "\n")

		Expect(after).To(HaveLen(len(before)))
		var changed []string
		for i := range after {
			if after[i] != before[i] {
				changed = append(changed, after[i])
			}
		}
		Expect(changed).To(HaveLen(15))
		Expect(changed).To(ContainElement(`shoot:corpus:rising_total{namespace="shoot--local--1",job="",instance=""} 1090`))
	})

	It("should negotiate names in UTF-8", func() {
		exporter, err := corpus.NewExporter(corpus.Options{UTF8Names: true}, clock)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(scrape(exporter, ""))).To(And(ContainSubstring("seed:corpus_requests:count{"), Not(ContainSubstring(`"seed:corpus.requests:count"`))))
		accept := "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4"
		Expect(string(scrape(exporter, accept))).To(And(ContainSubstring(`{"seed:corpus.requests:count","label.name"="dots"`), ContainSubstring(`"with space"="yes"`)))
	})

	It("should refuse to be smaller than its shapes", func() {
		exporter, err := corpus.NewExporter(corpus.Options{Series: 10}, clock)
		Expect(err).To(MatchError(MatchRegexp("cannot have as few as 10 series, ask for [0-9]+ or more")))
		Expect(exporter).To(BeNil())
	})

	It("should leave room for growth below the default number of series", func() {
		_, err := corpus.NewExporter(corpus.Options{Series: 600, UTF8Names: true}, clock)
		Expect(err).NotTo(HaveOccurred())
	})
})
