// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package landscape

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus/client_golang/api"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	gardenprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

// Prometheus is a Prometheus pod of the landscape.
type Prometheus struct {
	// Name is the name by which the landscape calls it.
	Name string
	// URL is its URL.
	URL string
}

// Federation is what a Prometheus has of a seed.
type Federation struct {
	// Series is the number of series that match the selectors of Gardener's federation.
	Series int
	// Newest is the time of the newest sample of these series.
	Newest time.Time
}

var prometheusClient = &http.Client{Timeout: 20 * time.Second}

// Selectors are the selectors by which Gardener's garden Prometheus federates from the seeds.
func Selectors() []string {
	configs := gardenprometheus.CentralScrapeConfigs([]monitoringv1alpha1.Target{"unused"}, nil, nil)
	for _, config := range configs {
		if selectors := config.Spec.Params["match[]"]; len(selectors) > 0 {
			return selectors
		}
	}
	return nil
}

// API returns a client for the HTTP API.
func (p *Prometheus) API() (prometheusv1.API, error) {
	if p == nil {
		return nil, errNoPrometheus
	}
	c, err := api.NewClient(api.Config{Address: p.URL})
	if err != nil {
		return nil, err
	}
	return prometheusv1.NewAPI(c), nil
}

// Query evaluates an instant query.
func (p *Prometheus) Query(ctx context.Context, query string) (model.Vector, error) {
	queries, err := p.API()
	if err != nil {
		return nil, err
	}
	value, _, err := queries.Query(ctx, query, time.Now())
	if err != nil {
		return nil, fmt.Errorf("failed to query %s: %w", p.Name, err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("query %q to %s returns %s, not a vector", query, p.Name, value.Type())
	}
	return vector, nil
}

// Ready returns an error if Prometheus is not ready.
func (p *Prometheus) Ready(ctx context.Context) error {
	response, err := p.get(ctx, "/-/ready", nil)
	if err != nil {
		return err
	}
	return response.Body.Close()
}

// Metrics returns the metrics that Prometheus exposes about itself, by name.
func (p *Prometheus) Metrics(ctx context.Context) (map[string]*dto.MetricFamily, error) {
	response, err := p.get(ctx, "/metrics", nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return parseMetrics(p.Name, response.Body)
}

// hasSamples says whether Prometheus has samples that are federated, of the given seed if there is one.
func (p *Prometheus) hasSamples(ctx context.Context, seed string) bool {
	selector := `__name__=~"(seed|shoot|metering):.+"`
	if seed != "" {
		selector += fmt.Sprintf(",seed=%q", seed)
	}
	vector, err := p.Query(ctx, "count({"+selector+"})")
	return err == nil && len(vector) > 0
}

// isPushedTo says whether Prometheus gets samples of a seed by push, be it under shadow names.
func (p *Prometheus) isPushedTo(ctx context.Context, seed string) bool {
	vector, err := p.Query(ctx, fmt.Sprintf(`{__name__=~"(%s)?up",job=%q,seed=%q} == 1`, handover.ShadowPrefix, constants.JobPrometheusAggregate, seed))
	return err == nil && len(vector) > 0
}

// Federate asks /federate for series, and reads the answer as another Prometheus would.
func (p *Prometheus) Federate(ctx context.Context, selector string) (map[string]*dto.MetricFamily, error) {
	response, err := p.get(ctx, "/federate", url.Values{"match[]": {selector}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	return parseMetrics(p.Name, response.Body)
}

// federated returns what Prometheus has of a seed. It asks /federate, like the garden Prometheus does for real.
func (p *Prometheus) federated(ctx context.Context, seed string) (*Federation, error) {
	params := url.Values{}
	for _, selector := range Selectors() {
		if strings.HasPrefix(p.Name, "garden-") {
			// The garden Prometheus also has alerts of its own about the seed. Federated ones carry the external labels of the aggregate.
			if strings.Contains(selector, "ALERTS") {
				selector = strings.TrimSuffix(selector, "}") + `,prometheus_replica!=""}`
			}
			selector = strings.TrimSuffix(selector, "}") + fmt.Sprintf(",seed=%q}", seed)
		}
		params.Add("match[]", selector)
	}
	response, err := p.get(ctx, "/federate", params)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()

	result, newest := &Federation{}, int64(0)
	scanner := bufio.NewScanner(response.Body)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		line := scanner.Text()
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		result.Series++
		if timestamp, err := strconv.ParseInt(line[strings.LastIndexByte(line, ' ')+1:], 10, 64); err == nil {
			newest = max(newest, timestamp)
		}
	}
	result.Newest = time.UnixMilli(newest)
	return result, scanner.Err()
}

func (p *Prometheus) get(ctx context.Context, path string, params url.Values) (*http.Response, error) {
	if p == nil {
		return nil, errNoPrometheus
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.URL+path+"?"+params.Encode(), nil)
	if err != nil {
		return nil, err
	}
	response, err := prometheusClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("failed to reach %s: %w", p.Name, err)
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("%s answers %s to %s", p.Name, response.Status, path)
	}
	return response, nil
}
