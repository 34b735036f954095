// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/collectormetrics"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/health"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// be matches a verdict.
func be(status gardencorev1beta1.ConditionStatus, reason string, message OmegaMatcher) OmegaMatcher {
	return And(HaveField("Status", status), HaveField("Reason", reason), HaveField("Message", message))
}

var _ = Describe("SeedFederation", func() {
	const (
		interval = time.Minute
		poll     = 10 * time.Second
		capacity = 1000
	)

	// collector plays a collector that scrapes 100 samples each minute.
	type collector struct {
		now                                     time.Time
		started                                 time.Time
		accepted, sent, failed, refused, queued float64
	}
	var (
		c           *collector
		window      *Window
		certificate string
		unanswered  error
		silence     time.Duration
		asked       int

		wasNearlyFull bool
	)

	BeforeEach(func() {
		c = &collector{now: start, started: start}
		window, certificate, unanswered, silence, asked, wasNearlyFull = NewWindow(SeedWindow(interval)), "", nil, 0, 0, false
	})

	observe := func() {
		window.Observe(c.now, &collectormetrics.Metrics{
			Uptime: c.now.Sub(c.started), Accepted: c.accepted, Refused: c.refused,
			Exporters: map[string]collectormetrics.Exporter{"otlp_http/garden": {QueueSize: c.queued, QueueCapacity: capacity, Sent: c.sent, SendFailed: c.failed}, "debug": {Sent: c.accepted}},
		})
	}
	// pass lets the time pass, and calls a function for each scrape.
	pass := func(duration time.Duration, scrape func()) {
		for end := c.now.Add(duration); c.now.Before(end); {
			c.now = c.now.Add(poll)
			if c.now.Sub(start)%interval == 0 {
				scrape()
			}
			observe()
		}
	}
	works := func() { c.accepted += 100; c.sent += 100 }
	verdict := func() Verdict {
		return SeedFederation(SeedInput{
			Interval: interval, Window: window, Unanswered: unanswered, Silence: silence, Endpoint: "https://foo", WasNearlyFull: wasNearlyFull,
			Certificate: func() string { asked++; return certificate },
		})
	}

	It("should say nothing before it has watched for two intervals", func() {
		pass(2*interval-poll, works)
		Expect(verdict()).To(be("Progressing", "Observing", ContainSubstring("less than 2m0s ago")))
		pass(poll, works)
		Expect(verdict()).To(be("True", "SamplesDelivered", Equal("All samples are delivered to https://foo.")))
	})

	It("should watch a collector that has run for long for two intervals as well", func() {
		c.started, c.accepted, c.sent, c.failed = start.Add(-time.Hour), 6000, 5000, 1000
		pass(interval, works)
		Expect(verdict()).To(be("Progressing", "Observing", Not(BeEmpty())))
		pass(interval+poll, works)
		Expect(verdict()).To(be("True", "SamplesDelivered", Not(BeEmpty())))
		Expect(asked).To(BeZero())
	})

	It("should tell within two intervals and a poll that nothing is delivered", func() {
		pass(10*interval, works)
		pass(2*interval-poll, func() { c.accepted += 100; c.queued += 100 })
		Expect(verdict()).To(be("True", "SamplesDelivered", Not(BeEmpty())))
		pass(poll, func() { c.accepted += 100; c.queued += 100 })
		Expect(verdict()).To(be("False", "GardenUnreachable", ContainSubstring("200 samples wait in the queue, 20.0 % of its capacity")))

		certificate = "x509: certificate signed by unknown authority"
		Expect(verdict()).To(be("False", "GardenCertificateRefused", ContainSubstring("unknown authority")))

		By("It is delivered again")
		c.sent, c.queued = c.sent+200, 0
		pass(poll, works)
		Expect(verdict()).To(be("True", "SamplesDelivered", Not(BeEmpty())))
	})

	It("should tell that the queue is filling before it is full", func() {
		pass(10*interval, works)
		pass(8*interval, func() { c.accepted += 100; c.queued += 100 })
		Expect(verdict()).To(be("False", "QueueNearlyFull", And(ContainSubstring("800 samples, 80 %"), ContainSubstring("Nothing is delivered to https://foo"))))
		c.sent, c.queued = c.sent+1, 799
		pass(poll, works)
		Expect(verdict().Reason).To(Equal("SamplesDelivered"))
		wasNearlyFull = true
		Expect(verdict().Reason).To(Equal("QueueNearlyFull"), "it swings around the limit")
		c.queued = 699
		pass(poll, works)
		Expect(verdict().Reason).To(Equal("SamplesDelivered"))
	})

	It("should tell an aggregate Prometheus that yields nothing, once three scrapes have failed", func() {
		pass(10*interval, works)
		failed := func() { c.accepted += 5; c.sent += 5 }
		// The first scrape that fails marks all series as stale.
		pass(interval, works)
		pass(interval, failed)
		Expect(verdict().Reason).To(Equal("SamplesDelivered"))
		pass(interval+poll, failed)
		Expect(verdict()).To(be("False", "AggregateUnreachable", ContainSubstring("is it running?")))
		pass(interval, works)
		Expect(verdict().Reason).To(Equal("SamplesDelivered"))
	})

	It("should tell losses at once, all from some, and forget them after two intervals", func() {
		pass(10*interval, works)
		c.failed += 100
		pass(poll, works)
		Expect(verdict()).To(be("False", "SomeSamplesDropped", And(ContainSubstring("100 samples were lost for good within 2m0s, while 200 were delivered"), ContainSubstring("not temporary"))))

		pass(3*interval, func() { c.accepted += 100; c.failed += 100 })
		Expect(verdict()).To(be("False", "AllSamplesDropped", ContainSubstring("none were delivered to https://foo")))

		pass(2*interval+poll, works)
		Expect(verdict().Reason).To(Equal("SamplesDelivered"))

		c.refused += 100
		pass(poll, works)
		Expect(verdict()).To(be("False", "SomeSamplesDropped", ContainSubstring("no room in the queue, or not enough memory")))
	})

	It("should not take the counters of a new process for a loss, nor miss what it has lost", func() {
		pass(10*interval, works)
		*c = collector{now: c.now, started: c.now.Add(poll / 2)}
		pass(poll, works)
		Expect(verdict().Reason).To(Equal("Observing"))
		c.failed = 7
		pass(poll, works)
		Expect(verdict()).To(be("False", "SomeSamplesDropped", HavePrefix("7 samples")))
		pass(3*interval, works)
		Expect(verdict().Reason).To(Equal("SamplesDelivered"))
	})

	It("should tell a collector that starts from one that does not answer", func() {
		unanswered, silence = errors.New("pod garden/foo does not exist"), 10*time.Minute-time.Second
		Expect(verdict()).To(be("Progressing", "CollectorStarting", ContainSubstring("pod garden/foo does not exist")))
		silence = 10 * time.Minute
		Expect(verdict()).To(be("False", "CollectorUnreachable", Not(BeEmpty())))

		By("It has answered before")
		pass(10*interval, works)
		silence = 0
		Expect(verdict().IsZero()).To(BeTrue(), "once is not enough")
		silence = time.Minute - time.Second
		Expect(verdict()).To(be("Progressing", "CollectorStarting", Not(BeEmpty())))
		silence = time.Minute
		Expect(verdict()).To(be("False", "CollectorUnreachable", ContainSubstring("Condition CollectorHealthy")))
	})
})
