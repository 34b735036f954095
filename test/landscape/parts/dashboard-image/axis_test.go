// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"gonum.org/v1/plot"
)

var _ = Describe("Axis", func() {
	labels := func(ticks []plot.Tick) []string {
		var texts []string
		for _, tick := range ticks {
			texts = append(texts, tick.Label)
		}
		return texts
	}

	DescribeTable("values with units", func(value float64, unit, expected string) { Expect(format(value, unit)).To(Equal(expected)) },
		Entry("nothing", 0.0, "bytes", "0"),
		Entry("a count", 1500.0, "short", "1.5 k"),
		Entry("less than one", 0.1+0.2, "short", "0.3"),
		Entry("a part", 0.000125, "percentunit", "0.0125 %"),
		Entry("bytes", 96.0*1024*1024, "bytes", "96 MiB"),
		Entry("bytes per second", 2500.0, "Bps", "2.5 kB/s"),
		Entry("samples per second", 12000.0, "cps", "12 k/s"),
		Entry("requests per second", 0.5, "reqps", "0.5 req/s"),
		Entry("milliseconds", 0.25, "s", "250 ms"),
		Entry("seconds", 59.0, "s", "59 s"),
		Entry("minutes", 90.0, "s", "1.5 min"),
		Entry("days", 7*24*3600.0, "s", "7 d"),
		Entry("a debt", -1500.0, "cps", "-1.5 k/s"),
		Entry("an unknown unit", 3.0, "furlongs", "3"),
	)

	DescribeTable("ticks of values", func(lowest, highest float64, unit string, expected ...string) {
		Expect(labels(valueTicks(lowest, highest, unit))).To(Equal(expected))
	},
		Entry("begin at 0", 1900.0, 2100.0, "short", "0", "500", "1 k", "1.5 k", "2 k", "2.5 k"),
		Entry("end at the highest value", 0.0, 1.0, "short", "0", "0.2", "0.4", "0.6", "0.8", "1"),
		Entry("only zeros", 0.0, 0.0, "percentunit", "0 %", "20 %", "40 %", "60 %", "80 %", "100 %"),
		Entry("negative values", -3.0, 5.0, "short", "-4", "-2", "0", "2", "4", "6"),
		Entry("powers of two", 0.0, 150.0*1024*1024, "bytes", "0", "32 MiB", "64 MiB", "96 MiB", "128 MiB", "160 MiB"),
		Entry("times", 0.0, 7*24*3600.0, "s", "0", "2 d", "4 d", "6 d", "8 d"),
		Entry("short times", 0.0, 0.012, "s", "0", "2.5 ms", "5 ms", "7.5 ms", "10 ms", "12.5 ms"),
	)

	DescribeTable("ticks of times", func(start, end float64, expected ...string) {
		Expect(labels(timeTicks(start, end))).To(Equal(expected))
	},
		Entry("five minutes", 1800000010.0, 1800000310.0, "08:01", "08:02", "08:03", "08:04", "08:05"),
		Entry("a minute", 1800000002.5, 1800000062.5, "08:00:10", "08:00:20", "08:00:30", "08:00:40", "08:00:50", "08:01:00"),
	)
})
