// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/prometheus/client_golang/api"
	"github.com/prometheus/common/config"
	"github.com/spf13/pflag"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

const (
	flagDir      = "dir"
	flagPull     = "pull"
	flagPush     = "push"
	flagInterval = "interval"

	flagPushPrefix = "push-prefix"

	flagMinConstant = "min-constant"
	// landscapeMinConstant is the default for a local landscape, in which nearly all values are constant.
	landscapeMinConstant = 0.9
)

// flags are the flags of the command.
type flags struct {
	dir             string
	pull            string
	push            []string
	bearerTokenFile string
	wait            time.Duration
	options         parity.Options
	write           parity.WriteOptions
}

func (f *flags) addTo(set *pflag.FlagSet) {
	set.StringVar(&f.dir, flagDir, landscape.DefaultDir, "State directory of a local landscape whose Prometheis are compared. It is used if no URLs are given.")
	set.StringVar(&f.pull, flagPull, "", "URL of the Prometheus that pulls.")
	set.StringArrayVar(&f.push, flagPush, nil, "URL of a Prometheus that is pushed to. May be given several times.")
	set.StringVar(&f.options.PushPrefix, flagPushPrefix, "", "Prefix of the names of all metrics that are pushed, like shadow: in mode Shadow. It is removed before they are compared. With it, pull and push may be the same Prometheus, and what federation has not brought is left out of pull.")
	set.DurationVar(&f.options.Interval, flagInterval, parity.DefaultInterval, "Scrape interval, which is the distance of two evaluation times. The default for a local landscape is its own.")
	set.IntVar(&f.options.Steps, "steps", parity.DefaultSteps, "Number of evaluation times.")
	set.StringSliceVar(&f.options.Seeds, "seeds", nil, "Names of the seeds that push. The default is to ask the Prometheus that is pushed to, or the local landscape.")
	set.StringArrayVar(&f.options.Selectors, "selector", nil, "PromQL vector selector of series to compare. May be given several times. The default is the selectors of Gardener's federation, of its target and of what a push may add.")
	set.StringSliceVar(&f.options.ExcludeJobs, "exclude-jobs", parity.DefaultExcludeJobs(), "Jobs whose series are left out.")
	set.StringSliceVar(&f.options.IgnoreLabels, "ignore-labels", nil, "Names of labels that are removed from all series before they are compared.")
	set.BoolVar(&f.options.IgnoreExtraNames, "ignore-extra-names", false, "Do not look for metric names that only the Prometheus that is pushed to has, beyond the selectors.")
	set.Float64Var(&f.options.MinConstant, flagMinConstant, 0, "Share of the series, from 0 to 1, that must have had one value for all the time. The default for a local landscape is 0.9.")
	set.StringVar(&f.bearerTokenFile, "bearer-token-file", "", "File with a bearer token for all URLs.")
	set.DurationVar(&f.wait, "wait", 0, "Compare again until there are no differences, for this long at most.")
	set.IntVar(&f.write.Examples, "examples", 3, "Number of examples per family.")
	set.BoolVar(&f.write.All, "all", false, "List the families without differences, too.")
}

// complete validates the flags and finds the Prometheis.
func (f *flags) complete(set *pflag.FlagSet) (*comparer, error) {
	switch {
	case f.wait < 0:
		return nil, fmt.Errorf("--wait %s is negative: use 0 to compare once", f.wait)
	case f.write.Examples < 0:
		return nil, fmt.Errorf("--examples %d is negative: use 0 for none", f.write.Examples)
	case f.options.Interval <= 0:
		return nil, fmt.Errorf("--interval %s is not positive: use the scrape interval of the Prometheis", f.options.Interval)
	case f.options.Steps <= 0:
		return nil, fmt.Errorf("--steps %d is not positive: use the default if in doubt", f.options.Steps)
	}
	if err := f.options.Validate(); err != nil {
		return nil, err
	}

	c := &comparer{options: f.options, write: f.write, wait: f.wait}
	if f.bearerTokenFile != "" {
		if _, err := os.Stat(f.bearerTokenFile); err != nil {
			return nil, fmt.Errorf("--bearer-token-file cannot be read: %w", err)
		}
		c.options.RoundTripper = config.NewAuthorizationCredentialsRoundTripper("Bearer", config.NewFileSecret(f.bearerTokenFile), api.DefaultRoundTripper)
	}

	if !set.Changed(flagPull) && !set.Changed(flagPush) {
		if !set.Changed(flagMinConstant) {
			c.options.MinConstant = landscapeMinConstant
		}
		return c, f.useLandscape(c, set.Changed(flagInterval))
	}
	return c, f.useURLs(c, set.Changed(flagDir))
}

// useLandscape compares the Prometheis of a local landscape.
func (f *flags) useLandscape(c *comparer, hasInterval bool) error {
	l, err := landscape.Load(f.dir)
	if err != nil {
		return fmt.Errorf("failed to use the landscape in %s (use --%s and --%s to compare other Prometheis): %w", f.dir, flagPull, flagPush, err)
	}
	if c.pull = l.Prometheus(gardener.ReferenceName); c.pull == nil {
		return fmt.Errorf("the landscape in %s has no Prometheus %s, which pulls: start the landscape again with one", f.dir, gardener.ReferenceName)
	}
	for _, name := range landscape.GardenReplicas {
		push := l.Prometheus(name)
		if push == nil {
			return fmt.Errorf("the landscape in %s has no Prometheus %s: start it again", f.dir, name)
		}
		c.push = append(c.push, push)
	}
	if !hasInterval {
		c.options.Interval = l.ScrapeInterval
	}
	if len(c.options.Seeds) == 0 {
		for _, seed := range l.Seeds() {
			c.options.Seeds = append(c.options.Seeds, seed.Seed)
		}
	}
	return nil
}

// useURLs compares the Prometheis with the given URLs.
func (f *flags) useURLs(c *comparer, hasDir bool) error {
	if hasDir {
		return fmt.Errorf("--%s excludes --%s and --%s: either compare the Prometheis of a local landscape, or others", flagDir, flagPull, flagPush)
	}
	if f.pull == "" || len(f.push) == 0 {
		return fmt.Errorf("both --%s and --%s are needed, unless the Prometheis of a local landscape are compared", flagPull, flagPush)
	}
	var err error
	if c.pull, err = newPrometheus(flagPull, f.pull); err != nil {
		return err
	}
	for _, text := range f.push {
		push, err := newPrometheus(flagPush, text)
		if err != nil {
			return err
		}
		if text == f.pull && f.options.PushPrefix == "" {
			return fmt.Errorf("--%s and --%s are the same Prometheus, which equals itself: use --%s to compare names that have a prefix with those that have none", flagPull, flagPush, flagPushPrefix)
		}
		c.push = append(c.push, push)
	}
	return nil
}

func newPrometheus(flag, text string) (*landscape.Prometheus, error) {
	u, err := url.Parse(text)
	if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
		err = errors.New("a URL has a scheme, http or https, and a host, like http://localhost:9090")
	}
	if err != nil {
		return nil, fmt.Errorf("--%s is not the URL of a Prometheus: %w", flag, err)
	}
	return &landscape.Prometheus{Name: u.Redacted(), URL: text}, nil
}
