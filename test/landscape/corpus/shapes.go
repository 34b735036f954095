// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// shapeGroup are shapes that can break together, but independently of those in other groups.
type shapeGroup struct {
	name   string
	series []Series
}

// shapeFamilies are families in which each series has a shape of its own: one for each group, so that its name tells what
// broke, and two for all shapes, under names of two selectors.
func shapeFamilies(options Options) []Family {
	var (
		families []Family
		all      []Series
	)
	for _, group := range slices.Concat(targetGroups(), labelNameGroups(), labelValueGroups(), gardenerGroups(options), openTelemetryGroups()) {
		for i := range group.series {
			group.series[i].Value = float64(len(all) + 1)
			all = append(all, group.series[i])
		}
		families = append(families, gauges("shoot:corpus:"+group.name, group.series...))
	}
	return append(families,
		gauges("seed:corpus_shapes:count", all...),
		untyped("shoot:corpus:shapes", all...),
		gauges("shoot:corpus:values", values()...),
	)
}

// shape makes a series that says what is special about it.
func shape(description string, namesAndValues ...string) Series {
	return series(0, append([]string{labelShape, description}, namesAndValues...)...)
}

// targetGroups are shapes of job and instance.
func targetGroups() []shapeGroup {
	const one, another = "10.0.0.3:9100", "10.0.0.4:9100"
	return []shapeGroup{
		{"plain", []Series{series(0), shape("neither job nor instance")}},
		{"target", []Series{withTargetLabels(0, labelShape, "job and instance of the target")}},
		{"job_and_instance", []Series{shape("own job and instance", labelJob, "kube-state-metrics", labelInstance, "10.0.0.1:8080")}},
		{"job_only", []Series{shape("own job", labelJob, "cadvisor"), shape("job of federation", labelJob, aggregateJob)}},
		{"instance_only", []Series{shape("own instance", labelInstance, "10.0.0.2:9100")}},
		{"job_of_federation", []Series{shape("job and instance of federation", labelJob, aggregateJob, labelInstance, aggregateJob)}},
		{"instances", []Series{
			shape("differs in instance", labelJob, "node-exporter", labelInstance, one),
			shape("differs in instance", labelJob, "node-exporter", labelInstance, another),
			shape("differs in instance", labelJob, "node-exporter"),
			shape("differs in instance, without job", labelInstance, one),
			shape("differs in instance, without job", labelInstance, another),
			shape("differs in instance, without job"),
		}},
		{"jobs", []Series{
			shape("differs in job", labelInstance, one, labelJob, "node-exporter"),
			shape("differs in job", labelInstance, one, labelJob, "cadvisor"),
			shape("differs in job", labelInstance, one),
			shape("differs in job, without instance", labelJob, "node-exporter"),
			shape("differs in job, without instance", labelJob, "cadvisor"),
			shape("differs in job, without instance"),
		}},
	}
}

// labelNameGroups are shapes of the names and the number of labels.
func labelNameGroups() []shapeGroup {
	return []shapeGroup{
		{"labels_underscores", []Series{shape("underscores", "a__b", "inside", "a___b", "three", "trailing_", "one", "trailing__", "two")}},
		{"labels_leading_underscore", []Series{
			shape("leading underscore", "_leading", "one"),
			shape("leading underscore before a digit", "_1", "1"),
			shape("key prefix", "key_leading", "as a translation would name it"),
		}},
		{"labels_leading_underscores", []Series{shape("leading double underscore", "__leading", "two")}},
		{"labels_reserved", []Series{shape("double underscore on both sides", "__reserved__", "two")}},
		{"labels_case", []Series{shape("upper case", "UPPER", "A", "upper", "a", "camelCase", "aB")}},
		{"labels_digits", []Series{shape("digits", "l0", "0", "l00", "00")}},
		{"labels_many", []Series{manyLabels()}},
		{"le", []Series{
			shape("le on a gauge", "le", "0.5"),
			shape("le on a gauge", "le", "+Inf"),
			shape("le on a gauge", "le", "1e+06"),
			shape("le on a gauge", "le", "1"),
			shape("le on a gauge", "le", "1.0"),
			shape("le that is not a number", "le", "low"),
			shape("le and quantile on a gauge", "le", "0.5", "quantile", "0.5"),
		}},
		{"quantile", []Series{
			shape("quantile on a gauge", "quantile", "0.99"),
			shape("quantile on a gauge", "quantile", "1"),
			shape("quantile on a gauge", "quantile", "1.0"),
			shape("quantile that is not a number", "quantile", "p99"),
		}},
	}
}

// labelValueGroups are shapes of the values of labels.
func labelValueGroups() []shapeGroup {
	return []shapeGroup{
		{"label_values_empty", []Series{shape("empty values", "empty", "", "other", "not empty")}},
		{"label_values_utf8", []Series{shape("UTF-8 values", "value", "größer als 日本語 🌱", "combining", "e\u0301")}},
		{"label_values_escaped", []Series{
			shape("quote in a value", "quote", `say "hi"`),
			shape("backslash in a value", "backslash", `C:\temp\n`),
			shape("newline in a value", "newline", "first\nsecond"),
			shape("all escapes in a value", "all", "\"\\\n\\n\\\\\"\\\""),
		}},
		{"label_values_space", []Series{
			shape("spaces in values", "both", " both sides ", "only", " "),
			shape("other white space in values", "tab", "a\tb", "cr", "a\rb", "crlf", "a\r\nb", "nbsp", "a\u00a0b"),
		}},
		{"label_values_syntax", []Series{
			shape("syntax in values", "braces", `{a="b"}`, "comma", "a,b", "hash", "# TYPE x gauge", "html", "<a href='b'>&amp;</a>"),
			shape("templates in values", "dollar", "$1 ${2} $$", "environment", "${HOME} ${env:HOME}", "template", "{{ $labels.job }}"),
		}},
		{"label_values_typed", []Series{shape("numbers and booleans as values", "float", "1.0", "exponent", "1e3", "bool", "true", "null", "null", "octal", "007")}},
		{"label_values_long", []Series{shape("long value", "long", strings.Repeat("0123456789abcdef", 128))}},
	}
}

// gardenerGroups are shapes of labels that federation in Gardener treats in a way of its own.
func gardenerGroups(options Options) []shapeGroup {
	return []shapeGroup{
		{"seed_own", []Series{shape("own seed", labelSeed, options.Seed)}},
		{"seed_foreign", []Series{shape("foreign seed", labelSeed, "corpus-foreign-seed")}},
		{"seed_empty", []Series{shape("empty seed", labelSeed, "")}},
		{"shoot_alertname", []Series{
			shape("alertname", labelAlertName, "Outer"),
			shape("own shoot_alertname", "shoot_alertname", "KubePodNotReady", labelAlertName, "Outer"),
			shape("shoot_alertname without alertname", "shoot_alertname", "KubePodNotReady"),
		}},
		{"exported_labels", []Series{
			shape("exported labels", "exported_job", "kubelet", "exported_instance", "10.0.0.5", "exported_seed", "inner"),
			shape("exported labels beside those of the target", "exported_job", "kubelet", labelJob, "cadvisor", "exported_instance", "10.0.0.5", labelInstance, "10.0.0.6"),
		}},
		{"external_labels", []Series{shape("external labels of Prometheus", "prometheus", "garden/aggregate", "prometheus_replica", "prometheus-aggregate-0")}},
	}
}

// openTelemetryGroups are shapes of labels that a translation to or from OpenTelemetry takes for its own.
func openTelemetryGroups() []shapeGroup {
	const name, version, schemaURL, attribute = "otel_scope_name", "otel_scope_version", "otel_scope_schema_url", "otel_scope_anything"
	const library, schema = "github.com/example/library", "https://opentelemetry.io/schemas/1.21.0"
	return []shapeGroup{
		{"otel_scope", []Series{
			shape("name of a scope", name, library),
			shape("version of a scope", version, "v1.2.3"),
			shape("schema of a scope", schemaURL, schema),
			shape("attribute of a scope", attribute, "something"),
			shape("all of a scope", name, library, version, "v1.2.3", schemaURL, schema, attribute, "something"),
			shape("differs in the name of the scope", name, library, version, "v1.2.3"),
			shape("differs in the name of the scope", name, "github.com/example/another", version, "v1.2.3"),
			shape("differs in the name of the scope", version, "v1.2.3"),
			shape("differs in the version of the scope", name, library, version, "v1.2.3"),
			shape("differs in the version of the scope", name, library, version, "v1.2.4"),
		}},
		{"label_target_info", []Series{shape("label target_info", "target_info", "1"), shape("label otel_scope_info", "otel_scope_info", "1")}},
		{"resource_attributes", []Series{
			shape("names of resource attributes", "service_name", "a", "service_instance_id", "b", "service_namespace", "c"),
			shape("names of resource attributes beside job and instance", "service_name", "a", "service_instance_id", "b", labelJob, "cadvisor", labelInstance, "10.0.0.6"),
		}},
	}
}

// manyLabels is a series with 60 labels besides job and instance.
func manyLabels() Series {
	var namesAndValues []string
	for i := range 59 {
		namesAndValues = append(namesAndValues, fmt.Sprintf("label_%02d", i), fmt.Sprintf("value %d", i))
	}
	return shape("60 labels", namesAndValues...)
}

func values() []Series {
	named := map[string]float64{
		"NaN":                     math.NaN(),
		"+Inf":                    math.Inf(1),
		"-Inf":                    math.Inf(-1),
		"zero":                    0,
		"negative":                -273.15,
		"largest":                 math.MaxFloat64,
		"smallest":                -math.MaxFloat64,
		"denormal":                math.SmallestNonzeroFloat64,
		"largest denormal":        math.Float64frombits(1<<52 - 1),
		"third":                   1.0 / 3,
		"beyond exact integers":   1<<53 + 2,
		"largest int64":           math.MaxInt64,
		"beyond uint64":           1e20,
		"milliseconds since 1970": 1753000000123,
	}
	var all []Series
	for name, value := range named {
		all = append(all, series(value, labelShape, name))
	}
	slices.SortFunc(all, func(a, b Series) int { return strings.Compare(a.Labels[0].Value, b.Labels[0].Value) })
	return all
}

// utf8Families have names that only UTF-8 allows.
func utf8Families() []Family {
	return []Family{
		gauges("seed:corpus.requests:count", series(1), series(2, "label.name", "dots"), series(3, "größe", "10", "with space", "yes")),
		gauges("shoot:größe:sum", series(1, labelShape, "name in UTF-8")),
	}
}
