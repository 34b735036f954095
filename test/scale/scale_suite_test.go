// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package scale measures in a running landscape what many seeds cost the garden (`make bench-scale`). Only what does not arrive within 15 seconds fails.
package scale_test

import (
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

func TestScale(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Test Scale Suite")
}

var ls *landscape.Landscape

var _ = BeforeSuite(func() {
	directory := os.Getenv("LANDSCAPE_DIR")
	Expect(directory).NotTo(BeEmpty(), "LANDSCAPE_DIR must name the state directory of a running landscape: run `make bench-scale`")

	var err error
	ls, err = landscape.Load(directory)
	Expect(err).NotTo(HaveOccurred())

	EnforceDefaultTimeoutsWhenUsingContexts()
	SetDefaultEventuallyTimeout(5 * time.Minute)
	SetDefaultEventuallyPollingInterval(500 * time.Millisecond)
})
