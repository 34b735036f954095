// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package faults injects faults into a running landscape, and looks afterwards for every sample in both replicas of the garden
// Prometheus (`make test-faults`).
package faults_test

import (
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

func TestFaults(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Test Faults Suite")
}

const (
	// seed is the seed that suffers. It is a cluster of its own, so that a WAN is between it and the garden.
	seed        = "seed-2"
	seedCluster = "seed-2"
)

var ls *landscape.Landscape

var _ = BeforeSuite(func() {
	directory := os.Getenv("LANDSCAPE_DIR")
	Expect(directory).NotTo(BeEmpty(), "LANDSCAPE_DIR must name the state directory of a running landscape: run `make test-faults`")

	var err error
	ls, err = landscape.Load(directory)
	Expect(err).NotTo(HaveOccurred())

	SetDefaultEventuallyTimeout(3 * time.Minute)
	SetDefaultEventuallyPollingInterval(time.Second)
})

var (
	report []row
	// catchUp is what was measured after a longer outage.
	catchUp string
)

var _ = ReportAfterSuite("report", func(result Report) {
	if len(report) > 0 {
		writeReport(result, "faults", table(report))
	}
	if catchUp != "" {
		writeReport(result, labelCatchUp, catchUp)
	}
})
