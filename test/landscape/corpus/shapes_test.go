// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"
	testclock "k8s.io/utils/clock/testing"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
)

var _ = Describe("Shapes", func() {
	var (
		text     string
		families map[string][]sample
	)

	BeforeEach(func() {
		exporter, err := corpus.NewExporter(corpus.Options{Seed: "my-seed"}, testclock.NewFakePassiveClock(time.Unix(1753000000, 0)))
		Expect(err).NotTo(HaveOccurred())
		text = string(scrape(exporter, ""))
		families = map[string][]sample{}
		for _, sample := range samples([]byte(text)) {
			name := sample.labels[model.MetricNameLabel]
			families[name] = append(families[name], sample)
		}
	})

	DescribeTable("a group of shapes in a family of its own",
		func(name string, expected ...string) {
			Expect(families).To(HaveKey("shoot:corpus:" + name))
			for _, series := range expected {
				Expect(text).To(ContainSubstring("\nshoot:corpus:" + name + series))
			}
		},
		Entry(nil, "plain", `{job="",instance=""} 1`, `{shape="neither job nor instance",job="",instance=""} `),
		Entry(nil, "target", `{shape="job and instance of the target"} `),
		Entry(nil, "job_and_instance", `{shape="own job and instance",job="kube-state-metrics",instance="10.0.0.1:8080"} `),
		Entry(nil, "job_only", `{shape="own job",job="cadvisor",instance=""} `),
		Entry(nil, "instance_only", `{shape="own instance",instance="10.0.0.2:9100",job=""} `),
		Entry(nil, "job_of_federation", `{shape="job and instance of federation",job="prometheus-aggregate",instance="prometheus-aggregate"} `),
		Entry(nil, "labels_underscores", `{shape="underscores",a__b="inside",a___b="three",trailing_="one",trailing__="two",`),
		Entry(nil, "labels_leading_underscore", `{shape="leading underscore",_leading="one",`, `{shape="key prefix",key_leading="`),
		Entry(nil, "labels_leading_underscores", `{shape="leading double underscore",__leading="two",`),
		Entry(nil, "labels_reserved", `{shape="double underscore on both sides",__reserved__="two",`),
		Entry(nil, "labels_case", `{shape="upper case",UPPER="A",upper="a",camelCase="aB",`),
		Entry(nil, "labels_digits", `{shape="digits",l0="0",l00="00",`),
		Entry(nil, "labels_many", `{shape="60 labels",label_00="value 0",`),
		Entry(nil, "le", `{shape="le on a gauge",le="0.5",`, `{shape="le on a gauge",le="1",`, `{shape="le on a gauge",le="1.0",`, `{shape="le on a gauge",le="+Inf",`),
		Entry(nil, "quantile", `{shape="quantile on a gauge",quantile="0.99",`, `{shape="quantile on a gauge",quantile="1",`, `{shape="quantile on a gauge",quantile="1.0",`),
		Entry(nil, "label_values_empty", `{shape="empty values",empty="",other="not empty",`),
		Entry(nil, "label_values_utf8", `{shape="UTF-8 values",value="größer als 日本語 🌱",`),
		Entry(nil, "label_values_escaped", `{shape="quote in a value",quote="say \"hi\"",`, `{shape="backslash in a value",backslash="C:\\temp\\n",`, `{shape="newline in a value",newline="first\nsecond",`),
		Entry(nil, "label_values_space", `{shape="spaces in values",both=" both sides ",only=" ",`),
		Entry(nil, "label_values_syntax", `{shape="templates in values",dollar="$1 ${2} $$",environment="${HOME} ${env:HOME}",`),
		Entry(nil, "label_values_typed", `{shape="numbers and booleans as values",float="1.0",exponent="1e3",bool="true",`),
		Entry(nil, "label_values_long", `{shape="long value",long="0123456789abcdef`),
		Entry(nil, "seed_own", `{shape="own seed",seed="my-seed",`),
		Entry(nil, "seed_foreign", `{shape="foreign seed",seed="corpus-foreign-seed",`),
		Entry(nil, "seed_empty", `{shape="empty seed",seed="",`),
		Entry(nil, "shoot_alertname", `{shape="own shoot_alertname",shoot_alertname="KubePodNotReady",alertname="Outer",`, `{shape="shoot_alertname without alertname",shoot_alertname="KubePodNotReady",job`),
		Entry(nil, "exported_labels", `{shape="exported labels",exported_job="kubelet",exported_instance="10.0.0.5",exported_seed="inner",`),
		Entry(nil, "external_labels", `{shape="external labels of Prometheus",prometheus="garden/aggregate",prometheus_replica="`),
		Entry(nil, "otel_scope", `{shape="name of a scope",otel_scope_name="github.com/example/library",job=`, `{shape="version of a scope",otel_scope_version="v1.2.3",job=`,
			`{shape="schema of a scope",otel_scope_schema_url="https://opentelemetry.io/schemas/1.21.0",job=`, `{shape="attribute of a scope",otel_scope_anything="something",job=`,
			`{shape="all of a scope",otel_scope_name="github.com/example/library",otel_scope_version="v1.2.3",otel_scope_schema_url="https://opentelemetry.io/schemas/1.21.0",otel_scope_anything="something",`),
		Entry(nil, "label_target_info", `{shape="label target_info",target_info="1",`),
		Entry(nil, "resource_attributes", `{shape="names of resource attributes",service_name="a",service_instance_id="b",service_namespace="c",`),
		Entry(nil, "values", `{shape="NaN",job="",instance=""} NaN`, `{shape="+Inf",job="",instance=""} +Inf`, `{shape="-Inf",job="",instance=""} -Inf`,
			`{shape="denormal",job="",instance=""} 5e-324`, fmt.Sprintf(`{shape="largest",job="",instance=""} %v`, math.MaxFloat64)),
	)

	It("should have every shape of a group in the families for all shapes, with the same value", func() {
		shapes := func(name string) []string {
			var all []string
			for _, sample := range families[name] {
				delete(sample.labels, model.MetricNameLabel)
				all = append(all, fmt.Sprint(sample.labels, sample.value))
			}
			return all
		}
		var ofGroups []string
		for name := range families {
			if strings.HasPrefix(name, "shoot:corpus:") && !slices.Contains([]string{"shapes", "values", "rising_total", "target_info", "otel_scope_info"}, strings.TrimPrefix(name, "shoot:corpus:")) {
				ofGroups = append(ofGroups, shapes(name)...)
			}
		}
		Expect(len(ofGroups)).To(BeNumerically(">", 60))
		Expect(shapes("shoot:corpus:shapes")).To(ConsistOf(ofGroups))
		Expect(shapes("seed:corpus_shapes:count")).To(ConsistOf(ofGroups))
	})

	DescribeTable("series that differ in one label only",
		func(name, shape, label string, expected ...string) {
			var values []string
			others := map[string]bool{}
			for _, sample := range families["shoot:corpus:"+name] {
				if sample.labels["shape"] != shape {
					continue
				}
				values = append(values, sample.labels[label])
				other := maps.Clone(sample.labels)
				delete(other, label)
				others[fmt.Sprint(other)] = true
			}
			Expect(values).To(ConsistOf(expected))
			Expect(others).To(HaveLen(1))
		},
		Entry("instance", "instances", "differs in instance", "instance", "10.0.0.3:9100", "10.0.0.4:9100", ""),
		Entry("instance, without a job", "instances", "differs in instance, without job", "instance", "10.0.0.3:9100", "10.0.0.4:9100", ""),
		Entry("job", "jobs", "differs in job", "job", "node-exporter", "cadvisor", ""),
		Entry("job, without an instance", "jobs", "differs in job, without instance", "job", "node-exporter", "cadvisor", ""),
		Entry("name of the scope", "otel_scope", "differs in the name of the scope", "otel_scope_name", "github.com/example/library", "github.com/example/another", ""),
		Entry("version of the scope", "otel_scope", "differs in the version of the scope", "otel_scope_version", "v1.2.3", "v1.2.4"),
	)

	It("should have names that a translation could change or take for its own", func() {
		for _, name := range []string{
			"seed:with:several:colons:count", "seed::count:count", "shoot::b:c::d",
			"seed:target_info:count", "seed:otel_scope_info:count", "shoot:target_info:sum", "shoot:otel_scope_info:sum", "shoot:corpus:target_info", "shoot:corpus:otel_scope_info",
			"shoot:foo:rate_total", "shoot:foo:rate_total_total", "shoot:foo:latency_bucket", "shoot:foo:latency_sum", "shoot:foo:latency_count", "shoot:foo:build_info", "shoot:foo:build_created",
			"shoot:foo:uptime_seconds", "shoot:foo:size_bytes", "shoot:foo:size_ratio", "shoot:foo:usage_percent",
		} {
			Expect(families).To(HaveKey(name))
		}
	})

	It("should have alerts with and without a name", func() {
		var named, nameless int
		for _, sample := range families["ALERTS"] {
			if sample.labels["alertname"] == "" {
				nameless++
			} else {
				named++
			}
		}
		Expect(named).To(BeNumerically(">", 0))
		Expect(nameless).To(Equal(2))
	})

	It("should have a series with 60 labels and one with a value of 2 KB", func() {
		many, long := families["shoot:corpus:labels_many"], families["shoot:corpus:label_values_long"]
		Expect(many).To(HaveLen(1))
		// The name, job and instance do not count.
		Expect(many[0].labels).To(HaveLen(60 + 3))
		Expect(long).To(HaveLen(1))
		Expect(long[0].labels).To(HaveKeyWithValue("long", HaveLen(2048)))
	})
})
