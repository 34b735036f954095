// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

var _ = Describe("Tracker", func() {
	const limit = 2 * time.Minute

	var (
		series  = Series{Way: Push, Seed: "foo", Instance: "p-seed.foo"}
		now     time.Time
		tracker *Tracker
	)

	BeforeEach(func() {
		now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		tracker = NewTracker("one", "two")
	})

	sample := func(age time.Duration) *Observation {
		return &Observation{Identity: "x", Scraped: map[Series]time.Time{series: now.Add(-age)}}
	}
	observe := func(one, two *Observation) {
		tracker.Observe(now, map[string]*Observation{"one": one, "two": two})
	}
	freshness := func() Freshness { return tracker.Freshness(now, series, limit) }

	It("should know nothing before it has asked", func() {
		Expect(freshness()).To(Equal(Freshness{Missing: "Of the replicas, one does not answer, and two does not answer."}))
	})

	It("should be fresh when all replicas have a sample that is not too old", func() {
		observe(sample(time.Minute), sample(2*time.Minute))
		Expect(freshness()).To(Equal(Freshness{InAll: true, InKnown: true, Since: now, Newest: now.Add(-2 * time.Minute)}))
	})

	It("should remember since when it is fresh, until it is not", func() {
		observe(sample(0), sample(0))
		began := now
		Expect(freshness().Since).To(Equal(began))

		now = now.Add(time.Minute)
		observe(sample(0), sample(0))
		Expect(freshness().Since).To(Equal(began))

		now = now.Add(time.Minute)
		observe(sample(0), nil)
		Expect(freshness()).To(Equal(Freshness{InKnown: true, Newest: now, Missing: "Of the replicas, two does not answer."}))

		now = now.Add(time.Minute)
		observe(sample(0), sample(0))
		Expect(freshness().Since).To(Equal(now))
	})

	It("should be stale only when a replica has had time to get a sample", func() {
		observe(sample(0), &Observation{Identity: "x"})
		Expect(freshness()).To(Equal(Freshness{Missing: "Of the replicas, two has none."}))

		now = now.Add(limit)
		observe(sample(0), &Observation{Identity: "x"})
		Expect(freshness().Stale).To(BeFalse())

		now = now.Add(time.Second)
		observe(sample(0), &Observation{Identity: "x"})
		Expect(freshness().Stale).To(BeTrue())
		Expect(freshness().InKnown).To(BeFalse())
		Expect(freshness().Newest).To(BeZero())
	})

	It("should be stale when samples stop, whether the replica still shows the last one or not", func() {
		observe(sample(0), sample(0))
		last := now

		now = now.Add(limit + time.Second)
		observe(sample(limit+time.Second), &Observation{Identity: "x"})
		Expect(freshness()).To(Equal(Freshness{
			Stale: true, StaleInAll: true, Newest: last,
			Missing: "Of the replicas, the newest in one is of 2026-01-01T12:00:00Z, and the newest in two is of 2026-01-01T12:00:00Z.",
		}))
	})

	It("should not take the age of queued samples for that of a replica which has just come back", func() {
		observe(sample(0), sample(0))
		now = now.Add(10 * time.Minute)
		old := sample(10 * time.Minute)
		old.Identity = "y"
		observe(sample(0), old)
		Expect(freshness().Stale).To(BeFalse())
		Expect(freshness().InAll).To(BeFalse())

		now = now.Add(limit + time.Second)
		old = sample(10 * time.Minute)
		old.Identity = "y"
		observe(sample(0), old)
		Expect(freshness().Stale).To(BeTrue())
	})

	It("should neither be fresh nor stale because of a replica that does not answer", func() {
		observe(sample(0), sample(0))
		now = now.Add(time.Hour)
		observe(sample(0), nil)
		Expect(freshness().Stale).To(BeFalse())
		Expect(freshness().InAll).To(BeFalse())
		Expect(freshness().InKnown).To(BeTrue())

		observe(nil, nil)
		Expect(freshness().Stale).To(BeFalse())
		Expect(freshness().InKnown).To(BeFalse())
	})

	It("should not let the samples of a clock that is ahead stay fresh for longer", func() {
		observe(sample(-10*time.Minute), sample(-10*time.Minute))
		Expect(freshness().InAll).To(BeTrue())
		ahead := now.Add(10 * time.Minute)

		now = now.Add(limit + time.Second)
		observe(sample(-8*time.Minute+time.Second), sample(-8*time.Minute+time.Second))
		Expect(freshness().Stale).To(BeTrue())
		Expect(freshness().Newest).To(Equal(ahead))
	})

	It("should tell apart seeds, instances and ways", func() {
		observe(sample(0), sample(0))
		for _, other := range []Series{
			{Way: Push, Seed: "bar", Instance: "p-seed.foo"},
			{Way: Push, Seed: "foo", Instance: "p-seed.bar"},
			{Way: Shadow, Seed: "foo", Instance: "p-seed.foo"},
		} {
			Expect(tracker.Freshness(now, other, limit).InKnown).To(BeFalse())
		}
	})

	It("should say whether all known replicas have pulled since", func() {
		Expect(tracker.PulledSince("p-seed.foo", now)).To(BeTrue())
		pulled := func(t time.Time) *Observation { return &Observation{Pulled: map[string]time.Time{"p-seed.foo": t}} }

		observe(pulled(now.Add(time.Second)), pulled(now))
		Expect(tracker.PulledSince("p-seed.foo", now)).To(BeFalse())
		observe(pulled(now.Add(time.Second)), pulled(now.Add(time.Second)))
		Expect(tracker.PulledSince("p-seed.foo", now)).To(BeTrue())
		Expect(tracker.PulledSince("p-seed.bar", now)).To(BeFalse())
		observe(pulled(now.Add(time.Second)), nil)
		Expect(tracker.PulledSince("p-seed.foo", now)).To(BeTrue())
	})

	It("should say whether a replica that is known refuses samples", func() {
		Expect(tracker.Rejecting()).To(BeFalse())
		observe(&Observation{}, &Observation{Rejecting: true})
		Expect(tracker.Rejecting()).To(BeTrue())
		observe(&Observation{}, nil)
		Expect(tracker.Rejecting()).To(BeFalse())
		observe(&Observation{}, &Observation{})
		Expect(tracker.Rejecting()).To(BeFalse())
	})
})
