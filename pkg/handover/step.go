// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
)

const messageNoTarget = "Gardener has no target to pull from this seed."

// Input is what is known of a seed when its state is decided.
type Input struct {
	// Now is the time of the decision.
	Now time.Time
	// Since is when the present state was entered.
	Since time.Time
	// Config is how pull is replaced by push.
	Config config.HandOverConfiguration
	// Unwanted says why the seed must not push, or is empty: it is leaving, denied, not selected, or does not exist.
	Unwanted string
	// Enabled says that the extension is there in the seed. What a seed has pushed is fresh for a while after the extension has gone.
	Enabled bool
	// Pullable says that Gardener offers a target for the seed.
	Pullable bool
	// ReceiverReady says that all replicas of the garden Prometheus accept what is pushed.
	ReceiverReady bool
	// Rejecting says that a replica of the garden Prometheus has lately refused something that was pushed, by whomever. It may be
	// a part of this seed's scrape.
	Rejecting bool
	// Push, Shadow and Pull tell of the samples that arrive by each way.
	Push, Shadow, Pull Freshness
}

// Step returns the state that follows a state, and what it waits for or why it was entered. Messages only contain times that do
// not change while a state lasts, so that a status is not written again and again.
func Step(state configv1alpha1.SeedFederationState, in Input) (configv1alpha1.SeedFederationState, string) {
	switch state {
	case configv1alpha1.SeedFederationStatePush:
		return in.fromPush()
	case configv1alpha1.SeedFederationStateReturning:
		return in.fromReturning()
	default:
		return in.fromPull()
	}
}

func (in *Input) fromPush() (configv1alpha1.SeedFederationState, string) {
	reason := in.reasonToReturn()
	switch {
	case reason == "" && !in.Pullable:
		return configv1alpha1.SeedFederationStatePush, messageNoTarget
	case reason == "":
		return configv1alpha1.SeedFederationStatePush, ""
	case !in.Pullable:
		return in.fromPull()
	}
	return configv1alpha1.SeedFederationStateReturning, reason
}

func (in *Input) reasonToReturn() string {
	switch {
	case in.Unwanted != "":
		return "Pull returns because " + in.Unwanted + "."
	case in.Config.Mode == config.HandOverModeShadow:
		return "Pull returns because the mode is Shadow."
	case in.Config.Mode == config.HandOverModeAutomatic && in.Push.Stale:
		return fmt.Sprintf("Pull returns because no complete scrape has arrived by push for longer than %s.", in.Config.ReturnAfter.Duration)
	case !in.Enabled && !in.Push.InKnown:
		return "Pull returns because the extension has gone from the seed without saying so."
	}
	return ""
}

// fromReturning waits until all replicas have pulled since the target is back. A seed that cannot be pulled has nothing to wait for.
func (in *Input) fromReturning() (configv1alpha1.SeedFederationState, string) {
	if !in.Pullable || in.Pull.InKnown && in.Pull.Newest.After(in.Since) {
		return in.fromPull()
	}
	return configv1alpha1.SeedFederationStateReturning, "The target is back. " + cmp.Or(in.Pull.Missing, "Not all replicas of the garden Prometheus have pulled from it since.")
}

func (in *Input) fromPull() (configv1alpha1.SeedFederationState, string) {
	if in.Unwanted != "" {
		return configv1alpha1.SeedFederationStatePull, "Push is not used because " + in.Unwanted + "."
	}
	if !in.Enabled {
		return configv1alpha1.SeedFederationStatePull, "The extension is not enabled in this seed, or its controller has not started yet."
	}

	switch in.Config.Mode {
	case config.HandOverModeShadow:
		if in.Shadow.InAll {
			return configv1alpha1.SeedFederationStateShadow, ""
		}
		return configv1alpha1.SeedFederationStatePull, "Waiting for pushed samples under their shadow names. " + in.Shadow.Missing
	case config.HandOverModePush:
		if !in.ReceiverReady {
			return configv1alpha1.SeedFederationStatePull, "Waiting for all replicas of the garden Prometheus to accept what is pushed."
		}
		return configv1alpha1.SeedFederationStatePush, ""
	}
	return in.automatically()
}

func (in *Input) automatically() (configv1alpha1.SeedFederationState, string) {
	switch {
	case !in.Push.InAll:
		return configv1alpha1.SeedFederationStatePull, "Waiting for pushed samples. " + in.Push.Missing
	case in.Rejecting:
		return configv1alpha1.SeedFederationStatePull, "Waiting because a replica of the garden Prometheus refuses some of what is pushed (4xx at its OTLP receiver)."
	case !in.Pullable:
		return configv1alpha1.SeedFederationStatePush, messageNoTarget
	}

	due := in.Push.Since.Add(in.Config.FreshFor.Duration)
	if in.Now.Before(due) {
		return configv1alpha1.SeedFederationStatePull, fmt.Sprintf("Pushed samples are fresh; pull ends at %s if that lasts.", due.UTC().Format(time.RFC3339))
	}
	return configv1alpha1.SeedFederationStatePush, ""
}

// Withheld returns the targets that must not be pulled, given the states of the seeds: sorted, and without duplicates.
func Withheld(seeds []configv1alpha1.SeedFederationStatus) []string {
	var targets []string
	for _, seed := range seeds {
		if seed.State == configv1alpha1.SeedFederationStatePush && seed.Instance != "" {
			targets = append(targets, seed.Instance)
		}
	}
	slices.Sort(targets)
	return slices.Compact(targets)
}

// Pushing returns the names of the seeds whose samples the garden Prometheus has by push only, or may have.
func Pushing(status *configv1alpha1.GardenFederationStatus) []string {
	var names []string
	for _, seed := range status.Seeds {
		if seed.State == configv1alpha1.SeedFederationStatePush || seed.State == configv1alpha1.SeedFederationStateReturning {
			names = append(names, seed.Name)
		}
	}
	return names
}
