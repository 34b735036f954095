// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gardener/gardener-extension-otel-federation/test/bench/usage"
	"github.com/gardener/gardener-extension-otel-federation/test/bench/wan"
)

// Measurement is what a way has cost.
type Measurement struct {
	// Way and Title are its names.
	Way, Title string
	// Samples is the number of samples in a scrape.
	Samples int
	// SeedToGarden and GardenToSeed are the bytes that cross the ingress per scrape, Requests is the number of requests.
	SeedToGarden, GardenToSeed, Requests float64
	// CPU is the processor time in microseconds per sample, that of the receivers is the mean of both.
	CPU map[Role]float64
	// FederationCPU is that of the aggregate Prometheus, less that of one which nobody reads from.
	FederationCPU float64
	// PeakRSS is the most memory in bytes that the processes of a role have had until the end of the measurement.
	PeakRSS map[Role]int64
	// Memory is what the processes of a role have had in the course of a soak, in bytes and at even distances. It is nil if there was none.
	Memory map[Role][]int64
	// Latencies are the times from a scrape until its samples can be queried, of both receivers, sorted.
	Latencies []time.Duration
	// Scrapes is the number of scrapes that were due, Complete is how many have succeeded in time. If these are fewer, the figures are too low.
	Scrapes, Complete int
	// Stored is the number of series that the receivers have, the lower one if they differ. TargetInfo are those of them that describe
	// resources of OpenTelemetry.
	Stored, TargetInfo int
	// Wrong is the number of series of pull that are missing, have other labels or another value. Surplus is the number of those that pull
	// does not have. The higher ones count if the receivers differ. They are negative if nobody has compared.
	Wrong, Surplus int
	// Pull is what pull has cost at the same time.
	Pull Reference
	// Outage is what became of an outage of the WAN, if there was one.
	Outage *Outage
}

// Outage is what became of an outage of the WAN.
type Outage struct {
	// CaughtUp is the time from its end until both receivers had a scrape that is not older than an interval before it.
	CaughtUp time.Duration
	// Due is the number of scrapes in it, Lost is how many of them are missing in a receiver afterwards.
	Due, Lost int
	// PeakRSS is the most memory in bytes that the processes of a role have had until then.
	PeakRSS map[Role]int64
}

// Reference is what a way is compared with.
type Reference struct {
	// Bytes are the bytes per scrape in both directions.
	Bytes float64
	// SeedCPU and ReceiverCPU are the processor times in microseconds per sample of the seed as a whole and of a receiver.
	SeedCPU, ReceiverCPU float64
}

// Bytes are the bytes per scrape in both directions.
func (m *Measurement) Bytes() float64 { return m.SeedToGarden + m.GardenToSeed }

// SeedCPU is the processor time in microseconds per sample of the seed as a whole, without the ingestion of the aggregate Prometheus.
func (m *Measurement) SeedCPU() float64 { return m.FederationCPU + m.CPU[RoleSender] }

// Latency returns a percentile of the latencies: the lowest one that so many of them do not exceed.
func (m *Measurement) Latency(percent int) time.Duration {
	if len(m.Latencies) == 0 {
		return 0
	}
	return m.Latencies[max(0, (len(m.Latencies)*percent+99)/100-1)]
}

// snapshot is what has been used by all that runs at a time.
type snapshot struct {
	processes map[string]usage.Process
	traffic   map[string]wan.Traffic
	busy      time.Duration
}

func takeSnapshot(sites []*site) (snapshot, error) {
	s := snapshot{processes: map[string]usage.Process{}, traffic: map[string]wan.Traffic{}}
	for _, one := range sites {
		s.traffic[one.name] = one.traffic()
		pids := one.pids()
		for name := range one.processes {
			used, err := usage.Proc.Process(pids[name])
			if err != nil {
				return s, fmt.Errorf("process %s: %w", name, err)
			}
			s.processes[name] = used
		}
	}
	var err error
	s.busy, err = usage.Proc.Busy()
	return s, err
}

// cpu is the processor time of all measured processes.
func (s snapshot) cpu() time.Duration {
	var sum time.Duration
	for _, used := range s.processes {
		sum += used.CPU
	}
	return sum
}

// measure returns what a site has used between two snapshots, in a number of scrapes with so many samples each.
func measure(s *site, title string, before, after snapshot, scrapes, samples int) *Measurement {
	m := &Measurement{Way: s.name, Title: title, Samples: samples, Scrapes: scrapes, CPU: map[Role]float64{}, PeakRSS: map[Role]int64{}, Wrong: -1, Surplus: -1}
	processes := map[Role]int{}
	for _, name := range slices.Sorted(maps.Keys(s.processes)) {
		role := s.processes[name]
		processes[role]++
		used := after.processes[name].CPU - before.processes[name].CPU
		m.CPU[role] += float64(used.Nanoseconds()) / 1e3 / float64(scrapes*samples)
		m.PeakRSS[role] = max(m.PeakRSS[role], after.processes[name].PeakRSS)
	}
	for role, n := range processes {
		m.CPU[role] /= float64(n)
	}

	perScrape := func(from, to int64) float64 { return float64(to-from) / float64(scrapes) }
	from, to := before.traffic[s.name], after.traffic[s.name]
	m.SeedToGarden, m.GardenToSeed = perScrape(from.FromClient, to.FromClient), perScrape(from.ToClient, to.ToClient)
	if s.pulled {
		m.SeedToGarden, m.GardenToSeed = m.GardenToSeed, m.SeedToGarden
	}
	m.Requests = perScrape(from.Requests, to.Requests)
	return m
}
