// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

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

// section is a table of the report.
type section string

const (
	sectionAuthentication section = "Authentication"
	sectionIdentity       section = "Identity"
	sectionAbuse          section = "Abuse"
)

// row is an attack, and what became of it.
type row struct {
	section                section
	attack, answer, stored string
	// delay is the largest age that the newest sample of another seed had meanwhile, memory the largest share of its limit that a collector of
	// the fan-out used. They are zero where nobody was watched for this attack alone.
	delay  time.Duration
	memory float64
}

var rows []*row

// tell adds an attack to the report.
func tell(in section, attack, answer, stored string) *row {
	r := &row{section: in, attack: attack, answer: answer, stored: stored}
	rows = append(rows, r)
	return r
}

// retell tells later what was stored of an attack.
func retell(attack, stored string) {
	for _, r := range rows {
		if r.attack == attack {
			r.stored = stored
		}
	}
}

// watched adds what others have noticed.
func (r *row) watched(o *observation) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	r.delay, r.memory = o.delay, o.memory
}

func (r *row) cells() []string {
	cells := []string{r.attack, r.answer, r.stored}
	if r.section == sectionAbuse {
		cells = append(cells, r.delay.Round(100*time.Millisecond).String(), fmt.Sprintf("%.0f %%", 100*r.memory))
	}
	return cells
}

func table() string {
	headers := map[section]string{
		sectionAuthentication: "| attack | answer | stored |\n|---|---|---|",
		sectionIdentity:       "| a seed sends | answer | stored |\n|---|---|---|",
		sectionAbuse:          "| a seed sends | answer | stored | oldest that the newest sample of another seed was | most memory a fan-out used, of its limit |\n|---|---|---|---|---|",
	}
	lines := []string{fmt.Sprintf("Tried in the local landscape, through its ingress, with scrapes every %s. The attacker is the seed `%s`, which has a valid token. Attacks of the last table that were tried together have the same numbers.", ls.ScrapeInterval, attackerSeed)}
	for _, in := range []section{sectionAuthentication, sectionIdentity, sectionAbuse} {
		lines = append(lines, "", "### "+string(in), "", headers[in])
		for _, r := range rows {
			if r.section == in {
				lines = append(lines, "| "+strings.Join(r.cells(), " | ")+" |")
			}
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// After a whole run that has succeeded the report becomes a part of the document.
var _ = ReportAfterSuite("report", func(result Report) {
	if len(rows) == 0 {
		return
	}
	text := table()
	Expect(os.WriteFile(filepath.Join(ls.Dir, "security.md"), []byte(text), 0o600)).To(Succeed())
	fmt.Println(text)
	if !result.SuiteSucceeded || result.PreRunStats.SpecsThatWillRun != result.PreRunStats.TotalSpecs {
		return
	}

	Expect(document.Replace("../../docs/security.md", "`make test-security`", text)).To(Succeed())
})
