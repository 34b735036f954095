// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"
)

var _ = Describe("Data", func() {
	samples := func(values ...float64) []model.SamplePair {
		var pairs []model.SamplePair
		for i := 0; i < len(values); i += 2 {
			pairs = append(pairs, model.SamplePair{Timestamp: model.Time(1000 * values[i]), Value: model.SampleValue(values[i+1])})
		}
		return pairs
	}

	DescribeTable("what is connected", func(pairs []model.SamplePair, expected [][]point) {
		Expect(split(pairs, 2*time.Second)).To(Equal(expected))
	},
		Entry("nothing", nil, nil),
		Entry("samples without a gap", samples(2, 1, 4, 2, 6, 3), [][]point{{{2, 1}, {4, 2}, {6, 3}}}),
		Entry("samples with a gap", samples(2, 1, 4, 2, 8, 3), [][]point{{{2, 1}, {4, 2}}, {{8, 3}}}),
		Entry("what is no number", samples(2, 1, 4, math.NaN(), 6, 3, 8, math.Inf(1)), [][]point{{{2, 1}}, {{6, 3}}}),
	)

	It("should take the panel whose rates began last, and no others", func() {
		of := func(expr string, ends ...float64) graph {
			g := graph{panel: panel{Targets: []query{{Expr: expr}}}}
			for _, end := range ends {
				g.series = append(g.series, series{parts: [][]point{{{0, 1}, {end, 1}}}})
			}
			return g
		}
		Expect(spanOfRates([]graph{of("up", 5), of("rate(a[1m])", 20, 30), of("rate(b[1m])", 40), of("rate(c[1m])")})).To(Equal(30 * time.Second))
		Expect(spanOfRates([]graph{of("up", 5), of("rate(c[1m])")})).To(BeZero())
	})
})
