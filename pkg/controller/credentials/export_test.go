// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What the tests need to know of the package's inside.
var (
	DeleteAll          = deleteAll
	SessionMinBackoff  = sessionMinBackoff
	SessionStableAfter = sessionStableAfter
	TokenExpiry        = tokenExpiry
	SecretToSeed       = secretToSeed
)

// Sessions is a test handle for the sessions.
type Sessions struct{ *sessions }

// NewSessions returns sessions that are run by the given function.
func NewSessions(log logr.Logger, clock clock.PassiveClock, run func(ctx context.Context, access *Access, issuer func() *Issuer, changed <-chan struct{}) error) Sessions {
	return Sessions{newSessions(log, clock, func(ctx context.Context, access *Access, issuer *issuerStore) error {
		return run(ctx, access, issuer.get, issuer.changed)
	})}
}

// Ensure calls ensure.
func (s Sessions) Ensure(access *Access, issuer *Issuer) (time.Duration, error) {
	return s.ensure(access, issuer)
}

// Stop calls stop.
func (s Sessions) Stop() error {
	return s.stop("test")
}

// Ended returns the channel that gets a signal when a session has ended by itself.
func (s Sessions) Ended() <-chan struct{} {
	return s.ended
}

// NewReconciler returns a Reconciler with the given sessions.
func NewReconciler(reader client.Reader, namespace string, sessions Sessions) *Reconciler {
	return &Reconciler{Reader: reader, Namespace: namespace, sessions: sessions.sessions}
}
