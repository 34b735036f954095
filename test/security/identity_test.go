// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

// disguise is a request by which the attacker tries to write as somebody else.
type disguise struct {
	name string
	// request is made for a series of a victim.
	request func(victim model.Metric, value float64) []byte
	// storesNothing says that nothing of it is stored, not even under the attacker's name.
	storesNothing bool
}

// spoofed sends the victim's series with its labels changed by some that are added.
func spoofed(labels ...field) func(model.Metric, float64) []byte {
	return func(victim model.Metric, value float64) []byte {
		return request(gauge(string(victim[model.MetricNameLabel]), point(time.Now(), value, append(labelsOf(victim, constants.LabelSeed), labels...)...)))
	}
}

// labelsOf are the labels of a series but for its name and some others.
func labelsOf(metric model.Metric, without ...model.LabelName) []field {
	var labels []field
	for _, name := range slices.Sorted(maps.Keys(metric)) {
		if name != model.MetricNameLabel && !slices.Contains(without, name) {
			labels = append(labels, label(string(name), string(metric[name])))
		}
	}
	return labels
}

func disguises() []disguise {
	key := constants.LabelSeed
	value := func(victim model.Metric) string { return string(victim[constants.LabelSeed]) }
	return []disguise{
		{name: "a series without `seed`", request: spoofed()},
		{name: "`seed` of another seed", request: spoofed(label(key, seedLocal))},
		{name: "`seed` that is empty", request: spoofed(label(key, ""))},
		{name: "`seed` that is a regular expression", request: spoofed(label(key, ".*|"+seedLocal))},
		{name: "`seed` that is a number", request: spoofed(embedded(pointAttributes, text(key), embedded(2, varint(3, 1))))},
		{name: "`seed` that is a list", request: spoofed(embedded(pointAttributes, text(key), embedded(2, embedded(5, embedded(1, text(seedLocal))))))},
		{name: "`seed` twice, the second one of another seed", request: spoofed(label(key, attackerSeed), label(key, seedLocal))},
		{name: "`seed` twice, the second one empty", request: spoofed(label(key, attackerSeed), label(key, ""))},
		{name: "`seed` three times", request: spoofed(label(key, ""), label(key, seedLocal), label(key, ""))},
		{name: "`Seed` of another seed", request: spoofed(label("Seed", seedLocal))},
		{name: "a full-width look-alike of `seed`", request: spoofed(label("ｓｅｅｄ", seedLocal))},
		{name: "a Cyrillic look-alike of `seed`", request: spoofed(label("ѕееd", seedLocal))},
		{name: "`seed` with something invisible", request: spoofed(label(key+"\u200b", seedLocal), label(key+"\x00", seedLocal))},
		{name: "`exported_seed`", request: spoofed(label("exported_"+key, seedLocal))},
		{name: "a label with the name of the metric", request: spoofed(label("__name__", "up"))},
		{name: "an attribute without a name", request: spoofed(label("", seedLocal))},
		{name: "`seed` of the resource", request: func(victim model.Metric, v float64) []byte {
			return requestOf(resource(key, value(victim), "service.name", seedLocal), gauge(string(victim[model.MetricNameLabel]), point(time.Now(), v)))
		}},
		{name: "a resource with everything twice", request: func(victim model.Metric, v float64) []byte {
			of := resource("service.name", "a", "service.name", "b", "service.instance.id", "", "service.instance.id", "c", key, value(victim), key, "")
			return requestOf(of, gauge(string(victim[model.MetricNameLabel]), point(time.Now(), v)))
		}},
		{name: "the external labels of a resource that has an identity", request: func(victim model.Metric, v float64) []byte {
			of := resource("service.instance.id", "a", constants.ExternalLabelPrometheus, "b", constants.ExternalLabelReplica, "c")
			return requestOf(of, gauge(string(victim[model.MetricNameLabel]), point(time.Now(), v)))
		}},
		{name: "the external labels of a resource, twice, and what is no text", request: func(victim model.Metric, v float64) []byte {
			of := resource(constants.ExternalLabelPrometheus, "", constants.ExternalLabelPrometheus, "b", constants.ExternalLabelReplica, "c\xff", "job", "d", key, value(victim))
			return requestOf(of, gauge(string(victim[model.MetricNameLabel]), point(time.Now(), v)))
		}},
		{name: "`seed` of the scope", request: func(victim model.Metric, v float64) []byte {
			return requestOf(nil, scope("s", key, value(victim)), gauge(string(victim[model.MetricNameLabel]), point(time.Now(), v)))
		}},
		{name: "`up` of another seed", request: func(_ model.Metric, v float64) []byte {
			return request(gauge("up", point(time.Now(), v, label("job", constants.JobPrometheusAggregate), label("instance", constants.JobPrometheusAggregate), label(key, seedLocal))))
		}},
		{name: "`up` of another seed by the resource", request: func(_ model.Metric, v float64) []byte {
			of := resource("service.name", constants.JobPrometheusAggregate, "service.instance.id", constants.JobPrometheusAggregate)
			return requestOf(of, gauge("up", point(time.Now(), v, label(key, seedLocal))))
		}},
		{name: "a series of the garden itself", request: func(_ model.Metric, v float64) []byte {
			return request(gauge("up", point(time.Now(), v, label("job", "prometheus-garden"), label("instance", "localhost:9090"), label(key, ""), label(key, ""))))
		}},
		{name: "an alert of another seed", request: func(_ model.Metric, v float64) []byte {
			return request(gauge("ALERTS", point(time.Now(), v, label("alertname", "SeedFederationFailure"), label("alertstate", "firing"), label(key, seedLocal))))
		}},
		{name: "an older sample of another seed's series", request: func(victim model.Metric, v float64) []byte {
			return request(gauge(string(victim[model.MetricNameLabel]), point(time.Now().Add(-30*time.Second), v, labelsOf(victim)...)))
		}},
		{name: "a label whose value is not UTF-8", request: spoofed(label("attack", "a\xffb"))},
		{name: "a label whose value has a zero byte", request: spoofed(label("attack", "a\x00b"))},
		{name: "a label whose name is not UTF-8", request: spoofed(label("attack\xff", "b"))},
		{name: "a name that is not UTF-8", storesNothing: true, request: func(victim model.Metric, v float64) []byte {
			return request(gauge("attack\xff", point(time.Now(), v, labelsOf(victim)...)))
		}},
		{name: "a sample of a counter with another seed's labels", storesNothing: true, request: func(victim model.Metric, v float64) []byte {
			return request(metric(string(victim[model.MetricNameLabel]), embedded(7, point(time.Now(), v, labelsOf(victim)...), varint(2, 2), varint(3, 1))))
		}},
	}
}

var _ = Describe("Identity", func() {
	It("stores what a seed sends under its own name, whatever it has, and leaves the series of others alone", func(ctx SpecContext) {
		watched := observe(ctx)
		const calm = 20 * time.Second
		before := pushedHistory(ctx, calm)
		victim := seriesOf(ctx, seedLocal)
		from := time.Now().Add(-ls.ScrapeInterval)

		values := map[string]float64{}
		for _, d := range disguises() {
			values[d.name] = mark()
			got := push(ctx, d.request(victim, values[d.name]))
			Expect(got.status).To(Equal(http.StatusOK), d.name)
			tell(sectionIdentity, d.name, got.String(), "")
		}
		makeStale(ctx, victim)
		repeated := repeatTimestamps(ctx, victim)
		settle(ctx)
		Expect(stored(ctx, repeated)).NotTo(Equal(nothing))

		for _, d := range disguises() {
			what := stored(ctx, values[d.name])
			if d.storesNothing {
				Expect(what).To(Equal(nothing), d.name)
			} else {
				Expect(what).NotTo(Equal(nothing), d.name)
			}
			retell(d.name, labelsBesides(what, victim))
		}
		expectNoSeriesOfResources(ctx)
		expectFederated(ctx, attackerSeed)

		expectSamplesSince(ctx, time.Now().Add(ls.ScrapeInterval))
		expectUntouched(ctx, before, from, time.Now().Add(-ls.ScrapeInterval), false)
		watched.expectUnharmed(ctx, allowedQuick)
	})
})

// makeStale sends a marker of staleness for a series of another seed, with every disguise of its name.
func makeStale(ctx context.Context, victim model.Metric) {
	GinkgoHelper()
	const name = "a stale marker for another seed's series"
	for _, seed := range [][]field{{}, {label(constants.LabelSeed, seedLocal)}, {label(constants.LabelSeed, ""), label(constants.LabelSeed, "")}} {
		fields := append(labelsOf(victim, constants.LabelSeed), seed...)
		got := push(ctx, request(gauge(string(victim[model.MetricNameLabel]), point(time.Now(), 0, append(fields, varint(8, noRecordedValue))...))))
		Expect(got.status).To(Equal(http.StatusOK))
	}
	tell(sectionIdentity, name, fmt.Sprint(http.StatusOK), "not looked for; the series of the other seed has all its samples")
}

// repeatTimestamps sends other values for the very times of a victim's samples. It returns the last one.
func repeatTimestamps(ctx context.Context, victim model.Metric) float64 {
	GinkgoHelper()
	series := maps.Clone(victim)
	api, err := ls.Prometheus(landscape.GardenReplicas[0]).API()
	Expect(err).NotTo(HaveOccurred())
	result, _, err := api.Query(ctx, selectorOf(series)+"[20s]", time.Now())
	Expect(err).NotTo(HaveOccurred())
	matrix := result.(model.Matrix)
	Expect(matrix).To(HaveLen(1))
	var (
		points []field
		value  float64
	)
	for _, pair := range matrix[0].Values {
		value = mark()
		points = append(points, point(pair.Timestamp.Time(), value, labelsOf(victim)...))
	}
	got := push(ctx, request(gauge(string(victim[model.MetricNameLabel]), points...)))
	Expect(got.status).To(Equal(http.StatusOK))
	tell(sectionIdentity, "other values for the times of another seed's samples", got.String(), "for a series of its own")
	return value
}

// seriesOf is a series of a victim that is always there.
func seriesOf(ctx context.Context, seed string) model.Metric {
	GinkgoHelper()
	vector, err := ls.Prometheus(landscape.GardenReplicas[0]).Query(ctx, fmt.Sprintf(`topk(1, {__name__=~"shoot:corpus:.+",seed=%q})`, seed))
	Expect(err).NotTo(HaveOccurred())
	Expect(vector).NotTo(BeEmpty())
	return vector[0].Metric
}

func selectorOf(series model.Metric) string {
	var matchers []string
	for _, name := range slices.Sorted(maps.Keys(series)) {
		matchers = append(matchers, fmt.Sprintf("%q=%q", name, series[name]))
	}
	return "{" + strings.Join(matchers, ",") + "}"
}

// labelsBesides shortens what is stored for the report: the labels of the victim's series are left out.
func labelsBesides(what string, victim model.Metric) string {
	if what == nothing {
		return what
	}
	for name, value := range victim {
		if name != model.MetricNameLabel && name != constants.LabelSeed {
			what = strings.ReplaceAll(what, fmt.Sprintf(", %s=%q", name, string(value)), "")
			what = strings.ReplaceAll(what, fmt.Sprintf("%s=%q, ", name, string(value)), "")
		}
	}
	return "`" + strings.ReplaceAll(what, "|", "\\|") + "`"
}

// expectNoSeriesOfResources checks that nothing is stored of what is no label of a sample: such series would have no `seed`.
func expectNoSeriesOfResources(ctx context.Context) {
	GinkgoHelper()
	for _, replica := range landscape.GardenReplicas {
		vector, err := ls.Prometheus(replica).Query(ctx, `{__name__=~"target_info|otel_scope_info"}`)
		Expect(err).NotTo(HaveOccurred())
		Expect(vector).To(BeEmpty(), replica)
	}
}

// expectFederated checks that what a seed has sent can be read by those that federate from the garden Prometheus. One bad byte, and they get nothing.
func expectFederated(ctx context.Context, seed string) {
	GinkgoHelper()
	for _, replica := range landscape.GardenReplicas {
		families, err := ls.Prometheus(replica).Federate(ctx, fmt.Sprintf("{seed=%q}", seed))
		Expect(err).NotTo(HaveOccurred())
		Expect(families).NotTo(BeEmpty(), replica)
	}
}
