// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"time"

	"github.com/gardener/gardener-extension-otel-federation/test/bench/usage"
)

// soakPoints is how often the memory is looked at in the course of a soak. It falls together with no scrape interval.
const soakPoints = 241

// soak lets all run on, and adds to the measurements how much memory the processes have meanwhile.
func (r *run) soak(ctx context.Context, measurements []*Measurement) error {
	if r.options.Soak == 0 {
		return nil
	}
	for i := range soakPoints {
		if i%(soakPoints/12) == 0 {
			r.progress("watching the memory, %s of %s", (r.options.Soak * time.Duration(i) / soakPoints).Round(time.Second), r.options.Soak)
		}
		if err := pause(ctx, r.options.Soak/soakPoints); err != nil {
			return err
		}
		for j, s := range r.sites {
			if err := measurements[j].addMemory(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// addMemory adds the memory that the processes of a site have now.
func (m *Measurement) addMemory(s *site) error {
	if m.Memory == nil {
		m.Memory = map[Role][]int64{}
	}
	now := map[Role]int64{}
	pids := s.pids()
	for name, role := range s.processes {
		used, err := usage.Proc.Process(pids[name])
		if err != nil {
			return fmt.Errorf("process %s: %w", name, err)
		}
		now[role] = max(now[role], used.RSS)
	}
	for role, bytes := range now {
		m.Memory[role] = append(m.Memory[role], bytes)
	}
	return nil
}

// writeSoak writes how the memory went, if it was watched: the mean of each quarter of the time.
func (r *Result) writeSoak(p func(string, ...any), soak time.Duration) {
	if soak == 0 {
		return
	}
	p("")
	p("Memory (RSS) within %s, mean of each quarter:", soak)
	p("")
	p("| way | process | 1st quarter | 2nd | 3rd | 4th | 4th to 1st |")
	p("|---|---|---|---|---|---|---|")
	for _, m := range r.Measurements {
		for _, role := range []Role{RoleAggregate, RoleSender, RoleFanOut, RoleReceiver} {
			quarters := quartersOf(m.Memory[role])
			if quarters == nil {
				continue
			}
			process := string(role)
			if role == RoleReceiver {
				process = "garden Prometheus"
			}
			p("| %s | %s | %.0f MiB | %.0f MiB | %.0f MiB | %.0f MiB | %s |", m.Title, process, quarters[0], quarters[1], quarters[2], quarters[3], ratio(quarters[3], quarters[0]))
		}
	}
}

// quartersOf returns the means of the quarters of a series of bytes, in MiB. It is nil if there are fewer than four.
func quartersOf(values []int64) []float64 {
	n := len(values) / 4
	if n == 0 {
		return nil
	}
	means := make([]float64, 4)
	for i := range means {
		for _, value := range values[i*n : (i+1)*n] {
			means[i] += float64(value) / (1 << 20) / float64(n)
		}
	}
	return means
}
