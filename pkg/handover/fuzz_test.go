// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

type fuzzAnswer struct {
	status int
	body   string
}

// RoundTrip implements http.RoundTripper.
func (a fuzzAnswer) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

// FuzzAsk checks that a Prometheus that answers nonsense, or has samples of seeds that are nonsense, does no more harm than an error: what
// comes from a seed must not stop the hand-over of others.
func FuzzAsk(f *testing.F) {
	const vector = `{"status":"success","data":{"resultType":"vector","result":[%]}}`
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, sample := range []string{
		``, `{"metric":{"instance":"a","seed":"b"},"value":[1767225600.5,"1767225590.123"]}`, `{"metric":{},"value":[1,"NaN"]}`, `{"metric":{},"value":[1,"+Inf"]}`,
		`{"metric":{},"value":[1,"-1e308"]}`, `{"metric":{},"value":[]}`, `{"metric":null,"value":null}`, `null`, `{}`, `{"metric":{"":"\u0000"},"histogram":[1,{}]}`,
		`{"metric":{},"histogram":[1,{"count":"1","sum":"1","buckets":[[0,"0","1","1"]]}]}`,
	} {
		f.Add(200, strings.Replace(vector, "%", sample, 1))
	}
	for _, body := range []string{
		"", "{}", "null", "text", `{"status":"error","errorType":"bad_data","error":"text"}`, `{"status":"success","data":null}`, `{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}`,
		`{"status":"success","data":{"resultType":"vector","result":null}}`, `{"status":"success","data":{"resultType":"text","result":[]}}`, `{"status":"success","warnings":["text"],"data":{"resultType":"vector","result":[]}}`,
	} {
		f.Add(200, body)
		f.Add(503, body)
	}

	f.Fuzz(func(t *testing.T, status int, body string) {
		g := NewWithT(t)
		observation, err := Ask(context.Background(), &http.Client{Transport: fuzzAnswer{status: status, body: body}}, "http://prometheus", "id", now, 5*time.Minute)
		if err != nil {
			g.Expect(observation).To(BeNil())
			return
		}

		tracker := NewTracker("a", "b")
		tracker.Observe(now, map[string]*Observation{"a": observation})
		for series := range observation.Scraped {
			freshness := tracker.Freshness(now, series, time.Minute)
			g.Expect(freshness.InAll).To(BeFalse(), "there is a replica that does not answer")
			g.Expect(freshness.Newest.After(now.Add(time.Hour)) && freshness.InKnown && tracker.Freshness(now.Add(2*time.Minute), series, time.Minute).InKnown).
				To(BeFalse(), "a sample from the future must not stay fresh")
		}
	})
}

// FuzzWithhold checks that no annotation takes more out of a ScrapeConfig than what it names.
func FuzzWithhold(f *testing.F) {
	f.Add("a,b", "a", "c")
	f.Add("", "", "")
	f.Add(",,", "", ",")
	f.Add("\x00", "\x00", "a")

	f.Fuzz(func(t *testing.T, annotation, first, second string) {
		g := NewWithT(t)
		config := &monitoringv1alpha1.ScrapeConfig{}
		config.Annotations = map[string]string{constants.AnnotationWithheldTargets: annotation}
		config.Labels = map[string]string{"prometheus": "garden"}
		config.Spec.StaticConfigs = []monitoringv1alpha1.StaticConfig{{Targets: []monitoringv1alpha1.Target{monitoringv1alpha1.Target(first), monitoringv1alpha1.Target(second)}}}

		Withhold(config)

		names := strings.Split(annotation, ",")
		for _, target := range []string{first, second} {
			withheld := false
			for _, name := range names {
				withheld = withheld || annotation != "" && name == target
			}
			if withheld {
				g.Expect(Targets(config)).NotTo(ContainElement(target))
			} else {
				g.Expect(Targets(config)).To(ContainElement(target))
			}
		}
		if len(Targets(config)) > 0 {
			g.Expect(config.Labels).To(HaveKeyWithValue("prometheus", "garden"))
		} else {
			g.Expect(config.Labels).NotTo(HaveKeyWithValue("prometheus", "garden"))
		}
	})
}
