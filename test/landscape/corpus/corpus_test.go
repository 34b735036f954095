// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	testclock "k8s.io/utils/clock/testing"

	gardenprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"

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

	It("should contain the shapes that are hard to carry", func() {
		exporter, err := corpus.NewExporter(corpus.Options{Seed: "my-seed"}, clock)
		Expect(err).NotTo(HaveOccurred())
		text := string(scrape(exporter, ""))

		for _, expected := range []string{
			`seed:reqs:count{job="",instance=""} 1`,
			`seed:corpus_shapes:count{shape="job and instance of the target"} 2`,
			`newline="first\nsecond"`, `quote="say \"hi\""`, `backslash="C:\\temp\\n"`,
			`empty=""`, `a__b="inside"`, `_leading="one"`, `__leading="two"`, `otel_scope_name="`, `exported_job="kubelet"`,
			`seed="my-seed"`, `seed="corpus-foreign-seed"`,
			`shoot:corpus:values{shape="NaN",job="",instance=""} NaN`,
			`shoot:corpus:values{shape="+Inf",job="",instance=""} +Inf`,
			`shoot:corpus:values{shape="-Inf",job="",instance=""} -Inf`,
			`shoot:corpus:values{shape="denormal",job="",instance=""} 5e-324`,
			fmt.Sprintf(`shoot:corpus:values{shape="largest",job="",instance=""} %v`, math.MaxFloat64),
			`shoot:foo:latency_bucket{le="+Inf",job="",instance=""} 24`,
		} {
			Expect(text).To(ContainSubstring(expected))
		}

		var mostLabels, longest int
		for _, labels := range parse([]byte(text)) {
			mostLabels = max(mostLabels, len(labels)-3)
			for _, value := range labels {
				longest = max(longest, len(value))
			}
		}
		Expect(mostLabels).To(Equal(60))
		Expect(longest).To(Equal(2048))
	})

	It("should negotiate names in UTF-8", func() {
		exporter, err := corpus.NewExporter(corpus.Options{UTF8Names: true}, clock)
		Expect(err).NotTo(HaveOccurred())
		Expect(string(scrape(exporter, ""))).To(And(ContainSubstring("seed:corpus_requests:count{"), Not(ContainSubstring(`"seed:corpus.requests:count"`))))
		accept := "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4"
		Expect(string(scrape(exporter, accept))).To(And(ContainSubstring(`{"seed:corpus.requests:count","label.name"="dots"`), ContainSubstring(`"with space"="yes"`)))
	})

	It("should refuse to be smaller than its shapes", func() {
		_, err := corpus.NewExporter(corpus.Options{Series: 10}, clock)
		Expect(err).To(MatchError(MatchRegexp("cannot have as few as 10 series, ask for [0-9]+ or more")))
	})
})

func scrape(exporter *corpus.Exporter, accept string) []byte {
	GinkgoHelper()
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	recorder := httptest.NewRecorder()
	exporter.ServeHTTP(recorder, request)
	Expect(recorder.Code).To(Equal(http.StatusOK))
	Expect(recorder.Header().Get("Content-Type")).To(HavePrefix("text/plain; version="))
	Expect(recorder.Header().Get("Content-Length")).To(Equal(fmt.Sprint(recorder.Body.Len())))
	return recorder.Body.Bytes()
}

// parse returns the labels of all series, including their names.
func parse(text []byte) []map[string]string {
	GinkgoHelper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	Expect(err).NotTo(HaveOccurred())

	var all []map[string]string
	for name, family := range families {
		Expect(family.GetType()).To(BeElementOf(dto.MetricType_GAUGE, dto.MetricType_UNTYPED, dto.MetricType_COUNTER))
		for _, metric := range family.GetMetric() {
			labels := map[string]string{model.MetricNameLabel: name}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			all = append(all, labels)
		}
	}
	return all
}

// federated is the identity of a series after federation: empty labels vanish, alertname overwrites shoot_alertname, and job
// and seed are added where there are none.
func federated(labels map[string]string) string {
	result := maps.Clone(labels)
	result["shoot_alertname"] = result["alertname"]
	result["job"] = cmp.Or(result["job"], "prometheus-aggregate")
	result["seed"] = cmp.Or(result["seed"], corpus.DefaultSeed)
	maps.DeleteFunc(result, func(_, value string) bool { return value == "" })

	var parts []string
	for name, value := range result {
		parts = append(parts, fmt.Sprintf("%q=%q", name, value))
	}
	slices.Sort(parts)
	return strings.Join(parts, ",")
}

type matcher struct {
	label, operator string
	expression      *regexp.Regexp
}

type selector []matcher

var matcherExpression = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)

// selectors are the selectors of Gardener's own federation.
func selectors() []selector {
	configs := gardenprometheus.CentralScrapeConfigs([]monitoringv1alpha1.Target{"prometheus-aggregate"}, nil, nil)
	var all []selector
	for _, text := range configs[len(configs)-1].Spec.Params["match[]"] {
		var one selector
		for _, parts := range matcherExpression.FindAllStringSubmatch(text, -1) {
			expression := parts[3]
			if !strings.HasSuffix(parts[2], "~") {
				expression = regexp.QuoteMeta(expression)
			}
			one = append(one, matcher{label: parts[1], operator: parts[2], expression: regexp.MustCompile("^(?s:" + expression + ")$")})
		}
		all = append(all, one)
	}
	return all
}

func (s selector) matches(labels map[string]string) bool {
	return !slices.ContainsFunc(s, func(m matcher) bool {
		return m.expression.MatchString(labels[m.label]) == strings.HasPrefix(m.operator, "!")
	})
}
