// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

var _ = Describe("Differences", func() {
	DescribeTable("differences",
		func(ctx SpecContext, pull, push []timeSeries, expected ...string) {
			report, differences := compareSeries(ctx, pull, push, parity.Options{})
			if len(expected) == 0 {
				Expect(differences).To(BeEmpty())
			} else {
				Expect(differences).To(Equal(expected))
			}
			Expect(report.Differences()).To(Equal(len(expected)))
		},
		Entry("the same series",
			[]timeSeries{ts(always, "test_a", "a", "1"), ts("1 2 3 4 5 6", "test_a", "a", "2")},
			[]timeSeries{ts(always, "test_a", "a", "1"), ts("0 1 2 3 4 5", "test_a", "a", "2")}),

		Entry("hole",
			[]timeSeries{ts(always, "test_a")},
			[]timeSeries{ts("1 1 _ _ 1 1", "test_a")},
			"staleness: missing in push: test_a: missing at 12:02:00Z, 12:03:00Z"),
		Entry("hole of a series that comes late, when pull has had it for long enough",
			[]timeSeries{ts("_ 1 1 1 1 1", "test_a")},
			[]timeSeries{ts("_ _ _ 1 1 1", "test_a")},
			"staleness: missing in push: test_a: missing at 12:02:00Z"),
		Entry("no hole: push is later by a phase, and earlier by one",
			[]timeSeries{ts("_ 1 1 1 1 _", "test_a"), ts("1 1 1 _ _ _", "test_b"), ts("1 1 _ 1 1 1", "test_c")},
			[]timeSeries{ts("_ _ 1 1 _ _", "test_a"), ts("1 1 _ _ _ _", "test_b"), ts("1 _ _ 1 1 1", "test_c")}),
		Entry("no hole at the first and last time, of which one neighbour is unknown",
			[]timeSeries{ts(always, "test_a"), ts(always, "test_b")},
			[]timeSeries{ts("_ 1 1 1 1 1", "test_a"), ts("1 1 1 1 1 _", "test_b")}),

		Entry("lingering",
			[]timeSeries{ts("1 1 _ _ _ _", "test_a")},
			[]timeSeries{ts(always, "test_a")},
			"staleness: lingers in push: test_a: present at 12:03:00Z, 12:04:00Z"),
		Entry("no lingering: push is later by a phase, and earlier by one",
			[]timeSeries{ts("1 1 _ _ _ _", "test_a"), ts("_ _ _ 1 1 1", "test_b")},
			[]timeSeries{ts("1 1 1 _ _ _", "test_a"), ts("_ _ 1 1 1 1", "test_b")}),
		Entry("no lingering at the last time, of which one neighbour is unknown",
			[]timeSeries{ts("1 1 1 _ _ _", "test_a")},
			[]timeSeries{ts("1 1 1 1 _ 1", "test_a")}),

		Entry("only in pull",
			[]timeSeries{ts("_ 1 1 1 _ _", "test_base", "a", "1")}, nil,
			`only in pull: test_base{a="1"}: present at 3 of 6 times`),
		Entry("only in push",
			nil, []timeSeries{ts("1 _ _ 1 1 1", "test_base", "a", "1")},
			`only in push: test_base{a="1"}: present at 4 of 6 times`),
		Entry("on one side only, but too briefly",
			[]timeSeries{ts("1 1 _ 1 1 _", "test_base", "a", "1")}, []timeSeries{ts("_ 1 1 _ _ 1", "test_base", "b", "1")}),
		Entry("renamed metric",
			[]timeSeries{ts(always, "test_a", "a", "1")}, []timeSeries{ts(always, "test_a_total", "a", "1")},
			`only in pull: test_a{a="1"}: present at 6 of 6 times`,
			`only in push: test_a_total{a="1"}: present at 6 of 6 times`),
		Entry("renamed label",
			[]timeSeries{ts(always, "test_a", "a", "1")}, []timeSeries{ts(always, "test_a", "key_a", "1")},
			`only in pull: test_a{a="1"}: present at 6 of 6 times`,
			`only in push: test_a{key_a="1"}: present at 6 of 6 times`),

		Entry("a label is added",
			[]timeSeries{ts(always, "test_a", "a", "1")}, []timeSeries{ts(always, "test_a", "a", "1", "instance", "prometheus-aggregate")},
			`labels differ: test_a{a="1"}: instance: pull "" push "prometheus-aggregate"`),
		Entry("a label is lost",
			[]timeSeries{ts(always, "test_a", "a", "1", "b", "2")}, []timeSeries{ts(always, "test_a", "a", "1")},
			`labels differ: test_a{a="1", b="2"}: b: pull "2" push ""`),
		Entry("a label has another value",
			[]timeSeries{ts(always, "test_a", "le", "1e+06")}, []timeSeries{ts(always, "test_a", "le", "1000000.0")},
			`labels differ: test_a{le="1e+06"}: le: pull "1e+06" push "1000000.0"`),
		Entry("job and instance differ",
			[]timeSeries{ts(always, "test_a", "job", "a")}, []timeSeries{ts(always, "test_a", "instance", "i", "job", "b")},
			`labels differ: test_a{job="a"}: instance: pull "" push "i", job: pull "a" push "b"`),
		Entry("job, instance and seed differ",
			[]timeSeries{ts(always, "test_a", "job", "a")}, []timeSeries{ts(always, "test_a", "instance", "i", "job", "b", "seed", "one")},
			`labels differ: test_a{job="a"}: instance: pull "" push "i", job: pull "a" push "b", seed: pull "" push "one"`),
		Entry("other labels than these differ together",
			[]timeSeries{ts(always, "test_a", "a", "1", "b", "1")}, []timeSeries{ts(always, "test_a", "a", "2", "b", "2")},
			`only in pull: test_a{a="1", b="1"}: present at 6 of 6 times`,
			`only in push: test_a{a="2", b="2"}: present at 6 of 6 times`),
		Entry("one series cannot be the same as two",
			[]timeSeries{ts(always, "test_a", "a", "1")}, []timeSeries{ts(always, "test_a", "a", "2"), ts(always, "test_a", "a", "3")},
			`only in push: test_a{a="3"}: present at 6 of 6 times`,
			`labels differ: test_a{a="1"}: a: pull "1" push "2"`),
		Entry("two series cannot be the same as one",
			[]timeSeries{ts(always, "test_a", "a", "2"), ts(always, "test_a", "a", "3")}, []timeSeries{ts(always, "test_a", "a", "1")},
			`only in pull: test_a{a="3"}: present at 6 of 6 times`,
			`labels differ: test_a{a="2"}: a: pull "2" push "1"`),
		Entry("series of the same seed belong together",
			[]timeSeries{ts(always, "test_a", "job", "a", "seed", "one"), ts(always, "test_a", "job", "b", "seed", "two")},
			[]timeSeries{ts(always, "test_a", "instance", "i", "job", "c", "seed", "two"), ts(always, "test_a", "instance", "i", "job", "d", "seed", "one")},
			`labels differ: test_a{job="a", seed="one"}: instance: pull "" push "i", job: pull "a" push "d"`,
			`labels differ: test_a{job="b", seed="two"}: instance: pull "" push "i", job: pull "b" push "c"`),
		Entry("names that need quotes",
			[]timeSeries{ts(always, "test.a", "b.c", "1\n")}, []timeSeries{ts(always, "test.a", "b.c", "2")},
			`labels differ: {"test.a", "b.c"="1\n"}: "b.c": pull "1\n" push "2"`),

		Entry("value differs",
			[]timeSeries{ts(always, "test_a")}, []timeSeries{ts("1 1 1 2 3 1", "test_a")},
			"value differs: test_a: pull 1 push 2 at 12:03:00Z"),
		Entry("value differs in the last bit",
			[]timeSeries{ts(strings.Repeat("0.1 ", 6), "test_a")}, []timeSeries{ts(strings.Repeat("0.10000000000000002 ", 6), "test_a")},
			"value differs: test_a: pull 0.1 push 0.10000000000000002 at 12:01:00Z"),
		Entry("sign of zero",
			[]timeSeries{ts("0 0 0 0 0 0", "test_a")}, []timeSeries{ts("-0 -0 -0 -0 -0 -0", "test_a")},
			"value differs: test_a: pull 0 push -0 at 12:01:00Z"),
		Entry("NaN and infinity",
			[]timeSeries{ts("NaN NaN NaN NaN NaN NaN", "test_a"), ts("NaN NaN NaN NaN NaN NaN", "test_b"), ts(strings.Repeat("+Inf ", 6), "test_c")},
			[]timeSeries{ts("NaN NaN NaN NaN NaN NaN", "test_a"), ts("NaN 0 NaN NaN NaN NaN", "test_b"), ts(strings.Repeat("-Inf ", 6), "test_c")},
			"value differs: test_b: pull NaN push 0 at 12:01:00Z",
			"value differs: test_c: pull +Inf push -Inf at 12:01:00Z"),
		Entry("value that is not constant in pull, or only differs at the first or last time",
			[]timeSeries{ts("1 1 1 1 1 2", "test_a"), ts("1 1 1 1 1 _", "test_b"), ts(always, "test_c")},
			[]timeSeries{ts("7 7 7 7 7 7", "test_a"), ts("7 7 7 7 7 7", "test_b"), ts("7 1 1 1 1 7", "test_c")}),
		Entry("several differences of one series",
			[]timeSeries{ts(always, "test_a")}, []timeSeries{ts("1 _ 2 1 1 1", "test_a")},
			"value differs: test_a: pull 1 push 2 at 12:02:00Z",
			"staleness: missing in push: test_a: missing at 12:01:00Z"),
	)

	DescribeTable("intended differences",
		func(ctx SpecContext, pull, push []timeSeries, intended map[string]int, expected ...string) {
			report, differences := compareSeries(ctx, pull, push, parity.Options{})
			if len(expected) == 0 {
				Expect(differences).To(BeEmpty())
			} else {
				Expect(differences).To(Equal(expected))
			}
			if len(intended) == 0 {
				Expect(report.Intended).To(BeEmpty())
			} else {
				Expect(report.Intended).To(Equal(intended))
			}
		},
		Entry("foreign seed, stored under the sender's name",
			[]timeSeries{ts(always, "test_a", "seed", "foreign")},
			[]timeSeries{ts("7 7 7 7 7 7", "test_a", "seed", "one")},
			map[string]int{parity.ForeignSeed: 1}),
		Entry("foreign seed of several senders",
			[]timeSeries{ts(always, "test_a", "seed", "foreign")},
			[]timeSeries{ts(always, "test_a", "seed", "one"), ts(always, "test_a", "seed", "two")},
			map[string]int{parity.ForeignSeed: 1}),
		Entry("foreign seed beside the sender's own series",
			[]timeSeries{ts(always, "test_a", "seed", "foreign"), ts(always, "test_a", "seed", "one")},
			[]timeSeries{ts("1 _ 1 1 1 1", "test_a", "seed", "one")},
			map[string]int{parity.ForeignSeed: 1},
			`staleness: missing in push: test_a{seed="one"}: missing at 12:01:00Z`),
		Entry("foreign seed that push does not have",
			[]timeSeries{ts(always, "test_a", "seed", "foreign")},
			[]timeSeries{ts(always, "test_b", "seed", "one")}, nil,
			`only in pull: test_a{seed="foreign"}: present at 6 of 6 times`,
			`only in push: test_b{seed="one"}: present at 6 of 6 times`),
		Entry("foreign seed that push stores under another foreign name",
			[]timeSeries{ts(always, "test_a", "seed", "foreign")},
			[]timeSeries{ts(always, "test_a", "seed", "other")}, nil,
			`labels differ: test_a{seed="foreign"}: seed: pull "foreign" push "other"`),
		Entry("foreign seed that push stores under the foreign name and the sender's",
			[]timeSeries{ts(always, "test_a", "seed", "foreign")},
			[]timeSeries{ts(always, "test_a", "seed", "foreign"), ts(always, "test_a", "seed", "one")}, nil,
			`only in push: test_a{seed="one"}: present at 6 of 6 times`),
		Entry("seed of a sender, stored under another sender's name",
			[]timeSeries{ts(always, "test_a", "seed", "one")},
			[]timeSeries{ts(always, "test_a", "seed", "two")}, nil,
			`labels differ: test_a{seed="one"}: seed: pull "one" push "two"`),

		Entry("seed of the federation target",
			target(always, ""), target(always, "one"),
			map[string]int{parity.TargetSeed: 8}),
		Entry("seed of the federation target, with other differences",
			target(always, "")[:2], []timeSeries{target("0 0 0 0 0 0", "one")[0], target("1 1 _ 1 1 1", "one")[1]},
			map[string]int{parity.TargetSeed: 2},
			`staleness: missing in push: scrape_duration_seconds{instance="i", job="prometheus-aggregate", seed="one"}: missing at 12:02:00Z`,
			`value differs: up{instance="i", job="prometheus-aggregate", seed="one"}: pull 1 push 0 at 12:01:00Z`),
		Entry("federation target without a seed in push, too",
			target(always, ""), target(always, ""), nil),
		Entry("federation target with two seeds",
			target(always, "")[:1], append(target(always, "one")[:1], target(always, "two")[:1]...), nil,
			`only in push: up{instance="i", job="prometheus-aggregate", seed="two"}: present at 6 of 6 times`,
			`labels differ: up{instance="i", job="prometheus-aggregate"}: seed: pull "" push "one"`),
		Entry("federation target with a foreign seed",
			target(always, "")[:1], target(always, "foreign")[:1], nil,
			`labels differ: up{instance="i", job="prometheus-aggregate"}: seed: pull "" push "foreign"`),
		Entry("federation target with a seed that pull has as well",
			append(target(always, "")[:1], target(always, "one")[:1]...), target(always, "one")[:1], nil,
			`only in pull: up{instance="i", job="prometheus-aggregate"}: present at 6 of 6 times`),
		Entry("another metric of the job",
			[]timeSeries{ts(always, "test_a", "job", "prometheus-aggregate")},
			[]timeSeries{ts(always, "test_a", "job", "prometheus-aggregate", "seed", "one")}, nil,
			`labels differ: test_a{job="prometheus-aggregate"}: seed: pull "" push "one"`),
		Entry("target of another job",
			[]timeSeries{ts(always, "up", "job", "kubelet")},
			[]timeSeries{ts(always, "up", "job", "kubelet", "seed", "one")}, nil,
			`labels differ: up{job="kubelet"}: seed: pull "" push "one"`),
	)
})
