// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

const (
	// pointsPerSeries is how many points a line of a panel has.
	pointsPerSeries = 240
	queryTimeout    = 20 * time.Second
)

// graph is a panel with what is to be drawn in it.
type graph struct {
	panel

	series []series
}

// series is a line. Parts between which there are no samples are not connected.
type series struct {
	name  string
	parts [][]point
}

type point struct {
	time, value float64
}

type source struct {
	api prometheusv1.API
	// last is for how long the panels look back.
	last time.Duration
}

func newSource(url string, last time.Duration) (source, error) {
	client, err := api.NewClient(api.Config{Address: url})
	if err != nil {
		return source{}, fmt.Errorf("invalid URL of the Prometheus: %w", err)
	}
	return source{api: prometheusv1.NewAPI(client), last: last}, nil
}

// read asks the queries of all panels for the time that ends now.
func (s source) read(ctx context.Context, panels []panel, now time.Time) ([]graph, error) {
	step := max(time.Second, (s.last / pointsPerSeries).Round(time.Second))
	graphs := make([]graph, 0, len(panels))
	for _, p := range panels {
		g := graph{panel: p}
		for _, q := range p.Targets {
			some, err := s.query(ctx, q, prometheusv1.Range{Start: now.Add(-s.last), End: now, Step: step})
			if err != nil {
				return nil, fmt.Errorf("panel %q: query %q failed: %w", p.Title, q.Expr, err)
			}
			g.series = append(g.series, some...)
		}
		graphs = append(graphs, g)
	}
	return graphs, nil
}

func (s source) query(ctx context.Context, q query, r prometheusv1.Range) ([]series, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	value, _, err := s.api.QueryRange(ctx, q.Expr, r)
	if err != nil {
		return nil, err
	}
	matrix, ok := value.(model.Matrix)
	if !ok {
		return nil, fmt.Errorf("the result is a %s instead of a matrix", value.Type())
	}

	var all []series
	for _, stream := range matrix {
		labels := map[string]string{}
		for name, value := range stream.Metric {
			labels[string(name)] = string(value)
		}
		if parts := split(stream.Values, r.Step); len(parts) > 0 {
			all = append(all, series{name: q.name(labels, stream.Metric.String()), parts: parts})
		}
	}
	return all, nil
}

// split returns the parts of a series between which samples are missing. What is no number is missing, too.
func split(samples []model.SamplePair, step time.Duration) [][]point {
	var parts [][]point
	last := math.Inf(-1)
	for _, sample := range samples {
		p := point{time: float64(sample.Timestamp) / 1000, value: float64(sample.Value)}
		if math.IsNaN(p.value) || math.IsInf(p.value, 0) {
			continue
		}
		if p.time-last > 1.5*step.Seconds() {
			parts = append(parts, nil)
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], p)
		last = p.time
	}
	return parts
}

// start returns the time of the first point of a series.
func (s series) start() float64 { return s.parts[0][0].time }

// end returns the time of the last point of a series.
func (s series) end() float64 {
	part := s.parts[len(s.parts)-1]
	return part[len(part)-1].time
}

// span returns for how long there has been something to draw in the graph.
func (g graph) span() time.Duration {
	longest := 0.0
	for _, s := range g.series {
		longest = max(longest, s.end()-s.start())
	}
	return time.Duration(longest * float64(time.Second))
}

// values returns the lowest and the highest value of the graph.
func (g graph) values() (float64, float64) {
	lowest, highest := math.Inf(1), math.Inf(-1)
	for _, s := range g.series {
		for _, part := range s.parts {
			for _, p := range part {
				lowest, highest = min(lowest, p.value), max(highest, p.value)
			}
		}
	}
	return lowest, highest
}

// spanOfRates returns for how long there have been rates: the shortest time of all panels that show some.
func spanOfRates(graphs []graph) time.Duration {
	shortest, found := time.Duration(math.MaxInt64), false
	for _, g := range graphs {
		if g.showsRate() && len(g.series) > 0 {
			shortest, found = min(shortest, g.span()), true
		}
	}
	if !found {
		return 0
	}
	return shortest
}

func unix(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
