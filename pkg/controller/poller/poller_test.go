// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package poller_test

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/poller"
)

// observation is what one look sees.
type observation struct {
	text string
	err  error
}

var _ = Describe("Poller", func() {
	var (
		next   chan observation
		poller *Poller
		ended  chan error
		cancel context.CancelFunc
	)

	BeforeEach(func() {
		before := Interval
		Interval = time.Millisecond
		DeferCleanup(func() { Interval = before })

		next, ended = make(chan observation), make(chan error, 1)
		poller = New(logr.Discard(), func(ctx context.Context) (string, error) {
			select {
			case seen := <-next:
				return seen.text, seen.err
			case <-ctx.Done():
				return "", ctx.Err()
			}
		})
		var ctx context.Context
		ctx, cancel = context.WithCancel(context.Background())
		go func() { ended <- poller.Start(ctx) }()
		DeferCleanup(func() {
			cancel()
			Eventually(ended).Should(Receive(BeNil()))
		})
	})

	// see lets the poller look. That it looks again says that it has done with what it has seen before.
	see := func(text string, err error) { Eventually(next).Should(BeSent(observation{text, err})) }
	expectEvent := func() { GinkgoHelper(); Eventually(poller.Events).Should(Receive()) }

	It("should take the first look for a change, and report each that follows once", func() {
		see("a", nil)
		expectEvent()
		see("a", nil)
		see("a", nil)
		see("b", nil)
		expectEvent()
		see("b", nil)
		see("a", nil)
		expectEvent()
	})

	It("should report nothing when a look fails, and not forget what it has seen before", func() {
		see("a", nil)
		expectEvent()
		see("", errors.New("fake"))
		see("a", nil)
		see("", errors.New("fake"))
		see("b", nil)
		expectEvent()
	})

	It("should end while nobody takes what it reports", func() {
		see("a", nil)
		cancel()
		Eventually(ended).Should(Receive(BeNil()))
		ended <- nil
	})

	It("should run in the leader only", func() {
		Expect(poller.NeedLeaderElection()).To(BeTrue())
	})
})
