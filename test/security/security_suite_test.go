// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package security attacks the federation in a running landscape (`make test-security`). Every spec leaves both seeds federated.
package security_test

import (
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

func TestSecurity(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Test Security Suite")
}

// labelLong is for what takes longer than a quick look.
const labelLong = "long"

const (
	// attackerSeed is a seed that has a valid token, and nothing else to do in this landscape.
	attackerSeed = "mallory"
	// witnessSeed is one that only tells what has arrived.
	witnessSeed = "trent"
	// The other seeds must not notice.
	seedLocal = landscape.SeedRuntime
	seedOther = "seed-2"
)

// victims are the seeds that are attacked, or share the fan-out with the attacker.
var victims = []string{seedLocal, seedOther}

var (
	ls     *landscape.Landscape
	garden destination
	// token is the valid token of the attacker, witnessToken that of the witness.
	token, witnessToken string
)

var _ = BeforeSuite(func(ctx SpecContext) {
	directory := os.Getenv("LANDSCAPE_DIR")
	Expect(directory).NotTo(BeEmpty(), "LANDSCAPE_DIR must name the state directory of a running landscape: run `make test-security`")

	var err error
	ls, err = landscape.Load(directory)
	Expect(err).NotTo(HaveOccurred())

	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(500 * time.Millisecond)

	garden = destinationOf(ctx, seedOther)
	issueTokens(ctx)
	expectCurrent(ctx)
})
