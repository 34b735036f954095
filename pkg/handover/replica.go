// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// ShadowPrefix is what comes before the names of metrics that are pushed in the mode Shadow.
const ShadowPrefix = "shadow:"

// otlpHandler is how a Prometheus calls its OTLP receiver in its own metrics (web/api/v1/api.go).
const otlpHandler = "/api/v1/otlp/v1/metrics"

// maxSeriesPerSeed is how many series of a seed are read. One is enough, but a seed can send any number, with whatever labels.
const maxSeriesPerSeed = 10

// scrapedQuery returns a query for the times of the scrapes of federation targets that were complete, for series that match. timestamp() must
// be applied to a selector: of an expression it returns the time of the evaluation.
func scrapedQuery(prefix, matcher string) string {
	target := fmt.Sprintf("{job=%q,%s}", constants.JobPrometheusAggregate, matcher)
	return fmt.Sprintf("timestamp(%[1]sup%[2]s) and (%[1]sup%[2]s == 1) and on (seed, instance) (%[1]sscrape_samples_post_metric_relabeling%[2]s > 0)", prefix, target)
}

// scrapedQueries are the queries for each way. Only push writes a label `seed` there.
var scrapedQueries = map[Way]string{
	Pull:   scrapedQuery("", `seed=""`),
	Push:   fmt.Sprintf("topk by (seed) (%d, %s)", maxSeriesPerSeed, scrapedQuery("", `seed!=""`)),
	Shadow: fmt.Sprintf("topk by (seed) (%d, %s)", maxSeriesPerSeed, scrapedQuery(ShadowPrefix, `seed!=""`)),
}

// pulledQuery is a query for the times of all attempts to pull.
var pulledQuery = fmt.Sprintf(`timestamp(up{job=%q,seed=""})`, constants.JobPrometheusAggregate)

// rejectedQuery returns a query for the number of pushes that the Prometheus has refused within the window.
func rejectedQuery(window time.Duration) string {
	return fmt.Sprintf(`sum(increase(prometheus_http_requests_total{job="prometheus-garden",handler=%q,code=~"4.."}[%s])) > 0`, otlpHandler, model.Duration(window))
}

// Ask asks a replica of the garden Prometheus what it has. The window is how long ago a refusal may be to count.
func Ask(ctx context.Context, httpClient *http.Client, url, identity string, now time.Time, window time.Duration) (*Observation, error) {
	client, err := api.NewClient(api.Config{Address: url, Client: httpClient})
	if err != nil {
		return nil, fmt.Errorf("failed to create a client for the garden Prometheus at %s: %w", url, err)
	}
	q := &querier{api: prometheusv1.NewAPI(client), url: url, now: now}
	observation := &Observation{Identity: identity, Scraped: map[Series]time.Time{}, Pulled: map[string]time.Time{}}

	for way, query := range scrapedQueries {
		vector, err := q.query(ctx, query)
		if err != nil {
			return nil, err
		}
		for _, sample := range vector {
			series := Series{Way: way, Seed: string(sample.Metric[constants.LabelSeed]), Instance: string(sample.Metric[model.InstanceLabel])}
			observation.Scraped[series] = timestamp(sample)
		}
	}

	vector, err := q.query(ctx, pulledQuery)
	if err != nil {
		return nil, err
	}
	for _, sample := range vector {
		observation.Pulled[string(sample.Metric[model.InstanceLabel])] = timestamp(sample)
	}

	vector, err = q.query(ctx, rejectedQuery(window))
	if err != nil {
		return nil, err
	}
	observation.Rejecting = len(vector) > 0
	return observation, nil
}

type querier struct {
	api prometheusv1.API
	url string
	now time.Time
}

func (q *querier) query(ctx context.Context, query string) (model.Vector, error) {
	value, _, err := q.api.Query(ctx, query, q.now)
	if err != nil {
		return nil, fmt.Errorf("failed to query the garden Prometheus at %s: %w", q.url, err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("the garden Prometheus at %s answers query %s by a %s, not a vector", q.url, query, value.Type())
	}
	if slices.Contains(vector, nil) {
		return nil, fmt.Errorf("the garden Prometheus at %s answers query %s by a vector with something that is no sample", q.url, query)
	}
	return vector, nil
}

// timestamp returns the time that is the value of a sample.
func timestamp(sample *model.Sample) time.Time {
	return time.UnixMilli(int64(math.Round(float64(sample.Value) * 1000)))
}
