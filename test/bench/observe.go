// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

const (
	// probed selects a few series of each kind of family of the corpus.
	probed        = `{namespace="shoot--p000--c00000",__name__=~".+_0:.+"}`
	probeInterval = 50 * time.Millisecond
)

// observeLatencies watches the receivers of sites for a number of scrapes, and returns for each site the times from a scrape until a few
// of its series, spread over the whole scrape, can be queried. It asks only around the time when a scrape is due. Who is too slow is
// observed less often, which is no error.
func observeLatencies(ctx context.Context, sites []*site, scrapes int, interval time.Duration) (map[string][]time.Duration, error) {
	deadline := time.Now().Add(time.Duration(scrapes+2) * interval)
	group, ctx := errgroup.WithContext(ctx)
	observed := make([][][]time.Duration, len(sites))
	for i, s := range sites {
		observed[i] = make([][]time.Duration, len(s.receivers))
		for j, one := range s.receivers {
			group.Go(func() (err error) {
				observed[i][j], err = observeReceiver(ctx, one, scrapes, interval, deadline)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}

	latencies := map[string][]time.Duration{}
	for i, s := range sites {
		latencies[s.name] = slices.Concat(observed[i]...)
		slices.Sort(latencies[s.name])
	}
	return latencies, nil
}

func observeReceiver(ctx context.Context, receiver *landscape.Prometheus, scrapes int, interval time.Duration, deadline time.Time) ([]time.Duration, error) {
	var (
		latencies []time.Duration
		last      time.Time
	)
	for len(latencies) < scrapes && time.Now().Before(deadline) {
		newest, err := newestScrape(ctx, receiver, interval)
		if err != nil {
			return nil, err
		}
		next := time.Now().Add(probeInterval)
		if newest.After(last) {
			// The first one may have been there for a while.
			if !last.IsZero() {
				latencies = append(latencies, time.Since(newest))
			}
			last = newest
			next = newest.Add(interval)
		}
		if err := pause(ctx, time.Until(next)); err != nil {
			return nil, err
		}
	}
	return latencies, nil
}

// newestScrape returns the time of the newest scrape of which all probed series can be queried. It is zero if there is none.
func newestScrape(ctx context.Context, receiver *landscape.Prometheus, interval time.Duration) (time.Time, error) {
	api, err := receiver.API()
	if err != nil {
		return time.Time{}, err
	}
	var newest time.Time
	for _, selector := range []string{probed, "up"} {
		// It reaches back far enough for a series to be there even if its newest samples are late.
		value, _, err := api.Query(ctx, fmt.Sprintf("%s[%s]", selector, duration(time.Minute+3*interval)), time.Now())
		if err != nil {
			return time.Time{}, fmt.Errorf("failed to query %s: %w", receiver.Name, err)
		}
		matrix, ok := value.(model.Matrix)
		if !ok || len(matrix) == 0 {
			return time.Time{}, nil
		}
		for _, series := range matrix {
			if t := series.Values[len(series.Values)-1].Timestamp.Time(); newest.IsZero() || t.Before(newest) {
				newest = t
			}
		}
	}
	return newest, nil
}

// scrapedSamples returns the number of samples that a receiver has got of a scrape, according to who has scraped.
func scrapedSamples(ctx context.Context, receiver *landscape.Prometheus) (int, error) {
	return queryNumber(ctx, receiver, "max(scrape_samples_post_metric_relabeling)")
}

func queryNumber(ctx context.Context, prometheus *landscape.Prometheus, query string) (int, error) {
	vector, err := prometheus.Query(ctx, query)
	if err != nil || len(vector) == 0 {
		return 0, err
	}
	return int(vector[0].Value), nil
}

// countSeries counts what the receivers of a site have, and the scrapes that have succeeded in a window.
func (m *Measurement) countSeries(ctx context.Context, s *site, end time.Time, window time.Duration) error {
	for i, one := range s.receivers {
		complete, err := completeScrapes(ctx, one, end, window)
		if err != nil {
			return err
		}
		if i == 0 || complete < m.Complete {
			m.Complete = complete
		}
		stored, err := queryNumber(ctx, one, `count({__name__=~".+"})`)
		if err != nil {
			return err
		}
		if i == 0 || stored < m.Stored {
			m.Stored = stored
		}
		targetInfo, err := queryNumber(ctx, one, "count(target_info)")
		if err != nil {
			return err
		}
		m.TargetInfo = max(m.TargetInfo, targetInfo)
	}
	return nil
}

// compareSeries compares what the receivers of a site have with what was pulled, and writes the differences into a file beside the logs.
func (m *Measurement) compareSeries(ctx context.Context, s *site, pulled *landscape.Prometheus, directory string) error {
	for _, one := range s.receivers {
		if pulled == one {
			continue
		}
		report, err := parity.Compare(ctx, pulled, one, parity.Options{
			Interval: s.interval, Steps: 3, Seeds: []string{seedName}, ExcludeJobs: []string{},
		})
		if err != nil {
			return err
		}
		wrong, surplus := 0, 0
		for _, family := range report.Families {
			for kind, differences := range family.Differences {
				if kind == parity.OnlyInPush || kind == parity.Lingering {
					surplus += len(differences)
				} else {
					wrong += len(differences)
				}
			}
		}
		m.Wrong, m.Surplus = max(m.Wrong, wrong), max(m.Surplus, surplus)

		var text strings.Builder
		if err := report.Write(&text, parity.WriteOptions{Examples: 3}); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(directory, one.Name+"-differences.txt"), []byte(text.String()), 0o600); err != nil {
			return fmt.Errorf("failed to write the differences: %w", err)
		}
	}
	return nil
}
