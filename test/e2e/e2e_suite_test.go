// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package e2e tests the extension in a running landscape (`make test-e2e`). Every spec leaves both seeds federated.
package e2e_test

import (
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
}

const (
	// seedLocal is the seed that is the runtime cluster, seedOther a cluster of its own.
	seedLocal = landscape.SeedRuntime
	seedOther = "seed-2"
	// seedCollectorPod is the pod of a seed's collector.
	seedCollectorPod = constants.SeedCollectorName + "-collector-0"

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
