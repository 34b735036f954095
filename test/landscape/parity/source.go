// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

// queryTimeout is Prometheus' own default.
const queryTimeout = 2 * time.Minute

// grid are the evaluation times.
type grid struct {
	start    time.Time
	interval time.Duration
	steps    int
}

func newGrid(o Options) grid {
	// The HTTP API knows milliseconds.
	end := o.At.Truncate(time.Millisecond)
	return grid{start: end.Add(-time.Duration(o.Steps-1) * o.Interval), interval: o.Interval, steps: o.Steps}
}

func (g grid) time(i int) time.Time { return g.start.Add(time.Duration(i) * g.interval) }

// index returns the index of an evaluation time.
func (g grid) index(t model.Time) (int, bool) {
	// The API client passes times as floating-point numbers, so they may be off by a millisecond.
	i := int((t.Time().Sub(g.start) + g.interval/2) / g.interval)
	return i, i >= 0 && i < g.steps && t.Time().Sub(g.time(i)).Abs() <= time.Millisecond
}

// content is what a Prometheus has.
type content struct {
	// series are the series that are compared.
	series *seriesSet
	// names has one series per metric name. Its value is the number of series with that name.
	names *seriesSet
	// leftOut are the metric names of the series that the selectors match but that are not compared.
	leftOut map[model.Fingerprint]string
}

// source asks a Prometheus.
type source struct {
	name string
	api  prometheusv1.API
	side side
}

func newSource(p *landscape.Prometheus, roundTripper http.RoundTripper, side side) (*source, error) {
	if p == nil {
		return nil, errors.New("there is no such Prometheus to compare: check its name")
	}
	client, err := api.NewClient(api.Config{Address: p.URL, RoundTripper: roundTripper})
	if err != nil {
		return nil, fmt.Errorf("failed to create a client for Prometheus %s: %w", p.Name, err)
	}
	return &source{name: p.Name, api: prometheusv1.NewAPI(client), side: side}, nil
}

// seeds returns the seeds of which Prometheus has the federation target.
func (s *source) seeds(ctx context.Context, at time.Time) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	query, err := s.side.selector(fmt.Sprintf("up{job=%q}", constants.JobPrometheusAggregate))
	if err != nil {
		return nil, err
	}
	value, _, err := s.api.Query(ctx, query, at)
	if err != nil {
		return nil, fmt.Errorf("failed to query Prometheus %s for %s: %w", s.name, query, err)
	}
	vector, ok := value.(model.Vector)
	if !ok {
		return nil, fmt.Errorf("Prometheus %s answers query %s by a %s, not a vector: check its URL", s.name, query, value.Type())
	}
	var seeds []string
	for _, sample := range vector {
		if seed := string(sample.Metric[constants.LabelSeed]); seed != "" {
			seeds = append(seeds, seed)
		}
	}
	if len(seeds) == 0 && s.side.prefix != "" {
		return nil, fmt.Errorf("Prometheus %s has no %s with a label %s: is what is pushed stored with the prefix %q?", s.name, query, constants.LabelSeed, s.side.prefix)
	}
	if len(seeds) == 0 {
		return nil, fmt.Errorf("Prometheus %s has no %s with a label %s: is federation by push enabled? If it is, name the seeds explicitly", s.name, query, constants.LabelSeed)
	}
	slices.Sort(seeds)
	return slices.Compact(seeds), nil
}

// isOwnAlert says whether a series is an alert of this extension that the garden Prometheus evaluates. No seed has it.
func isOwnAlert(metric model.Metric) bool {
	return metric[labelName] == "ALERTS" && metric["service"] == constants.ExtensionType && metric["topology"] == "garden"
}

// content returns what is compared.
func (s *source) content(ctx context.Context, o Options, g grid) (*content, error) {
	c := &content{series: newSeriesSet(g.steps), names: newSeriesSet(g.steps), leftOut: map[model.Fingerprint]string{}}

	// One selector after the other, so that only one answer is in memory besides the series made of it.
	for _, selector := range o.Selectors {
		query, err := s.side.selector(selector)
		if err != nil {
			return nil, err
		}
		matrix, err := s.queryRange(ctx, query, g)
		if err != nil {
			return nil, err
		}
		for _, stream := range matrix {
			if slices.Contains(o.ExcludeJobs, string(stream.Metric[labelJob])) || isOwnAlert(stream.Metric) {
				continue
			}
			if s.side.leavesOut(stream.Metric) {
				c.leftOut[stream.Metric.Fingerprint()] = string(stream.Metric[labelName])
				continue
			}
			for _, name := range o.IgnoreLabels {
				delete(stream.Metric, model.LabelName(name))
			}
			if err := c.series.add(stream, g); err != nil {
				return nil, fmt.Errorf("Prometheus %s: %w", s.name, err)
			}
		}
	}
	if o.IgnoreExtraNames {
		return c, nil
	}

	selector, err := s.side.selector(namesSelector(o.ExcludeJobs))
	if err != nil {
		return nil, err
	}
	matrix, err := s.queryRange(ctx, "count by (__name__) ("+selector+")", g)
	if err != nil {
		return nil, fmt.Errorf("%w (this query can be left out by ignoring extra metric names)", err)
	}
	for _, stream := range matrix {
		if err := c.names.add(stream, g); err != nil {
			return nil, fmt.Errorf("Prometheus %s: %w", s.name, err)
		}
	}
	return c, nil
}

// namesSelector selects the series that are counted per metric name.
func namesSelector(excludeJobs []string) string {
	// What the hand-over records about itself is none of the federated.
	matchers := `__name__=~".+",__name__!~"garden:otel_federation_.+"`
	if len(excludeJobs) > 0 {
		var quoted []string
		for _, job := range excludeJobs {
			quoted = append(quoted, regexp.QuoteMeta(job))
		}
		matchers += "," + labelJob + "!~" + strconv.Quote(strings.Join(quoted, "|"))
	}
	return "{" + matchers + "}"
}

func (s *source) queryRange(ctx context.Context, query string, g grid) (model.Matrix, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	value, _, err := s.api.QueryRange(ctx, query, prometheusv1.Range{Start: g.start, End: g.time(g.steps - 1), Step: g.interval})
	if err != nil {
		return nil, fmt.Errorf("failed to query Prometheus %s for %s: %w", s.name, query, err)
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("Prometheus %s answers query %s by a %s, not a matrix: use a vector selector", s.name, query, value.Type())
	}
	for _, stream := range matrix {
		if err := s.side.strip(stream.Metric); err != nil {
			return nil, fmt.Errorf("Prometheus %s: %w", s.name, err)
		}
	}
	return matrix, nil
}
