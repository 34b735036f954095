// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

const (
	pull      = configv1alpha1.SeedFederationStatePull
	shadow    = configv1alpha1.SeedFederationStateShadow
	push      = configv1alpha1.SeedFederationStatePush
	returning = configv1alpha1.SeedFederationStateReturning
)

var _ = Describe("Step", func() {
	var (
		now   = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
		since = now.Add(-time.Hour)

		fresh   = Freshness{InAll: true, InKnown: true, Since: now.Add(-5 * time.Minute), Newest: now.Add(-20 * time.Second)}
		recent  = Freshness{InAll: true, InKnown: true, Since: now.Add(-5*time.Minute + time.Second), Newest: now.Add(-20 * time.Second)}
		oneDown = Freshness{InKnown: true, Newest: now.Add(-20 * time.Second), Missing: "Of the replicas, one does not answer."}
		late    = Freshness{Missing: "Of the replicas, one has none."}
		stale   = Freshness{Stale: true, Newest: now.Add(-3 * time.Minute), Missing: "Of the replicas, one has an old one."}
		before  = Freshness{InAll: true, InKnown: true, Newest: since.Add(-time.Second)}

		mode = func(mode config.HandOverMode) func(*Input) {
			return func(in *Input) { in.Config.Mode = mode }
		}
		automatic, shadows, pushes = mode(config.HandOverModeAutomatic), mode(config.HandOverModeShadow), mode(config.HandOverModePush)
		pushed                     = func(f Freshness) func(*Input) { return func(in *Input) { in.Push = f } }
		shadowed                   = func(f Freshness) func(*Input) { return func(in *Input) { in.Shadow = f } }
		pulled                     = func(f Freshness) func(*Input) { return func(in *Input) { in.Pull = f } }
		leaving                    = func(in *Input) { in.Unwanted = "the extension leaves the seed" }
		private                    = func(in *Input) { in.Pullable = false }
		absent                     = func(in *Input) { in.Enabled = false }
		noReceiver                 = func(in *Input) { in.ReceiverReady = false }
		rejecting                  = func(in *Input) { in.Rejecting = true }
	)

	DescribeTable("should follow", func(from, to configv1alpha1.SeedFederationState, message string, changes ...func(*Input)) {
		in := Input{
			Now:   now,
			Since: since,
			Config: config.HandOverConfiguration{
				FreshFor:    &metav1.Duration{Duration: 5 * time.Minute},
				ReturnAfter: &metav1.Duration{Duration: 2 * time.Minute},
			},
			Enabled: true, Pullable: true, ReceiverReady: true,
			Push: stale, Shadow: stale, Pull: stale,
		}
		for _, change := range changes {
			change(&in)
		}

		state, got := Step(from, in)
		Expect(state).To(Equal(to))
		if message == "" {
			Expect(got).To(BeEmpty())
		} else {
			Expect(got).To(ContainSubstring(message))
		}
	},
		Entry("a new seed without samples", configv1alpha1.SeedFederationState(""), pull, "Waiting for pushed samples. Of the replicas, one has an old one.", automatic),
		Entry("a new seed whose samples have been fresh for long", configv1alpha1.SeedFederationState(""), push, "", automatic, pushed(fresh)),

		Entry("Automatic: not fresh for long enough", pull, pull, "pull ends at 2026-01-01T12:00:01Z if that lasts", automatic, pushed(recent)),
		Entry("Automatic: fresh for long enough", pull, push, "", automatic, pushed(fresh)),
		Entry("Automatic: a replica is unknown", pull, pull, "one does not answer", automatic, pushed(oneDown)),
		Entry("Automatic: a replica refuses samples", pull, pull, "4xx", automatic, pushed(fresh), rejecting),
		Entry("Automatic: fresh, but leaving", pull, pull, "Push is not used because the extension leaves the seed.", automatic, pushed(fresh), leaving),
		Entry("Automatic: not enabled", pull, pull, "not enabled", automatic, absent),
		Entry("Automatic: the extension has gone, but its last samples are fresh", pull, pull, "not enabled", automatic, pushed(fresh), absent),
		Entry("Automatic: a seed that cannot be pulled is gained at once", pull, push, "no target", automatic, pushed(recent), private),
		Entry("Automatic: shadow samples do not count", pull, pull, "Waiting for pushed samples", automatic, shadowed(fresh)),

		Entry("Push: at once, even without samples", pull, push, "", pushes),
		Entry("Push: not before the receiver is ready", pull, pull, "accept what is pushed", pushes, noReceiver),
		Entry("Push: not where the extension is not", pull, pull, "not enabled", pushes, absent),
		Entry("Push: not where the last samples are fresh of an extension that has gone", pull, pull, "not enabled", pushes, pushed(fresh), absent),
		Entry("Push: not while leaving", pull, pull, "leaves", pushes, leaving),

		Entry("Shadow: shadow samples arrive", pull, shadow, "", shadows, shadowed(fresh)),
		Entry("Shadow: they do not arrive", pull, pull, "shadow names. Of the replicas, one has none.", shadows, shadowed(late)),
		Entry("Shadow: samples under real names do not count", pull, pull, "shadow names", shadows, pushed(fresh)),
		Entry("Shadow: they stop", shadow, pull, "shadow names", shadows),
		Entry("Shadow: another mode", shadow, pull, "Waiting for pushed samples", automatic, shadowed(fresh)),
		Entry("Shadow: goes on", shadow, shadow, "", shadows, shadowed(fresh)),

		Entry("pushed: all is well", push, push, "", automatic, pushed(fresh)),
		Entry("pushed: a replica is unknown", push, push, "", automatic, pushed(oneDown)),
		Entry("pushed: a replica has had no time yet to be stale", push, push, "", automatic, pushed(late)),
		Entry("pushed: stale", push, returning, "for longer than 2m0s", automatic, pushed(stale)),
		Entry("pushed: stale, in mode Push", push, push, "", pushes, pushed(stale)),
		Entry("pushed: leaving", push, returning, "Pull returns because the extension leaves the seed.", automatic, pushed(fresh), leaving),
		Entry("pushed: leaving, in mode Push", push, returning, "leaves", pushes, pushed(fresh), leaving),
		Entry("pushed: mode Shadow", push, returning, "the mode is Shadow", shadows, pushed(fresh)),
		Entry("pushed: the extension was removed by force", push, returning, "gone", pushes, absent),
		Entry("pushed: the Lease was removed, but the seed pushes", push, push, "", automatic, pushed(fresh), absent),
		Entry("pushed: refused samples are no reason to return as long as there are others", push, push, "", automatic, pushed(fresh), rejecting),
		Entry("pushed: never pullable", push, push, "no target", automatic, pushed(fresh), private),
		Entry("pushed: stale and never pullable", push, pull, "Waiting for pushed samples", automatic, pushed(stale), private),
		Entry("pushed: leaving and never pullable", push, pull, "leaves", automatic, pushed(fresh), private, leaving),
		Entry("pushed: leaving, and pull has not ended yet", push, returning, "leaves", automatic, pushed(fresh), pulled(before), leaving),

		Entry("returning: pull is not back", returning, returning, "The target is back. Of the replicas, one has an old one.", automatic),
		Entry("returning: the samples of pull are from before", returning, returning, "have pulled from it since", automatic, pulled(before)),
		Entry("returning: pull is back", returning, pull, "Waiting for pushed samples", automatic, pulled(fresh)),
		Entry("returning: pull is back in the replica that is known", returning, pull, "Waiting for pushed samples", automatic, pulled(oneDown)),
		Entry("returning: push recovers before pull is back", returning, returning, "The target is back", automatic, pushed(fresh)),
		Entry("returning: Gardener has taken the target away", returning, pull, "Waiting for pushed samples", automatic, private),
		Entry("returning: leaving, and pull is back", returning, pull, "leaves", automatic, pulled(fresh), leaving),
	)

	It("should withhold the targets of the seeds that push, and of no others", func() {
		Expect(Withheld([]configv1alpha1.SeedFederationStatus{
			{Name: "a", State: push, Instance: "p-seed.b"},
			{Name: "b", State: push, Instance: "p-seed.a"},
			{Name: "c", State: pull, Instance: "p-seed.c"},
			{Name: "d", State: shadow, Instance: "p-seed.d"},
			{Name: "e", State: returning, Instance: "p-seed.e"},
			{Name: "f", State: push},
		})).To(Equal([]string{"p-seed.a", "p-seed.b"}))
		Expect(Withheld(nil)).To(BeEmpty())
	})

	It("should name the seeds that need push", func() {
		Expect(Pushing(&configv1alpha1.GardenFederationStatus{Seeds: []configv1alpha1.SeedFederationStatus{
			{Name: "a", State: push}, {Name: "b", State: pull}, {Name: "c", State: returning}, {Name: "d", State: shadow},
		}})).To(Equal([]string{"a", "c"}))
	})
})
