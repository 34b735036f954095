// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"fmt"
	"maps"
	"strings"
	"time"
)

// Way is a way by which samples of a seed reach the garden Prometheus.
type Way string

const (
	// Push is by push.
	Push Way = "push"
	// Shadow is by push, under names of their own.
	Shadow Way = "shadow"
	// Pull is by pull.
	Pull Way = "pull"
)

// Series identifies the target of a seed as a replica of the garden Prometheus knows it.
type Series struct {
	// Way is how the replica got the sample.
	Way Way
	// Seed is the value of the label `seed`, which is empty for pull.
	Seed string
	// Instance is the value of the label `instance`. It belongs to the key so that no seed can pretend to be the target of another.
	Instance string
}

// Observation is what a replica of the garden Prometheus answered.
type Observation struct {
	// Identity changes when the replica starts anew, or becomes ready anew.
	Identity string
	// Scraped has the time of the newest scrape of each target that was complete: that succeeded and yielded samples.
	Scraped map[Series]time.Time
	// Pulled has the time of the newest attempt to pull from each instance, successful or not.
	Pulled map[string]time.Time
	// Rejecting says that the replica has refused something that was pushed to it.
	Rejecting bool
}

// Freshness says whether samples arrive by one way.
type Freshness struct {
	// InAll says that all replicas are known to have a sample that is not older than the limit.
	InAll bool
	// InKnown says that all replicas that are known have one, and that there is at least one.
	InKnown bool
	// Since is when InAll became true.
	Since time.Time
	// Stale says that a replica that has been known for at least the limit has no such sample.
	Stale bool
	// StaleInAll says that this is true of all replicas that are known, and that there is at least one.
	StaleInAll bool
	// Newest is the time, by the clock of whoever scraped, of the newest sample that all known replicas have. It is zero if one of
	// them has none.
	Newest time.Time
	// Missing says which replicas are unknown or lack a sample, for a human being.
	Missing string
}

// Tracker remembers what the replicas of the garden Prometheus have. It is not safe for concurrent use.
type Tracker struct {
	names    []string
	replicas map[string]*replica
	since    map[Series]time.Time
	// silent is since when a replica has not answered.
	silent map[string]time.Time
}

type replica struct {
	known     bool
	identity  string
	knownFrom time.Time
	scraped   map[Series]progress
	pulled    map[string]time.Time
	rejecting bool
}

// progress is the newest sample of a series.
type progress struct {
	// timestamp is the sample's own time.
	timestamp time.Time
	// seen is the time by the clock of this process: a seed whose clock is ahead does not stay fresh for longer than others.
	seen time.Time
}

// retention is for how long a series that gets no samples is remembered.
const retention = time.Hour

// NewTracker returns a Tracker for the replicas with the given names.
func NewTracker(names ...string) *Tracker {
	return &Tracker{names: names, replicas: map[string]*replica{}, since: map[Series]time.Time{}, silent: map[string]time.Time{}}
}

// Observe takes the answers of the replicas, by name. A replica without an answer is not known: that neither lets pull end nor
// return.
func (t *Tracker) Observe(now time.Time, observations map[string]*Observation) {
	for _, name := range t.names {
		r := t.replicas[name]
		observation := observations[name]
		if observation == nil {
			if r != nil {
				r.known = false
			}
			if t.silent[name].IsZero() {
				t.silent[name] = now
			}
			continue
		}
		delete(t.silent, name)

		if r == nil || r.identity != observation.Identity {
			// It may have to catch up with what was queued while it was away.
			r = &replica{identity: observation.Identity, knownFrom: now, scraped: map[Series]progress{}}
			t.replicas[name] = r
		}
		r.known = true
		for series, timestamp := range observation.Scraped {
			if timestamp.After(r.scraped[series].timestamp) {
				r.scraped[series] = progress{timestamp: timestamp, seen: earlier(timestamp, now)}
			}
		}
		for series, p := range r.scraped {
			if now.Sub(p.seen) > retention {
				delete(r.scraped, series)
			}
		}
		r.pulled, r.rejecting = observation.Pulled, observation.Rejecting
	}
	maps.DeleteFunc(t.since, func(series Series, _ time.Time) bool { return !t.isKnown(series) })
}

// isKnown says whether a replica has had samples of a series lately.
func (t *Tracker) isKnown(series Series) bool {
	for _, r := range t.replicas {
		if _, known := r.scraped[series]; known {
			return true
		}
	}
	return false
}

// Freshness tells whether samples of a series arrive. The limit is how old they may be.
func (t *Tracker) Freshness(now time.Time, series Series, limit time.Duration) Freshness {
	var (
		result       = Freshness{InAll: true}
		known, stale = 0, 0
		newest       time.Time
		complete     = true
		missing      []string
	)
	for _, name := range t.names {
		r := t.replicas[name]
		if r == nil || !r.known {
			result.InAll = false
			missing = append(missing, name+" does not answer")
			continue
		}

		p := r.scraped[series]
		if known == 0 || p.timestamp.Before(newest) {
			newest = p.timestamp
		}
		known++
		if now.Sub(p.seen) <= limit {
			continue
		}
		complete, result.InAll = false, false
		if p.seen.IsZero() {
			missing = append(missing, name+" has none")
		} else {
			missing = append(missing, fmt.Sprintf("the newest in %s is of %s", name, p.timestamp.UTC().Format(time.RFC3339)))
		}
		if now.Sub(later(p.seen, r.knownFrom)) > limit {
			stale++
		}
	}
	result.Stale, result.StaleInAll = stale > 0, known > 0 && stale == known

	result.InKnown = complete && known > 0
	if known > 0 {
		result.Newest = newest
	}
	if len(missing) > 0 {
		result.Missing = "Of the replicas, " + strings.Join(missing, ", and ") + "."
	}
	result.Since = t.freshSince(now, series, result.InAll)
	return result
}

// Silence returns for how long those replicas have not answered that do not answer, by name.
func (t *Tracker) Silence(now time.Time) map[string]time.Duration {
	silence := map[string]time.Duration{}
	for name, since := range t.silent {
		silence[name] = now.Sub(since)
	}
	return silence
}

// Restart lets the time for which a series has been fresh count from the next look at it.
func (t *Tracker) Restart(series Series) {
	delete(t.since, series)
}

func (t *Tracker) freshSince(now time.Time, series Series, fresh bool) time.Time {
	if !fresh {
		delete(t.since, series)
		return time.Time{}
	}
	if t.since[series].IsZero() {
		t.since[series] = now
	}
	return t.since[series]
}

// Rejecting says whether a replica refuses something that is pushed to it.
func (t *Tracker) Rejecting() bool {
	for _, r := range t.replicas {
		if r.known && r.rejecting {
			return true
		}
	}
	return false
}

// PulledSince says whether all replicas that are known have tried to pull from an instance since the given time.
func (t *Tracker) PulledSince(instance string, since time.Time) bool {
	for _, r := range t.replicas {
		if r.known && !r.pulled[instance].After(since) {
			return false
		}
	}
	return true
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
