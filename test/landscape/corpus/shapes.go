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

// shapeFamilies are families in which each series has a shape of its own, under names of two selectors.
func shapeFamilies(options Options) []Family {
	return []Family{
		gauges("seed:corpus_shapes:count", shapes(options)...),
		untyped("shoot:corpus:shapes", shapes(options)...),
		gauges("shoot:corpus:values", values()...),
	}
}

func shapes(options Options) []Series {
	shape := func(value float64, description string, namesAndValues ...string) Series {
		return series(value, append([]string{labelShape, description}, namesAndValues...)...)
	}

	all := []Series{
		series(1),
		withTargetLabels(2, labelShape, "job and instance of the target"),
		shape(3, "neither job nor instance"),
		shape(4, "own job and instance", labelJob, "kube-state-metrics", labelInstance, "10.0.0.1:8080"),
		shape(5, "own job", labelJob, "cadvisor"),
		shape(6, "own instance", labelInstance, "10.0.0.2:9100"),
		shape(7, "differs in instance", labelJob, "node-exporter", labelInstance, "10.0.0.3:9100"),
		shape(8, "differs in instance", labelJob, "node-exporter", labelInstance, "10.0.0.4:9100"),
		shape(9, "differs in instance", labelJob, "node-exporter"),
		shape(10, "job of federation", labelJob, "prometheus-aggregate", labelInstance, "prometheus-aggregate"),
		shape(11, "le on a gauge", "le", "0.5"),
		shape(12, "le on a gauge", "le", "+Inf"),
		shape(13, "le on a gauge", "le", "1e+06"),
		shape(14, "quantile on a gauge", "quantile", "0.99"),
		shape(15, "quantile on a gauge", "quantile", "1"),
		shape(16, "underscores", "a__b", "inside", "_leading", "one", "trailing_", "one"),
		shape(17, "leading double underscore", "__leading", "two"),
		shape(18, "key prefix", "key_leading", "as a translation would name it"),
		shape(19, "empty values", "empty", "", "other", "not empty"),
		shape(20, "UTF-8 values", "value", "größer als 日本語 🌱", "combining", "e\u0301"),
		shape(21, "escaped values", "quote", `say "hi"`, "backslash", `C:\temp\n`, "newline", "first\nsecond"),
		shape(22, "white space in values", "space", " both sides ", "tab", "a\tb", "cr", "a\rb"),
		shape(23, "syntax in values", "braces", `{a="b"}`, "comma", "a,b", "hash", "# TYPE x gauge", "dollar", "$1 ${2} $$"),
		shape(24, "own seed", labelSeed, options.Seed),
		shape(25, "foreign seed", labelSeed, "corpus-foreign-seed"),
		shape(26, "empty seed", labelSeed, ""),
		shape(27, "own shoot_alertname", "shoot_alertname", "KubePodNotReady", labelAlertName, "Outer"),
		shape(28, "shoot_alertname without alertname", "shoot_alertname", "KubePodNotReady"),
		shape(29, "exported labels", "exported_job", "kubelet", "exported_instance", "10.0.0.5", "exported_seed", "inner"),
		shape(30, "scope", "otel_scope_name", "github.com/example/library"),
		shape(31, "names of resource attributes", "service_name", "a", "service_instance_id", "b", "service_namespace", "c"),
		shape(32, "external labels of Prometheus", "prometheus", "garden/aggregate", "prometheus_replica", "prometheus-aggregate-0"),
		shape(33, "long value", "long", strings.Repeat("0123456789abcdef", 128)),
		shape(34, "upper case", "UPPER", "A", "upper", "a", "camelCase", "aB"),
		shape(35, "digits", "l0", "0", "_1", "1", "number", "1.0", "bool", "true"),
	}
	return append(all, manyLabels(36))
}

// manyLabels is a series with 60 labels besides job and instance.
func manyLabels(value float64) Series {
	namesAndValues := []string{labelShape, "60 labels"}
	for i := range 59 {
		namesAndValues = append(namesAndValues, fmt.Sprintf("label_%02d", i), fmt.Sprintf("value %d", i))
	}
	return series(value, namesAndValues...)
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
