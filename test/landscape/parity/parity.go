// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package parity compares what a Prometheus that pulls and one that is pushed to store of the same seeds.
package parity

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

const (
	// DefaultInterval is the interval at which Gardener's garden Prometheus scrapes.
	DefaultInterval = time.Minute
	// DefaultSteps is the default of the number of evaluation times.
	DefaultSteps = 6

	minSteps = 3
	maxSteps = 60
)

// Options are the options of a comparison. The zero value is valid.
type Options struct {
	// Interval is the interval at which both Prometheis get samples, and the distance of two evaluation times. The default is
	// DefaultInterval.
	Interval time.Duration
	// Steps is the number of evaluation times. The default is DefaultSteps.
	Steps int
	// At is the last evaluation time. The default is one interval ago: what has been scraped by then has arrived.
	At time.Time
	// Selectors are the vector selectors of the series to compare. The default is DefaultSelectors.
	Selectors []string
	// Seeds are the names of the seeds that push. The default are those of which push has the federation target.
	Seeds []string
	// PushPrefix is what the names of all metrics begin with that are pushed, like "shadow:". It is removed before the comparison, in
	// which pull is without such metrics and without all that federation has not brought, like the results of rules. So pull and push
	// may be the same Prometheus.
	PushPrefix string
	// ExcludeJobs are the jobs whose series are left out. The default, used if it is nil, is DefaultExcludeJobs.
	ExcludeJobs []string
	// IgnoreLabels are names of labels that are removed from all series, like a timestamp which depends on when a Prometheus
	// started. Series that become the same by this are merged.
	IgnoreLabels []string
	// IgnoreExtraNames says not to look for metric names that only push has, beyond the selectors.
	IgnoreExtraNames bool
	// MinConstant is the share, from 0 to 1, of the series of pull that must have had one value at all evaluation times. Where
	// values are constant, it tells a comparison of all series from one of the few that were there long enough.
	MinConstant float64
	// RoundTripper is for the requests, for example to authenticate them. The default is that of the Prometheus client.
	RoundTripper http.RoundTripper
}

// DefaultSelectors are the selectors of the series that are compared by default: those of Gardener's federation, those of its
// target, and those that nobody asked for but that a push by OpenTelemetry easily adds.
func DefaultSelectors() []string {
	return append(slices.Clone(landscape.Selectors()),
		fmt.Sprintf(`{__name__=~"up|scrape_.+",job=%q}`, constants.JobPrometheusAggregate),
		`{__name__=~"target_info|otel_.+"}`,
	)
}

// DefaultExcludeJobs are the jobs whose series are left out by default: the metrics of each Prometheus about itself, and those
// of the fan-out, which only the garden Prometheus scrapes.
func DefaultExcludeJobs() []string {
	return []string{"prometheus-garden", constants.GardenCollectorName, "gardener-extension-otel-federation-runtime"}
}

// Validate returns an error if the options cannot be used.
func (o Options) Validate() error {
	switch {
	case o.Interval < 0 || o.Interval%time.Millisecond != 0:
		return fmt.Errorf("interval %s is not a positive number of milliseconds: use the scrape interval, like %s", o.Interval, DefaultInterval)
	case o.Steps != 0 && (o.Steps < minSteps || o.Steps > maxSteps):
		return fmt.Errorf("%d evaluation times are not possible: at least %d are needed to tell a difference from a phase, and at most %d are supported", o.Steps, minSteps, maxSteps)
	case slices.Contains(o.Selectors, ""):
		return errors.New("a selector is empty: use a PromQL vector selector")
	case slices.Contains(o.Seeds, ""):
		return errors.New("the name of a seed is empty: remove it from the list")
	case o.MinConstant < 0 || o.MinConstant > 1:
		return fmt.Errorf("%v is not a share of series with a constant value: use a number from 0 to 1", o.MinConstant)
	case slices.Contains(o.IgnoreLabels, labelName):
		return fmt.Errorf("label %s cannot be ignored: it is the name of the metric", labelName)
	}
	return o.validatePushPrefix()
}

func (o Options) validatePushPrefix() error {
	if o.PushPrefix == "" {
		return nil
	}
	if !model.LegacyValidation.IsValidMetricName(o.PushPrefix) {
		return fmt.Errorf("%q is not a prefix of metric names: use letters, digits, underscores and colons, like %q", o.PushPrefix, "shadow:")
	}
	for _, selector := range o.Selectors {
		if _, err := o.side(true).selector(selector); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) side(pushed bool) side { return side{prefix: o.PushPrefix, pushed: pushed} }

func (o *Options) setDefaults() {
	if o.Interval == 0 {
		o.Interval = DefaultInterval
	}
	if o.Steps == 0 {
		o.Steps = DefaultSteps
	}
	if o.At.IsZero() {
		o.At = time.Now().Add(-o.Interval)
	}
	if len(o.Selectors) == 0 {
		o.Selectors = DefaultSelectors()
	}
	if o.ExcludeJobs == nil {
		o.ExcludeJobs = DefaultExcludeJobs()
	}
}

// Compare compares what two Prometheis store: one that pulls, which is the reference, and one that is pushed to.
//
// Both are asked for their series at a few times, one interval apart. They get their samples at different phases of the interval,
// so they may truly differ at one of these times, around a change. Only what the phase cannot explain is a difference.
func Compare(ctx context.Context, pull, push *landscape.Prometheus, o Options) (*Report, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o.setDefaults()
	g := newGrid(o)

	pullSource, err := newSource(pull, o.RoundTripper, o.side(false))
	if err != nil {
		return nil, err
	}
	pushSource, err := newSource(push, o.RoundTripper, o.side(true))
	if err != nil {
		return nil, err
	}
	if len(o.Seeds) == 0 {
		if o.Seeds, err = pushSource.seeds(ctx, o.At); err != nil {
			return nil, err
		}
	}

	var pulled, pushed *content
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		pulled, err = pullSource.content(groupCtx, o, g)
		return err
	})
	group.Go(func() (err error) {
		pushed, err = pushSource.content(groupCtx, o, g)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}

	// Without this, two Prometheis which have nothing would be equal.
	if !pulled.series.anyComplete() {
		return nil, fmt.Errorf("Prometheus %s has no series at all of the %d times from %s to %s, so there is nothing to compare with: wait until it has scraped for that long, or check its targets",
			pull.Name, g.steps, formatTime(g.start), formatTime(g.time(g.steps-1)))
	}
	if constant, all := pulled.series.countConstant(), len(pulled.series.byKey); float64(constant) < o.MinConstant*float64(all) {
		return nil, fmt.Errorf("only %d of %d series of Prometheus %s have had one value at all of the %d times from %s to %s, but %.0f %% are asked for: wait until it has scraped for that long",
			constant, all, pull.Name, g.steps, formatTime(g.start), formatTime(g.time(g.steps-1)), 100*o.MinConstant)
	}

	c := &comparison{grid: g, report: newReport(pull.Name, push.Name, o, g)}
	c.compare(pulled, pushed)
	return c.report, nil
}
