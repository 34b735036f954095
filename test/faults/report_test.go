// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/test/utils/document"
)

// row is what became of the samples in one fault.
type row struct {
	fault string
	// lasted is from the beginning of the fault until its cure.
	lasted time.Duration
	// caughtUp is from the cure until both replicas and pull were current again.
	caughtUp time.Duration
	// due is the number of scrapes in the whole time that is looked at, unscraped are those for which the seed's collector was away.
	due, unscraped int
	// lostByPull and lostByPush are scrapes, the latter those that one of the replicas lacks. Samples are those in them.
	lostByPull, lostByPush, lostSamples int
	// different are samples that differ between the replicas, or from the aggregate.
	different int
	// told is what operators were told, and after which time.
	told map[string]time.Duration
}

func (r row) String() string {
	return fmt.Sprintf("| %s | %s | %d | %d | %d | %d | %d | %s |", r.fault, r.lasted.Round(time.Second), r.due, r.lostByPull, r.unscraped, r.lostByPush, r.different, r.caughtUp.Round(time.Second))
}

// table is the report.
func table(rows []row) string {
	lines := []string{
		fmt.Sprintf("Measured in the local landscape with scrapes every %s: two seeds, two replicas of the fan-out and of the garden Prometheus, and a Prometheus that pulls.", ls.ScrapeInterval),
		"",
		"| fault | lasted | scrapes due | lost by pull | not scraped | lost by push | wrong values | caught up after |",
		"|---|---|---|---|---|---|---|---|",
	}
	for _, r := range rows {
		lines = append(lines, r.String())
	}
	return strings.Join(lines, "\n") + "\n"
}

// writeReport writes the report beside the logs. After a whole run that has succeeded it becomes a part of the document.
func writeReport(result Report, name, text string) {
	GinkgoHelper()
	Expect(os.WriteFile(filepath.Join(ls.Dir, name+".md"), []byte(text), 0o600)).To(Succeed())
	fmt.Println(text)
	if !result.SuiteSucceeded || len(result.SuiteConfig.FocusStrings) > 0 || len(result.SuiteConfig.SkipStrings) > 0 {
		return
	}

	Expect(document.Replace("../../docs/reliability.md", "`make test-faults` ("+name+")", text)).To(Succeed())
}
