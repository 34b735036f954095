// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gardener/gardener-extension-otel-federation/test/bench/usage"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

const (
	// catchUpTimeout is how long catching up may take.
	catchUpTimeout = 15 * time.Minute
	// outageProbeInterval is how often a receiver is asked meanwhile. That costs it something.
	outageProbeInterval = time.Second
)

// cutWAN cuts the WAN for all ways at the same time, and adds to the measurements what becomes of that.
func (r *run) cutWAN(ctx context.Context, measurements []*Measurement) error {
	outage := r.options.Outage
	if outage == 0 {
		return nil
	}
	r.progress("cutting the WAN for %s", outage)
	began := time.Now()
	for _, s := range r.sites {
		s.cut(true)
	}
	if err := pause(ctx, outage); err != nil {
		return err
	}
	for _, s := range r.sites {
		s.cut(false)
	}
	cured := time.Now()

	r.progress("waiting until all have caught up")
	group, groupCtx := errgroup.WithContext(ctx)
	for i, s := range r.sites {
		group.Go(func() (err error) {
			measurements[i].Outage = &Outage{Due: int(outage / r.options.Interval)}
			measurements[i].Outage.CaughtUp, err = s.waitUntilCurrent(groupCtx, cured)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i, s := range r.sites {
		if err := measurements[i].Outage.observe(ctx, s, began, cured); err != nil {
			return err
		}
	}
	return nil
}

// cut cuts all ingresses of a site, or lets everybody connect again.
func (s *site) cut(cut bool) {
	for _, ingress := range s.ingresses {
		ingress.Cut(cut)
	}
}

// waitUntilCurrent returns how long after the cure both receivers have a scrape that is not older than an interval before it.
func (s *site) waitUntilCurrent(ctx context.Context, cured time.Time) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, catchUpTimeout)
	defer cancel()
	for _, receiver := range s.receivers {
		if err := poll(ctx, outageProbeInterval, func(ctx context.Context) error {
			newest, err := newestScrape(ctx, receiver, s.interval)
			if err == nil && newest.Before(cured.Add(-s.interval)) {
				err = fmt.Errorf("%s of %s has no scrape since the WAN works again", receiver.Name, s.name)
			}
			return err
		}); err != nil {
			return 0, err
		}
	}
	return time.Since(cured), nil
}

// observe counts what is lost, and takes the memory.
func (o *Outage) observe(ctx context.Context, s *site, began, cured time.Time) error {
	for _, receiver := range s.receivers {
		complete, err := completeScrapes(ctx, receiver, cured, cured.Sub(began))
		if err != nil {
			return err
		}
		o.Lost = max(o.Lost, o.Due-complete)
	}
	o.PeakRSS = map[Role]int64{}
	pids := s.pids()
	for name, role := range s.processes {
		used, err := usage.Proc.Process(pids[name])
		if err != nil {
			return fmt.Errorf("process %s: %w", name, err)
		}
		o.PeakRSS[role] = max(o.PeakRSS[role], used.PeakRSS)
	}
	return nil
}

// completeScrapes is how many scrapes with success a receiver has in a window.
func completeScrapes(ctx context.Context, receiver *landscape.Prometheus, end time.Time, window time.Duration) (int, error) {
	return queryNumber(ctx, receiver, fmt.Sprintf("max(sum_over_time(up[%s] @ %.3f))", duration(window), float64(end.UnixMilli())/1e3))
}
