// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity_test

import (
	"bytes"
	"errors"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

var _ = Describe("Report", func() {
	write := func(report *parity.Report, o parity.WriteOptions) string {
		out := &bytes.Buffer{}
		ExpectWithOffset(1, report.Write(out, o)).To(Succeed())
		return out.String()
	}

	var report *parity.Report

	BeforeEach(func(ctx SpecContext) {
		report, _ = compareSeries(ctx,
			[]timeSeries{
				ts(always, "test_a", "n", "1"), ts(always, "test_a", "n", "2"), ts(always, "test_a", "n", "3"), ts(always, "test_a", "n", "4"),
				ts("1 1 _ _ _ _", "test_b"), ts(always, "test_c", "n", "1"), ts(always, "test_d", "seed", "foreign"),
			},
			[]timeSeries{
				ts(always, "test_a", "n", "1", "instance", "i"), ts(always, "test_a", "n", "2", "instance", "i"), ts(always, "test_a", "n", "3", "instance", "i"), ts("1 1 _ 2 1 1", "test_a", "n", "4"),
				ts(always, "test_b"), ts(always, "test_c", "n", "2", "m", "2"), ts(always, "test_d", "seed", "one"), ts("1 _ _ _ _ _", "test_e"),
			}, parity.Options{})
	})

	It("should write a table of the families with differences, examples of all kinds and totals", func() {
		Expect(write(report, parity.WriteOptions{Examples: 3})).To(Equal(strings.TrimPrefix(`
reference (pull) and garden-0 (push) at 6 times, each 1m0s, from 2026-01-01T12:00:00Z; seeds: one, two

FAMILY   IN PULL   IN PUSH   ONLY IN PULL   ONLY IN PUSH   LABELS DIFFER   VALUE DIFFERS   MISSING IN PUSH   LINGERS IN PUSH
test_a   4         4         0              0              3               1               1                 0
test_b   1         1         0              0              0               0               0                 1
test_c   1         1         1              1              0               0               0                 0
test_e   0         1         0              1              0               0               0                 0

test_a{n="1"}
    labels differ: instance: pull "" push "i"
test_a{n="4"}
    value differs: pull 1 push 2 at 12:03:00Z
test_a{n="4"}
    staleness: missing in push: missing at 12:02:00Z
    ... and 2 more of test_a

test_b
    staleness: lingers in push: present at 12:03:00Z, 12:04:00Z

test_c{n="1"}
    only in pull: present at 6 of 6 times
test_c{m="2", n="2"}
    only in push: present at 6 of 6 times

test_e
    only in push: pull has no metric of this name, push has 1 series of it

series compared: 8 in pull, 9 in push
constant values compared: 2
series on one side only, but too briefly to judge: 1
intended, foreign seed: 1
differences: 9
`, "\n")))
		Expect(report.Names()).To(Equal([]string{"test_a", "test_b", "test_c", "test_e"}))
		Expect(report.Family("test_a").Count()).To(Equal(5))
	})

	It("should write no more examples per family than wanted", func() {
		text := write(report, parity.WriteOptions{Examples: 1})
		Expect(text).To(ContainSubstring("test_a{n=\"1\"}\n    labels differ: instance: pull \"\" push \"i\"\n    ... and 4 more of test_a\n\n"))
		Expect(text).NotTo(ContainSubstring("value differs: "))
	})

	It("should write no examples if none are wanted", func() {
		text := write(report, parity.WriteOptions{})
		Expect(text).NotTo(ContainSubstring("\n    "))
		Expect(text).NotTo(ContainSubstring("more of"))
		Expect(text).To(HaveSuffix("differences: 9\n"))
	})

	It("should list all families on demand", func() {
		Expect(write(report, parity.WriteOptions{All: true})).To(MatchRegexp(`(?m)^test_base +1 +1 +0 +0 +0 +0 +0 +0$`))
	})

	It("should write no table if there are no differences", func(ctx SpecContext) {
		report, _ := compareSeries(ctx, nil, nil, parity.Options{})
		Expect(write(report, parity.WriteOptions{Examples: 3})).To(Equal(strings.TrimPrefix(`
reference (pull) and garden-0 (push) at 6 times, each 1m0s, from 2026-01-01T12:00:00Z; seeds: one, two

series compared: 1 in pull, 1 in push
constant values compared: 1
series on one side only, but too briefly to judge: 0
differences: 0
`, "\n")))
	})

	It("should say that it cannot be written", func() {
		Expect(report.Write(failingWriter{}, parity.WriteOptions{})).To(MatchError("full"))
	})
})

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("full") }
