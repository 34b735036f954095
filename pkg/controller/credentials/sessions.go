// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

const (
	// sessionStopTimeout limits the time that is waited for a session to end.
	sessionStopTimeout = 30 * time.Second
	// sessionStableAfter is how long a session must have run so that its end is no repeated failure.
	sessionStableAfter = 10 * time.Minute
	sessionMinBackoff  = 5 * time.Second
	sessionMaxBackoff  = 5 * time.Minute
)

var errStillStopping = errors.New("the session with the virtual garden is still stopping")

// runFunc runs a session until the context is cancelled or the session fails.
type runFunc func(context.Context, *Access, *issuerStore) error

// sessions keeps at most one session with the virtual garden. None of its methods waits for the virtual garden.
type sessions struct {
	log   logr.Logger
	clock clock.PassiveClock
	run   runFunc
	// ended gets a signal when a session ends by itself.
	ended chan struct{}

	mutex     sync.Mutex
	ctx       context.Context // The lifetime of the sessions is that of the manager, not that of a call.
	current   *session
	failures  int
	notBefore time.Time
}

// session is one run of a client and controller for the virtual garden.
type session struct {
	fingerprint string
	issuer      *issuerStore
	started     time.Time
	cancel      context.CancelFunc
	// cancelled tells that the session was told to end.
	cancelled bool
	// done is closed when the session has ended. Then err holds its result.
	done chan struct{}
	err  error
}

func newSessions(log logr.Logger, clock clock.PassiveClock, run runFunc) *sessions {
	return &sessions{log: log, clock: clock, run: run, ended: make(chan struct{}, 1)}
}

// Start implements manager.Runnable. It makes sure that no session outlives the manager.
func (s *sessions) Start(ctx context.Context) error {
	s.mutex.Lock()
	s.ctx = ctx
	s.mutex.Unlock()
	signal(s.ended)

	<-ctx.Done()
	return s.stop("the process ends")
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (s *sessions) NeedLeaderElection() bool {
	return true
}

// ensure makes sure that a session with the given access is running or starting, and that it uses the given issuer. If it
// returns a duration, it must be called again after that.
func (s *sessions) ensure(access *Access, issuer *Issuer) (time.Duration, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()

	if s.ctx == nil || s.ctx.Err() != nil {
		return sessionMinBackoff, nil
	}
	s.reap()

	if s.current != nil && (s.current.fingerprint != access.Fingerprint || s.current.cancelled) {
		if err := s.stopLocked("the address or the CA of the virtual garden has changed"); err != nil {
			return 0, err
		}
	}

	if s.current != nil {
		s.current.issuer.set(issuer)
		return 0, nil
	}

	if wait := s.notBefore.Sub(s.clock.Now()); wait > 0 {
		return wait, nil
	}
	s.startLocked(access, issuer)
	return 0, nil
}

// stop ends the session if there is one.
func (s *sessions) stop(reason string) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.stopLocked(reason)
}

func (s *sessions) startLocked(access *Access, issuer *Issuer) {
	ctx, cancel := context.WithCancel(s.ctx)
	current := &session{
		fingerprint: access.Fingerprint,
		issuer:      newIssuerStore(issuer),
		started:     s.clock.Now(),
		cancel:      cancel,
		done:        make(chan struct{}),
	}
	s.current = current

	s.log.Info("Starting a session with the virtual garden", "server", access.Config.Host)
	go func() {
		defer signal(s.ended)
		defer close(current.done)
		defer cancel()
		current.err = s.run(ctx, access, current.issuer)
	}()
}

func (s *sessions) stopLocked(reason string) error {
	if s.current == nil {
		return nil
	}

	s.log.Info("Stopping the session with the virtual garden", "reason", reason)
	s.current.cancelled = true
	s.current.cancel()

	timer := time.NewTimer(sessionStopTimeout)
	defer timer.Stop()
	select {
	case <-s.current.done:
		s.current, s.failures, s.notBefore = nil, 0, time.Time{}
		return nil
	case <-timer.C:
		return fmt.Errorf("%w after %s", errStillStopping, sessionStopTimeout)
	}
}

// reap notes the end of a session that has ended by itself.
func (s *sessions) reap() {
	if s.current == nil {
		return
	}
	select {
	case <-s.current.done:
	default:
		return
	}

	now := s.clock.Now()
	if now.Sub(s.current.started) >= sessionStableAfter {
		s.failures = 0
	}
	backoff := sessionMaxBackoff
	if s.failures < 10 {
		backoff = min(sessionMinBackoff<<s.failures, sessionMaxBackoff)
	}
	s.failures++
	s.notBefore = now.Add(backoff)
	s.log.Error(s.current.err, "The session with the virtual garden has ended, it will be started again", "after", backoff.String())
	s.current = nil
}

// issuerStore hands the issuer to a running session.
type issuerStore struct {
	mutex  sync.RWMutex
	issuer *Issuer
	// changed gets a signal when the issuer has changed.
	changed chan struct{}
}

func newIssuerStore(issuer *Issuer) *issuerStore {
	return &issuerStore{issuer: issuer, changed: make(chan struct{}, 1)}
}

func (i *issuerStore) get() *Issuer {
	i.mutex.RLock()
	defer i.mutex.RUnlock()
	return i.issuer
}

func (i *issuerStore) set(issuer *Issuer) {
	i.mutex.Lock()
	defer i.mutex.Unlock()

	if i.issuer.Key.ID == issuer.Key.ID && reflect.DeepEqual(i.issuer.Config, issuer.Config) {
		return
	}
	i.issuer = issuer
	signal(i.changed)
}
