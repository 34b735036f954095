// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

const (
	selector      = `{__name__=~"test.+"}`
	otherSelector = `{other="selector"}`
	seedsQuery    = `up{job="prometheus-aggregate"}`
	namesQuery    = `count by (__name__) ({__name__=~".+",__name__!~"garden:otel_federation_.+",job!~"prometheus-garden|otel-federation-garden|gardener-extension-otel-federation-runtime"})`
	interval      = time.Minute
)

// always are the values of a series that is always there.
const always = "1 1 1 1 1 1"

// base is a series in both, so that there is something to compare with.
var base = ts(always, "test_base")

var at = time.Date(2026, 1, 1, 12, 5, 0, 0, time.UTC)

// timeSeries is a series of a fake Prometheus. Its values are those at the evaluation times, separated by spaces, where _ is no value.
type timeSeries struct {
	metric model.Metric
	values string
}

// ts returns a series with the given metric name and labels.
func ts(values, name string, namesAndValues ...string) timeSeries {
	metric := model.Metric{model.MetricNameLabel: model.LabelValue(name)}
	for pair := range slices.Chunk(namesAndValues, 2) {
		metric[model.LabelName(pair[0])] = model.LabelValue(pair[1])
	}
	return timeSeries{metric, values}
}

func (t timeSeries) stream(start time.Time, step time.Duration) *model.SampleStream {
	stream := &model.SampleStream{Metric: t.metric}
	for i, text := range strings.Fields(t.values) {
		if text == "_" {
			continue
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil {
			panic(err)
		}
		stream.Values = append(stream.Values, model.SamplePair{Timestamp: model.TimeFromUnixNano(start.Add(time.Duration(i) * step).UnixNano()), Value: model.SampleValue(value)})
	}
	return stream
}

// fakePrometheus answers a range query by the series that it has for this query.
type fakePrometheus struct {
	*httptest.Server

	answers map[string][]timeSeries
	// up are the label sets of the federation target, which are the answer to seedsQuery.
	up         []model.Metric
	seedsQuery string
	// failures are how many requests fail before one succeeds.
	failures int
	// histogram, offset and scalar make answers that nobody can compare.
	histogram bool
	offset    time.Duration
	scalar    bool

	lock     sync.Mutex
	requests []string
	queries  []string
	tokens   []string
}

// newFakePrometheus returns one with the given series for the selector of the tests. Their names are answered as well.
func newFakePrometheus(all ...timeSeries) *fakePrometheus {
	f := &fakePrometheus{answers: map[string][]timeSeries{selector: all}, up: []model.Metric{{"seed": "one"}, {"seed": "two"}}, seedsQuery: seedsQuery}
	names := map[string]string{}
	for _, one := range all {
		names[string(one.metric[model.MetricNameLabel])] = "1 1 1 1 1 1"
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		f.answers[namesQuery] = append(f.answers[namesQuery], ts(names[name], name))
	}
	f.Server = httptest.NewServer(f)
	return f
}

func (f *fakePrometheus) prometheus(name string) *landscape.Prometheus {
	return &landscape.Prometheus{Name: name, URL: f.URL}
}

func (f *fakePrometheus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.FormValue("query")
	f.lock.Lock()
	f.requests = append(f.requests, strings.Join([]string{r.URL.Path, query, r.FormValue("start"), r.FormValue("end"), r.FormValue("step"), r.FormValue("time")}, " "))
	f.queries = append(f.queries, query)
	f.tokens = append(f.tokens, r.Header.Get("Authorization"))
	fails := f.failures > 0
	f.failures--
	f.lock.Unlock()

	if fails {
		w.WriteHeader(http.StatusUnprocessableEntity)
		_, _ = w.Write([]byte(`{"status":"error","errorType":"execution","error":"too many samples"}`))
		return
	}
	switch r.URL.Path {
	case "/api/v1/query_range":
		start, _ := strconv.ParseFloat(r.FormValue("start"), 64)
		step, _ := strconv.ParseFloat(r.FormValue("step"), 64)
		if f.scalar {
			answer(w, "scalar", []any{0, "1"})
			return
		}
		matrix := model.Matrix{}
		for _, one := range f.answers[query] {
			matrix = append(matrix, one.stream(time.UnixMilli(int64(start*1000)).Add(f.offset), time.Duration(step*float64(time.Second))))
		}
		for _, stream := range matrix {
			if f.histogram {
				stream.Histograms = []model.SampleHistogramPair{{Histogram: &model.SampleHistogram{}}}
			}
		}
		answer(w, "matrix", matrix)
	case "/api/v1/query":
		vector := model.Vector{}
		if query == f.seedsQuery {
			for _, metric := range f.up {
				vector = append(vector, &model.Sample{Metric: metric, Value: 1})
			}
		}
		answer(w, "vector", vector)
	default:
		http.NotFound(w, r)
	}
}

func answer(w http.ResponseWriter, resultType string, result any) {
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": resultType, "result": result}})
}

// compare compares by the selector of the tests unless there are others.
func compare(ctx context.Context, pull, push *fakePrometheus, o parity.Options) (*parity.Report, error) {
	if o.Selectors == nil {
		o.Selectors = []string{selector}
	}
	o.At = at
	DeferCleanup(pull.Close)
	DeferCleanup(push.Close)
	return parity.Compare(ctx, pull.prometheus("reference"), push.prometheus("garden-0"), o)
}

// compareSeries returns the differences as lines, too.
func compareSeries(ctx context.Context, pull, push []timeSeries, o parity.Options) (*parity.Report, []string) {
	report, err := compare(ctx, newFakePrometheus(append(pull, base)...), newFakePrometheus(append(push, base)...), o)
	Expect(err).NotTo(HaveOccurred())
	return report, lines(report)
}

// target returns all metrics of the federation target, and what derives from them.
func target(values, seed string) []timeSeries {
	var all []timeSeries
	for _, name := range []string{"up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added", "healthcheck", "ALERTS", "ALERTS_FOR_STATE"} {
		one := ts(values, name, "job", "prometheus-aggregate", "instance", "i")
		if seed != "" {
			one.metric["seed"] = model.LabelValue(seed)
		}
		all = append(all, one)
	}
	return all
}

// lines returns the differences of a report, by family and kind.
func lines(report *parity.Report) []string {
	var all []string
	for _, family := range report.Families {
		for _, kind := range parity.Kinds() {
			for _, difference := range family.Differences[kind] {
				all = append(all, fmt.Sprintf("%s: %s: %s", kind, difference.Series, difference.Detail))
			}
		}
	}
	return all
}
