// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package validation_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/validation"
)

var _ = Describe("Selectors", func() {
	validate := func(selector string) field.ErrorList {
		cfg := defaulted(&v1alpha1.SeedFederationConfig{}, &config.SeedFederationConfig{})
		cfg.Selectors = []string{selector}

		return ValidateSeedFederationConfig(cfg, rootPath)
	}

	DescribeTable("valid",
		func(selector string) {
			Expect(validate(selector)).To(BeEmpty())
		},
		Entry("name", `up`),
		Entry("name with colons", `seed:usage:sum_by_pod`),
		Entry("keyword that is a name", `sum`),
		Entry("name and empty matchers", `up{}`),
		Entry("name and matchers", `up{job="gardenlet",instance!=""}`),
		Entry("spaces", " up { job = \"gardenlet\" ,\n\tinstance != '' } "),
		Entry("trailing comma", `{job="gardenlet",}`),
		Entry("regular expressions as Gardener has them", `{__name__=~"shoot:(.+):(.+)",__name__!="shoot:apiserver_storage_objects:sum_by_resource"}`),
		Entry("braces, commas and quotes in a string", `{a="}{,\"'"}`),
		Entry("single quotes", `{a='b"\''}`),
		Entry("back quotes", "{a=~`b\\.\"'`}"),
		Entry("quantifier", `{a=~"b{2}"}`),
		Entry("escapes", `{a="\x41\u00e4\n\\"}`),
		Entry("empty value beside another matcher", `{a="",b!=""}`),
		Entry("negative regular expression that excludes the empty string", `{a!~"|b"}`),
		Entry("quoted name", `{"my.metric"}`),
		Entry("quoted label", `{"my.label"="a"}`),
	)

	DescribeTable("invalid",
		func(selector, detail string) {
			Expect(validate(selector)).To(all(failure(field.ErrorTypeInvalid, "selectors[0]", detail)))
		},
		Entry("empty", ``, "it is empty"),
		Entry("blank", ` `, "it is empty"),
		Entry("no name and no matcher", `{}`, "at least one matcher must not match the empty string"),
		Entry("only an empty value", `{a=""}`, "at least one matcher"),
		Entry("only an inequality", `{a!="b"}`, "at least one matcher"),
		Entry("only a regular expression for everything", `{__name__=~".*"}`, "at least one matcher"),
		Entry("only a negative regular expression", `{a!~"b"}`, "at least one matcher"),
		Entry("number", `1up`, `unexpected "1up"`),
		Entry("number that looks like a name", `NaN`, "reserved word"),
		Entry("reserved word", `on`, "reserved word"),
		Entry("comment", "up # a", `unexpected "# a"`),
		Entry("no UTF-8", "{a=\"\xff\"}", "no valid UTF-8"),
		Entry("range", `up[5m]`, `unexpected "[5m]"`),
		Entry("offset", `up offset 5m`, `unexpected "offset 5m"`),
		Entry("function", `rate(up[5m])`, `unexpected "(up[5m])"`),
		Entry("expression", `up == 1`, `unexpected "== 1"`),
		Entry("two selectors", `{a="b"}{c="d"}`, `unexpected "{c=\"d\"}"`),
		Entry("closing brace missing at once", `{`, "closing brace is missing"),
		Entry("closing brace missing after a matcher", `{a="b"`, "closing brace is missing"),
		Entry("closing brace missing after a comma", `{a="b",`, "closing brace is missing"),
		Entry("closing brace too many", `up}`, `unexpected "}"`),
		Entry("comma missing", `{a="b" c="d"}`, "expected a comma or the closing brace"),
		Entry("comma only", `{,}`, "expected a label"),
		Entry("label missing", `{="b"}`, "expected a label"),
		Entry("label with a colon", `{a:b="c"}`, "an operator (=, !=, =~, !~) is missing"),
		Entry("empty quoted name", `{""}`, "must not be empty"),
		Entry("operator missing", `{a}`, "an operator (=, !=, =~, !~) is missing"),
		Entry("unknown operator", `{a=="b"}`, "quotes are missing"),
		Entry("value without quotes", `{a=b}`, "quotes are missing"),
		Entry("value missing", `{a=`, "quotes are missing"),
		Entry("closing quote missing", `{a="b}`, "closing quote is missing"),
		Entry("closing back quote missing", "{a=`b}", "closing quote is missing"),
		Entry("line break in a string", "{a=\"b\n\"}", "closing quote is missing on the line"),
		Entry("invalid escape", `{a=~"b\.c"}`, "an escape sequence is invalid"),
		Entry("invalid regular expression", `{a=~"("}`, "no regular expression"),
		Entry("regular expression that ends the group around it", `{a=~"b)(c"}`, "no regular expression"),
		Entry("name twice", `up{__name__="up"}`, "must not be set twice"),
		Entry("name twice, quoted", `up{"up"}`, "must not be set twice"),
	)
})
