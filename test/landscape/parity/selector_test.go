// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

const lookBack = `the regular expression of its name cannot be used behind a prefix: ^, \A, \b and \B look at what is before them: leave them out, Prometheus anchors all regular expressions`

var _ = Describe("Selectors with a prefix", func() {
	DescribeTable("should select the same series, on the side that is pushed to with the prefix, and on the other one without those that have it",
		func(ctx SpecContext, selector, pulled, pushed string) {
			pull, push := newFakePrometheus(), newFakePrometheus()
			_, err := compare(ctx, pull, push, parity.Options{PushPrefix: "shadow:", Selectors: []string{selector}, Seeds: []string{"one"}, IgnoreExtraNames: true})
			Expect(err).To(MatchError(ContainSubstring("has no series at all")), "neither has an answer to these queries")
			Expect(push.queries).To(HaveExactElements(pushed))
			Expect(pull.queries).To(HaveExactElements(pulled))
		},
		Entry("name", `up`,
			`{__name__="up",__name__!~"shadow:.*"}`, `{__name__="shadow:up"}`),
		Entry("name and no matchers", ` seed:a:b { } `,
			`{__name__="seed:a:b",__name__!~"shadow:.*"}`, `{__name__="shadow:seed:a:b"}`),
		Entry("name and matchers", "up{job=\"a\" ,\n\tinstance!~'b|c',}",
			`{__name__="up",job="a",instance!~"b|c",__name__!~"shadow:.*"}`, `{__name__="shadow:up",job="a",instance!~"b|c"}`),
		Entry("quoted name", `{"seed:foo bar", a="b"}`,
			`{__name__="seed:foo bar",a="b",__name__!~"shadow:.*"}`, `{__name__="shadow:seed:foo bar",a="b"}`),
		Entry("quoted name at the end", `{a="b","seed.foo"}`,
			`{a="b",__name__="seed.foo",__name__!~"shadow:.*"}`, `{a="b",__name__="shadow:seed.foo"}`),
		Entry("quoted name and another matcher of it", `{"a",__name__!="b"}`,
			`{__name__="a",__name__!="b",__name__!~"shadow:.*"}`, `{__name__="shadow:a",__name__!="shadow:b"}`),
		Entry("quoted labels", `{"b.c"="1", "__name__"="a", "d"=~"2"}`,
			`{"b.c"="1",__name__="a",d=~"2",__name__!~"shadow:.*"}`, `{"b.c"="1",__name__="shadow:a",d=~"2"}`),

		Entry("=", `{__name__="a"}`,
			`{__name__="a",__name__!~"shadow:.*"}`, `{__name__="shadow:a"}`),
		Entry("=~", `{__name__=~"seed:(.+):count"}`,
			`{__name__=~"seed:(.+):count",__name__!~"shadow:.*"}`, `{__name__=~"shadow:(?:seed:(.+):count)"}`),
		Entry("=~ with alternatives and flags", `{__name__=~"up|(?i)scrape_.+"}`,
			`{__name__=~"up|(?i)scrape_.+",__name__!~"shadow:.*"}`, `{__name__=~"shadow:(?:up|(?i)scrape_.+)"}`),
		Entry("=~ with an end of its own", `{__name__=~"a$|[^b]"}`,
			`{__name__=~"a$|[^b]",__name__!~"shadow:.*"}`, `{__name__=~"shadow:(?:a$|[^b])"}`),
		Entry("!= and !~ besides =~", `{__name__=~"a.+",__name__!="ab",__name__!~"ac|ad"}`,
			`{__name__=~"a.+",__name__!="ab",__name__!~"ac|ad",__name__!~"shadow:.*"}`, `{__name__=~"shadow:(?:a.+)",__name__!="shadow:ab",__name__!~"shadow:(?:ac|ad)"}`),
		Entry("!= only", `{__name__!="a",seed="one"}`,
			`{__name__!="a",seed="one",__name__!~"shadow:.*"}`, `{__name__!="shadow:a",seed="one",__name__=~"shadow:.*"}`),
		Entry("!~ only", `{seed="one",__name__!~"a|b"}`,
			`{seed="one",__name__!~"a|b",__name__!~"shadow:.*"}`, `{seed="one",__name__!~"shadow:(?:a|b)",__name__=~"shadow:.*"}`),
		Entry("no matcher of the name", `{seed="one"}`,
			`{seed="one",__name__!~"shadow:.*"}`, `{seed="one",__name__=~"shadow:.*"}`),

		Entry("quotes, escapes and braces in strings", `{a="\"},\\\x41\u00e4ä",b='\'"',c=`+"`\\d\"'`"+`,__name__=~"a\\.b"}`,
			`{a="\"},\\Aää",b="'\"",c="\\d\"'",__name__=~"a\\.b",__name__!~"shadow:.*"}`, `{a="\"},\\Aää",b="'\"",c="\\d\"'",__name__=~"shadow:(?:a\\.b)"}`),
	)

	DescribeTable("should not take what is no selector",
		func(selector, expected string) {
			o := parity.Options{PushPrefix: "shadow:", Selectors: []string{selector}}
			Expect(o.Validate()).To(MatchError(HaveSuffix(": " + expected)))
			o.PushPrefix = ""
			Expect(o.Validate()).To(Succeed(), "without a prefix it is left to Prometheus")
		},
		Entry("nothing", ` `, `it has neither a name nor a matcher`),
		Entry("no matcher", `{}`, `it has neither a name nor a matcher`),
		Entry("expression", `up or down`, `expected nothing more at "or down"`),
		Entry("range", `up{a="b"}[5m]`, `expected nothing more at "[5m]"`),
		Entry("comment", `up # all`, `expected nothing more at "# all"`),
		Entry("number", `1`, `expected nothing more at "1"`),
		Entry("two names", `up{__name__!="a"}`, `the name is given twice, before the braces and in them`),
		Entry("two names, one in quotes", `up{"down"}`, `the name is given twice, before the braces and in them`),
		Entry("open brace", `{a="b"`, `expected a comma or the closing brace at its end`),
		Entry("open brace after a comma", `{a="b",`, `expected a label at its end`),
		Entry("comma only", `{,}`, `expected a label at ",}"`),
		Entry("no comma", `{a="b" c="d"}`, `expected a comma or the closing brace at "c=\"d\"}"`),
		Entry("no operator", `{a}`, `expected an operator at "}"`),
		Entry("wrong operator", `{a<"b"}`, `expected an operator at "<\"b\"}"`),
		Entry("no operator after quotes", `{"a" "b"}`, `expected an operator at "\"b\"}"`),
		Entry("no quotes", `{a=b}`, `expected a value in quotes at "b}"`),
		Entry("open quote", `{a="b}`, `expected a valid string at "\"b}"`),
		Entry("open back quote", "{a=`b}", "expected a valid string at \"`b}\""),
		Entry("wrong escape", `{a="\d"}`, `expected a valid string at "\"\\d\"}"`),
		Entry("line break in quotes", "{a=\"b\n\"}", `expected a valid string at "\"b\n\"}"`),
		Entry("regular expression that is none", `{__name__=~"a("}`, "the regular expression of its name cannot be used behind a prefix: error parsing regexp: missing closing ): `a(`"),
		Entry("regular expression that is one only in parentheses", `{__name__!~"a)|(?:b"}`, "the regular expression of its name cannot be used behind a prefix: error parsing regexp: unexpected ): `a)|(?:b`"),
		Entry("regular expression that is none in parentheses", `{__name__=~"\\Qa"}`, "the regular expression of its name cannot be used behind a prefix: error parsing regexp: missing closing ): `(?:\\Qa)`"),
		Entry("regular expression with ^", `{__name__=~"^a$"}`, lookBack),
		Entry("regular expression with ^ in an alternative", `{__name__=~"a|(b|^c)+"}`, lookBack),
		Entry("regular expression with ^ of a line", `{__name__=~"(?m)^a"}`, lookBack),
		Entry("regular expression with the beginning of the text", `{__name__=~"\\Aa"}`, lookBack),
		Entry("regular expression with a word boundary", `{__name__=~"\\ba"}`, lookBack),
		Entry("regular expression with no word boundary", `{__name__=~"a\\Bb"}`, lookBack),
		Entry("other regular expression with ^", `{__name__=~"a",__name__!~"^b"}`, lookBack),
	)

	It("should know all default selectors", func(ctx SpecContext) {
		pull, push := newFakePrometheus(), newFakePrometheus()
		push.seedsQuery = shadowSeedsQuery
		DeferCleanup(pull.Close)
		DeferCleanup(push.Close)
		_, err := parity.Compare(ctx, pull.prometheus("a"), push.prometheus("b"), parity.Options{PushPrefix: "shadow:"})
		Expect(err).To(MatchError(ContainSubstring("has no series at all")))

		Expect(pull.queries).To(HaveLen(17))
		Expect(pull.queries).To(HaveEach(ContainSubstring(`,__name__!~"shadow:.*"}`)))
		Expect(push.queries).To(HaveLen(18))
		Expect(push.queries).To(HaveEach(MatchRegexp(`\{__name__=~?"shadow:`)))
		Expect(push.queries).To(ContainElements(
			shadowSeedsQuery,
			`{__name__=~"shadow:(?:shoot:(.+):(.+))",__name__!="shadow:shoot:apiserver_storage_objects:sum_by_resource",__name__!="shadow:shoot:apiserver_watch_duration:quantile"}`,
			`{__name__="shadow:ALERTS"}`,
			`{__name__=~"shadow:(?:up|scrape_.+)",job="prometheus-aggregate"}`,
		))
		Expect(landscape.Selectors()).To(HaveLen(14))
	})
})
