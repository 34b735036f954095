// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package breakage breaks the configuration of a running landscape on purpose, and checks that the comparison of push with pull
// names what has broken (`make test-breakage`). It shows that the comparison can fail for every shape of the corpus.
package breakage_test

import (
	"os"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

func TestBreakage(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Test Breakage Suite")
}

var ls *landscape.Landscape

var _ = BeforeSuite(func() {
	directory := os.Getenv("LANDSCAPE_DIR")
	Expect(directory).NotTo(BeEmpty(), "LANDSCAPE_DIR must name the state directory of a running landscape: run `make test-breakage`")

	var err error
	ls, err = landscape.Load(directory)
	Expect(err).NotTo(HaveOccurred())

	SetDefaultEventuallyTimeout(2 * time.Minute)
	SetDefaultEventuallyPollingInterval(ls.ScrapeInterval)
})
