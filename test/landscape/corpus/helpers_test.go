// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus_test

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	gardenprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
)

func get(exporter *corpus.Exporter, accept string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	recorder := httptest.NewRecorder()
	exporter.ServeHTTP(recorder, request)
	return recorder
}

func scrape(exporter *corpus.Exporter, accept string) []byte {
	GinkgoHelper()
	recorder := get(exporter, accept)
	Expect(recorder.Code).To(Equal(http.StatusOK), recorder.Body.String())
	Expect(recorder.Header().Get("Content-Type")).To(HavePrefix("text/plain; version="))
	Expect(recorder.Header().Get("Content-Length")).To(Equal(fmt.Sprint(recorder.Body.Len())))
	return recorder.Body.Bytes()
}

// sample is a series and its value.
type sample struct {
	// labels include the name.
	labels map[string]string
	value  float64
}

// parse returns the labels of all series, including their names.
func parse(text []byte) []map[string]string {
	GinkgoHelper()
	var all []map[string]string
	for _, sample := range samples(text) {
		all = append(all, sample.labels)
	}
	return all
}

func samples(text []byte) []sample {
	GinkgoHelper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	Expect(err).NotTo(HaveOccurred())

	var all []sample
	for name, family := range families {
		Expect(family.GetType()).To(BeElementOf(dto.MetricType_GAUGE, dto.MetricType_UNTYPED, dto.MetricType_COUNTER))
		for _, metric := range family.GetMetric() {
			labels := map[string]string{model.MetricNameLabel: name}
			for _, label := range metric.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			// Only the one of the family's type is set, the others are 0.
			value := metric.GetGauge().GetValue() + metric.GetUntyped().GetValue() + metric.GetCounter().GetValue()
			all = append(all, sample{labels: labels, value: value})
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
