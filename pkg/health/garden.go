// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

// FanOutCollector is what is known of a collector of the fan-out.
type FanOutCollector struct {
	// Name is the name of its pod.
	Name string
	// Window is what it has told.
	Window *Window
	// Silence is for how long it has not answered.
	Silence time.Duration
	// Unanswered is why it has not answered, or nil if it has.
	Unanswered error
}

// GardenInput is what is known of the federation in the garden.
type GardenInput struct {
	// Collectors are the collectors of the fan-out.
	Collectors []FanOutCollector
	// WasNearlyFull says that a queue was nearly full when it was judged last.
	WasNearlyFull bool
	// Detached are the names of the replicas of the garden Prometheus that get no new samples.
	Detached []string
	// Federation is what the replicas of the garden Prometheus have. It is nil if they have not been asked yet.
	Federation *handover.Federation
	// DetachedProcessor returns the name of the processor that drops what a detached replica does not get.
	DetachedProcessor func(replica string) string
}

// GardenFederation judges whether the samples of all seeds get to all replicas of the garden Prometheus.
func GardenFederation(in GardenInput) Verdict {
	var answering, silent, starting []FanOutCollector
	for _, c := range in.Collectors {
		switch {
		case c.Unanswered == nil:
			answering = append(answering, c)
		case c.Silence < patience(c.Window):
			starting = append(starting, c)
		default:
			silent = append(silent, c)
		}
	}

	dropped, fullestQueue, fill := in.dropped(answering), "", 0.0
	for _, c := range answering {
		if exporter, f := fullest(c.Window.Latest()); f >= fill {
			fullestQueue, fill = exporter+" of pod "+c.Name, f
		}
	}
	switch {
	case dropped > 0:
		return isFalse(conditions.ReasonSomeSamplesDropped, "%.0f samples were lost for good within %s, because a replica of the garden Prometheus has refused the requests with them: see the logs of the fan-out and of the garden Prometheus.", dropped, answering[0].Window.length)
	case len(in.Detached) > 0:
		return isFalse(conditions.ReasonPrometheusDetached, "New samples are lost for %s (%.0f since the collectors of the fan-out were started), because a queue in front of it was nearly full. It gets them again as soon as less than half of the capacity of its queues is in use.",
			list(in.Detached), in.lostWhileDetached(answering))
	case len(answering) == 0 && len(starting) == 0:
		return isFalse(conditions.ReasonFanOutUnavailable, "No collector of the fan-out has answered for at least a minute%s. The seeds keep their samples. Condition CollectorHealthy says whether the collectors run.", whyUnanswered(silent))
	case isNearlyFull(fill, in.WasNearlyFull):
		return isFalse(conditions.ReasonQueueNearlyFull, "The queue of %s is full by %.0f %%. That replica of the garden Prometheus is about to get no new samples any more.", fullestQueue, 100*fill)
	}
	return in.stored(answering, starting, silent)
}

// stored judges by what the replicas of the garden Prometheus have.
func (in GardenInput) stored(answering, starting, silent []FanOutCollector) Verdict {
	var (
		unavailable             []string
		stale                   []handover.SeedFederation
		pushing                 int
		asked                   = in.Federation != nil
		allFresh, watchedEnough = true, true
	)
	if asked {
		unavailable = in.Federation.Unavailable(Patience)
		for _, s := range in.Federation.Seeds {
			if !s.Enabled {
				continue
			}
			pushing++
			allFresh = allFresh && s.Fresh
			if s.Stale {
				stale = append(stale, s)
			}
		}
	}
	for _, c := range answering {
		watchedEnough = watchedEnough && c.Window.IsComplete()
	}
	switch {
	case len(unavailable) > 0:
		return isFalse(conditions.ReasonPrometheusUnavailable, "%s has not answered for at least a minute. The fan-out keeps the samples for it.", list(unavailable))
	case len(stale) > 0:
		return isFalse(conditions.ReasonSeedsSilent, "%d of %d seeds that have the extension deliver nothing: %s. See condition FederationHealthy of Extension garden/otel-federation in each of them.", len(stale), pushing, worst(stale))
	case len(silent) > 0:
		return isFalse(conditions.ReasonFanOutDegraded, "%d of %d collectors of the fan-out have not answered for at least a minute%s.", len(silent), len(in.Collectors), whyUnanswered(silent))
	case len(starting) > 0 && len(starting) == len(in.Collectors):
		return isProgressing(conditions.ReasonCollectorStarting, "No collector of the fan-out answers yet%s.", whyUnanswered(starting))
	case !asked:
		return isProgressing(conditions.ReasonObserving, "The garden Prometheus has not been asked lately for the samples of the seeds: see condition HandOverHealthy.")
	case !allFresh || !watchedEnough:
		return isProgressing(conditions.ReasonObserving, "Not all of %d seeds have had the time to deliver, or the fan-out is watched since less than %s ago.", pushing, answering[0].Window.length)
	default:
		return isTrue(conditions.ReasonSamplesStored, "The samples of %d seeds get to all replicas of the garden Prometheus.", pushing)
	}
}

func (in GardenInput) dropped(answering []FanOutCollector) float64 {
	sum := 0.0
	for _, c := range answering {
		sum += c.Window.increase(exporters(sendFailed))
	}
	return sum
}

// lostWhileDetached returns how many samples the collectors have dropped, instead of giving them to detached replicas.
func (in GardenInput) lostWhileDetached(answering []FanOutCollector) float64 {
	sum := 0.0
	for _, c := range answering {
		for _, replica := range in.Detached {
			sum += c.Window.Latest().Filtered[in.DetachedProcessor(replica)]
		}
	}
	return sum
}

// worst lists those seeds first whose newest samples are the oldest.
func worst(seeds []handover.SeedFederation) string {
	slices.SortFunc(seeds, func(a, b handover.SeedFederation) int {
		return cmp.Or(a.Newest.Compare(b.Newest), strings.Compare(a.Name, b.Name))
	})
	names := make([]string, 0, len(seeds))
	for _, seed := range seeds {
		if seed.Newest.IsZero() {
			names = append(names, seed.Name+" (never)")
		} else {
			names = append(names, fmt.Sprintf("%s (since %s)", seed.Name, clockTime(seed.Newest)))
		}
	}
	return list(names)
}

func whyUnanswered(collectors []FanOutCollector) string {
	if len(collectors) == 0 {
		return ""
	}
	return ": " + collectors[0].Unanswered.Error()
}
