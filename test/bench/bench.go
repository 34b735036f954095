// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package bench measures the ways by which samples can get from the aggregate Prometheus of a seed to both garden Prometheis: side by
// side, as plain processes, with the programs and configurations that run in clusters.
package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gardener/gardener-extension-otel-federation/test/bench/usage"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
)

const (
	exporterAddress = "127.80.0.1:8080"
	// maxHosts is how many addresses of a site are in the certificate.
	maxHosts = 16
	// maxSeriesTogether is how many series are measured at the same time if nobody says how many ways are: two cores keep up with so many.
	maxSeriesTogether = 800_000
)

// Options say what is measured.
type Options struct {
	// Series are the numbers of series, one measurement for each.
	Series []int
	// Interval is the scrape interval.
	Interval time.Duration
	// WarmUp, Scrapes and LatencyScrapes are the numbers of scrapes before the measurement, in it, and for the latency after it. The
	// latency is measured apart because that takes queries.
	WarmUp, Scrapes, LatencyScrapes int
	// Ways are the names of the ways.
	Ways []string
	// Together is how many ways run at the same time, pull included. Zero means as many as two cores keep up with.
	Together int
	// Binaries are the paths of the programs.
	Prometheus, Collector, VMAgent string
	// Soak is for how long all run on after the measurement, to watch their memory. It is not watched if it is 0.
	Soak time.Duration
	// Outage is for how long the WAN is cut in the end. There is no outage if it is 0.
	Outage time.Duration
	// Directory is for all files of all processes.
	Directory string
	// Progress is where the progress is written to.
	Progress io.Writer
}

// Validate returns an error if the options cannot be used.
func (o *Options) Validate() error {
	for _, name := range o.Ways {
		if known := slices.Concat(WayNames(), VariantNames()); !slices.Contains(known, name) {
			return fmt.Errorf("there is no way %q, choose from %s", name, strings.Join(known, ", "))
		}
	}
	switch {
	case len(o.Series) == 0 || slices.Min(o.Series) < corpus.DefaultSeries:
		return fmt.Errorf("numbers of series %v cannot be measured, the least is %d", o.Series, corpus.DefaultSeries)
	case len(o.Ways) == 0:
		return errors.New("there is no way to measure")
	case o.Interval < 2*time.Second:
		return fmt.Errorf("scrape interval %s is too short, use 2s or more", o.Interval)
	case o.Scrapes < 1 || o.WarmUp < 3 || o.LatencyScrapes < 0:
		return errors.New("at least one scrape, and three before it, are needed")
	case o.Soak < 0:
		return fmt.Errorf("nothing can be watched for %s", o.Soak)
	case o.Outage < 0 || o.Outage > 0 && o.Outage < 2*o.Interval:
		return fmt.Errorf("an outage of %s is shorter than two intervals", o.Outage)
	case o.Together < 0 || o.Together == 1 && len(o.Ways) > 1:
		return errors.New("at least two ways must run at the same time, because each is compared with pull")
	}
	return nil
}

// Result is what has been measured with a number of series.
type Result struct {
	// Series is the number of series.
	Series int
	// Measurements are those of all ways by which all samples arrive.
	Measurements []*Measurement
	// Failed are the titles of the other ways.
	Failed []string
	// IngestionCPU is the processor time of an aggregate Prometheus that nobody reads from, in microseconds per sample.
	IngestionCPU float64
	// Busy and Others are how many cores were busy, and how many of them with something else than what was measured.
	Busy, Others float64
}

// Run measures. If it fails it returns the results of the numbers of series that have been measured before, too.
func Run(ctx context.Context, o Options) ([]*Result, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	var results []*Result
	for _, series := range o.Series {
		result := &Result{Series: series}
		for i, group := range o.groups(series) {
			if err := o.runGroup(ctx, result, group, i == 0); err != nil {
				return results, fmt.Errorf("failed to measure %d series: %w", series, err)
			}
		}
		results = append(results, result)
	}
	return results, nil
}

// groups returns the ways that run at the same time. Pull is in every group, so that each way is compared with it in the same minutes.
func (o *Options) groups(series int) [][]way {
	together := o.Together
	if together == 0 {
		together = max(2, maxSeriesTogether/series)
	}
	var (
		reference = ways[0]
		others    = findWays(slices.DeleteFunc(slices.Clone(o.Ways), func(name string) bool { return name == reference.name }))
		groups    [][]way
	)
	for others := range slices.Chunk(others, max(1, together-1)) {
		groups = append(groups, append([]way{reference}, others...))
	}
	if len(groups) == 0 {
		groups = [][]way{{reference}}
	}
	return groups
}

// runGroup measures ways that run at the same time, and adds what pull needs only if it is asked to.
func (o *Options) runGroup(ctx context.Context, result *Result, group []way, withPull bool) (err error) {
	r, err := o.newRun(result.Series)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.stop(err != nil)) }()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case failure := <-r.supervisor.Failures():
			cancel(failure)
		case <-ctx.Done():
		}
	}()

	var names []string
	for _, one := range group {
		names = append(names, one.name)
	}
	r.progress("%d series, side by side: %s", result.Series, strings.Join(names, ", "))
	if err := r.startSites(ctx, group); err != nil {
		return errors.Join(err, causeOf(ctx))
	}
	measurements, err := r.measure(ctx, result, group)
	if err != nil {
		return errors.Join(err, causeOf(ctx))
	}
	if !withPull {
		measurements = measurements[1:]
	}
	result.Measurements = append(result.Measurements, measurements...)
	return nil
}

// causeOf returns why a context was cancelled, if it was.
func causeOf(ctx context.Context) error {
	if ctx.Err() == nil || errors.Is(context.Cause(ctx), context.Canceled) {
		return nil
	}
	return context.Cause(ctx)
}

// Machine describes the machine that is measured on.
func Machine() (string, error) { return usage.Proc.Machine() }
