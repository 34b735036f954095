// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package scale measures in a running landscape what many seeds cost the garden (`make bench-scale`). Nothing fails because of a time.
package scale_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

const (
	document = "../../docs/benchmarks.md"

	beginReport = "<!-- Begin of what `make bench-scale` writes. -->\n"
	endReport   = "<!-- End of what `make bench-scale` writes. -->\n"
)

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

// rows and capacities are the lines of the report's tables.
var rows, capacities []string

// After a whole run that has succeeded the report becomes a part of the document.
var _ = ReportAfterSuite("report", func(result Report) {
	if len(rows)+len(capacities) == 0 {
		return
	}
	text := strings.Join(append([]string{
		"| Seeds | until all have credentials | requests to the virtual garden, per Seed | processor time | peak memory | reconciliation of a Seed p95 | of the Extension p95 | renewals of all, first to last | most renewals in a second |",
		"|---|---|---|---|---|---|---|---|---|",
	}, rows...), "\n") + "\n\n" + strings.Join(append([]string{
		"| collectors of the fan-out | simulated seeds whose samples are in time | samples per second | processor time of the fan-out per sample | memory of a collector | one step more |",
		"|---|---|---|---|---|---|",
	}, capacities...), "\n") + "\n"
	Expect(os.WriteFile(filepath.Join(ls.Dir, "scale.md"), []byte(text), 0o600)).To(Succeed())
	fmt.Println(text)
	if !result.SuiteSucceeded || len(rows) == 0 || len(capacities) == 0 {
		return
	}

	data, err := os.ReadFile(document)
	Expect(err).NotTo(HaveOccurred())
	before, rest, found := strings.Cut(string(data), beginReport)
	Expect(found).To(BeTrue(), "%s has no place for the report", document)
	_, after, found := strings.Cut(rest, endReport)
	Expect(found).To(BeTrue(), "the place for the report in %s has no end", document)
	Expect(os.WriteFile(document, []byte(before+beginReport+"\n"+text+"\n"+endReport+after), 0o600)).To(Succeed())
})
