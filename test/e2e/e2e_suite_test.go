// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the extension in a running landscape (`make test-e2e`). Every spec leaves both seeds federated.
package e2e_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

func TestE2E(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Test E2E Suite")
	// Once more behind Ginkgo's summary, which has no messages: a log is read from its end.
	for _, failure := range failures {
		t.Log(failure)
	}
}

var failures []string

var _ = ReportAfterEach(func(report SpecReport) {
	if !report.Failed() {
		return
	}
	message := report.FailureMessage()
	if len(message) > maxMessage {
		message = message[:maxMessage] + " ..."
	}
	failures = append(failures, fmt.Sprintf("%s: %s: %s", report.LeafNodeText, report.FailureLocation(), message))
})

const (
	// seedLocal is the seed that is the runtime cluster, seedOther a cluster of its own.
	seedLocal = landscape.SeedRuntime
	seedOther = "seed-2"
	// seedCollectorPod is the pod of a seed's collector.
	seedCollectorPod = constants.SeedCollectorName + "-collector-0"

	// maxMessage is how much of a failure's message is repeated at the end, in bytes.
	maxMessage = 2000

	pollInterval = 500 * time.Millisecond
	// timeout covers the rolling of a collector, which is what takes longest.
	timeout = 2 * time.Minute
)

var ls *landscape.Landscape

var _ = BeforeSuite(func() {
	directory := os.Getenv("LANDSCAPE_DIR")
	Expect(directory).NotTo(BeEmpty(), "LANDSCAPE_DIR must name the state directory of a running landscape: run `make test-e2e`")

	var err error
	ls, err = landscape.Load(directory)
	Expect(err).NotTo(HaveOccurred())

	SetDefaultEventuallyTimeout(timeout)
	SetDefaultEventuallyPollingInterval(pollInterval)
})
