// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Dashboard", func() {
	It("should read the panels that can be drawn, and say why others cannot", func() {
		d, skipped, err := readDashboard(strings.NewReader(`{"title": "My Dashboard", "panels": [
			{"type": "row", "title": "A row"},
			{"type": "graph", "title": "A", "yaxes": [{"format": "s"}, {"format": "s"}], "targets": [{"expr": "a", "legendFormat": "{{pod}}"}]},
			{"type": "stat", "title": "B", "targets": [{"expr": "b"}]},
			{"type": "graph", "title": "C", "targets": []}
		]}`))
		Expect(err).NotTo(HaveOccurred())
		Expect(d).To(Equal(&dashboard{Title: "My Dashboard", Panels: []panel{
			{Type: "graph", Title: "A", Axes: []axis{{Format: "s"}, {Format: "s"}}, Targets: []query{{Expr: "a", Legend: "{{pod}}"}}},
		}}))
		Expect(skipped).To(Equal([]string{`B (panels of type "stat" are not drawn)`, "C (it has no queries)"}))
	})

	DescribeTable("what is refused", func(json, message string) {
		_, _, err := readDashboard(strings.NewReader(json))
		Expect(err).To(MatchError(ContainSubstring(message)))
	},
		Entry("no JSON", "{", "this is no dashboard of Plutono: "),
		Entry("no panels", "{}", "the dashboard has no panel that can be drawn"),
		Entry("a variable", `{"panels": [{"type": "graph", "title": "A", "targets": [{"expr": "rate(a[$__rate_interval])"}]}]}`,
			`panel "A": query "rate(a[$__rate_interval])" has the variable __rate_interval, but variables of Plutono are not supported`),
		Entry("a variable in braces", `{"panels": [{"type": "graph", "title": "A", "targets": [{"expr": "a{seed=\"${seed:regex}\"}"}]}]}`, `has the variable seed,`),
		Entry("a variable in brackets", `{"panels": [{"type": "graph", "title": "A", "targets": [{"expr": "a{seed=\"[[seed]]\"}"}]}]}`, `has the variable seed,`),
	)

	It("should take neither ends of regular expressions nor groups for variables", func() {
		_, _, err := readDashboard(strings.NewReader(
			`{"panels": [{"type": "graph", "targets": [{"expr": "label_replace(a{b=~\"^c$\"}, \"d\", \"$1\", \"b\", \"(.+)$\")"}]}]}`))
		Expect(err).NotTo(HaveOccurred())
	})

	DescribeTable("names of series", func(legend, expected string) {
		Expect(query{Legend: legend}.name(map[string]string{"seed": "local", "state": "Push"}, `{seed="local", state="Push"}`)).To(Equal(expected))
	},
		Entry("labels", "{{seed}}: {{ state }}", "local: Push"),
		Entry("text only", "denied seeds", "denied seeds"),
		Entry("a label that is missing", "{{pod}} of {{seed}}", "pod of local"),
		Entry("no legend", "", `{seed="local", state="Push"}`),
	)
})
