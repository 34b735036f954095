// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

var secret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "foo"}}

var _ = Describe("Ask", func() {
	const (
		reached  = `timestamp(up{job="prometheus-aggregate",seed=""}) and (up{job="prometheus-aggregate",seed=""} == 1) and on (seed, instance) (scrape_samples_post_metric_relabeling{job="prometheus-aggregate",seed=""} > 0)`
		pushed   = `topk by (seed) (10, timestamp(up{job="prometheus-aggregate",seed!=""}) and (up{job="prometheus-aggregate",seed!=""} == 1) and on (seed, instance) (scrape_samples_post_metric_relabeling{job="prometheus-aggregate",seed!=""} > 0))`
		shadowed = `topk by (seed) (10, timestamp(shadow:up{job="prometheus-aggregate",seed!=""}) and (shadow:up{job="prometheus-aggregate",seed!=""} == 1) and on (seed, instance) (shadow:scrape_samples_post_metric_relabeling{job="prometheus-aggregate",seed!=""} > 0))`
		pulled   = `timestamp(up{job="prometheus-aggregate",seed=""})`
		rejected = `sum(increase(prometheus_http_requests_total{job="prometheus-garden",handler="/api/v1/otlp/v1/metrics",code=~"4.."}[5m])) > 0`

		empty = `{"status":"success","data":{"resultType":"vector","result":[]}}`
	)

	var (
		ctx     = context.Background()
		now     = time.UnixMilli(1767225600500)
		answers map[string]string
		server  *httptest.Server
	)

	BeforeEach(func() {
		answers = map[string]string{reached: empty, pushed: empty, shadowed: empty, pulled: empty, rejected: empty}
		server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
			defer GinkgoRecover()
			Expect(request.ParseForm()).To(Succeed())
			Expect(request.URL.Path).To(Equal("/api/v1/query"))
			Expect(request.Form.Get("time")).To(Equal("1767225600.5"))
			answer, known := answers[request.Form.Get("query")]
			Expect(known).To(BeTrue(), "query %s", request.Form.Get("query"))
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(answer))
		}))
		DeferCleanup(server.Close)
	})

	ask := func() (*Observation, error) {
		return Ask(ctx, server.Client(), server.URL, "id", now, 5*time.Minute)
	}

	It("should see nothing where nothing is", func() {
		Expect(ask()).To(Equal(&Observation{Identity: "id", Scraped: map[Series]time.Time{}, Pulled: map[string]time.Time{}}))
	})

	It("should tell apart by which way samples came", func() {
		answers[pushed] = `{"status":"success","data":{"resultType":"vector","result":[
			{"metric":{"job":"prometheus-aggregate","instance":"p-seed.a","seed":"a"},"value":[1767225600.5,"1767225590.123"]}]}}`
		answers[reached] = `{"status":"success","data":{"resultType":"vector","result":[
			{"metric":{"job":"prometheus-aggregate","instance":"p-seed.a"},"value":[1767225600.5,"1767225580.456"]}]}}`
		answers[shadowed] = `{"status":"success","data":{"resultType":"vector","result":[
			{"metric":{"job":"prometheus-aggregate","instance":"p-seed.b","seed":"b"},"value":[1767225600.5,"1767225570"]}]}}`
		answers[pulled] = `{"status":"success","data":{"resultType":"vector","result":[
			{"metric":{"job":"prometheus-aggregate","instance":"p-seed.a"},"value":[1767225600.5,"1767225580.456"]},
			{"metric":{"job":"prometheus-aggregate","instance":"p-seed.c"},"value":[1767225600.5,"1767225560"]}]}}`
		answers[rejected] = `{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1767225600.5,"3"]}]}}`

		Expect(ask()).To(Equal(&Observation{
			Identity: "id",
			Scraped: map[Series]time.Time{
				{Way: Push, Seed: "a", Instance: "p-seed.a"}:   time.UnixMilli(1767225590123),
				{Way: Pull, Instance: "p-seed.a"}:              time.UnixMilli(1767225580456),
				{Way: Shadow, Seed: "b", Instance: "p-seed.b"}: time.UnixMilli(1767225570000),
			},
			Pulled:    map[string]time.Time{"p-seed.a": time.UnixMilli(1767225580456), "p-seed.c": time.UnixMilli(1767225560000)},
			Rejecting: true,
		}))
	})

	It("should say which Prometheus fails", func() {
		answers[pulled] = `{"status":"error","errorType":"execution","error":"fake"}`
		_, err := ask()
		Expect(err).To(MatchError(And(ContainSubstring("failed to query the garden Prometheus at "+server.URL), ContainSubstring("fake"))))

		answers[pulled] = `{"status":"success","data":{"resultType":"scalar","result":[1767225600.5,"1"]}}`
		_, err = ask()
		Expect(err).To(MatchError(ContainSubstring("by a scalar, not a vector")))
	})
})
