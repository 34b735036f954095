// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package poller reports changes of what an Extension depends on and that cannot be watched: a watch fails as long as the kind does
// not exist, and Gardener may deploy it after the extension.
package poller

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
)

// Interval is the time after which a change is seen.
var Interval = 15 * time.Second

// Poller reports changes.
type Poller struct {
	// Log is for observations that fail.
	Log logr.Logger
	// Observe returns a text that changes when there is something to do.
	Observe func(ctx context.Context) (string, error)
	// Events gets an event for each change.
	Events chan event.GenericEvent
}

// New returns a Poller.
func New(log logr.Logger, observe func(ctx context.Context) (string, error)) *Poller {
	return &Poller{Log: log, Observe: observe, Events: make(chan event.GenericEvent)}
}

var _ manager.LeaderElectionRunnable = &Poller{}

// NeedLeaderElection implements LeaderElectionRunnable.
func (p *Poller) NeedLeaderElection() bool { return true }

// Start implements Runnable. The first observation counts as a change, as nobody knows what happened before.
func (p *Poller) Start(ctx context.Context) error {
	var last *string

	wait.UntilWithContext(ctx, func(ctx context.Context) {
		current, err := p.Observe(ctx)
		if err != nil {
			p.Log.Error(err, "Failed to look for changes of what the Extension depends on")
			return
		}
		if last != nil && current == *last {
			return
		}

		select {
		case p.Events <- event.GenericEvent{Object: &extensionsv1alpha1.Extension{}}:
			last = &current
		case <-ctx.Done():
		}
	}, Interval)

	return nil
}
