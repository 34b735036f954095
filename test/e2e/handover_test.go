// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

const (
	// targetOther is the target by which the garden Prometheus pulls from the seed that is a cluster of its own.
	targetOther = "p-seed.ingress." + seedOther + ".local"
	// seriesOfIncident are series that only the incident has.
	seriesOfIncident = "shoot:node_filesystem_files_free:percent"

	// targetLocal is the one of the runtime cluster.
	targetLocal = "prometheus-aggregate"

	// reload is what a change of the targets takes until the garden Prometheus scrapes by it: prometheus-operator, one second's delay
	// in config-reloader, up to five in Prometheus' target discovery. It is not scaled like the intervals.
	reload = 8 * time.Second
)

var _ = Describe("Hand-over", Ordered, func() {
	var ctx context.Context

	BeforeAll(func() {
		expectAllPushed(context.Background())
	})

	BeforeEach(func() {
		ctx = context.Background()
	})

	It("takes one seed after the other from pull to push and back, and nobody notices", func() {
		DeferCleanup(func() {
			Expect(ls.ChangeCorpus(seedOther, corpus.Changes{})).To(Succeed())
			// What the incident has brought must be marked as stale before the next spec stops the collector: it would linger otherwise.
			Eventually(func(g Gomega) {
				for _, name := range append([]string{landscape.AggregateName(seedOther)}, landscape.GardenReplicas...) {
					g.Expect(ls.Prometheus(name).Query(ctx, seriesOfIncident)).To(BeEmpty(), name)
				}
			}).Should(Succeed())
			for _, seed := range []string{seedLocal, seedOther} {
				Expect(ls.EnableSeed(ctx, seed)).To(Succeed())
			}
		})
		Expect(ls.ChangeCorpus(seedOther, corpus.Changes{Incidents: []string{corpus.IncidentShootControlPlane}})).To(Succeed())
		expectFiring(ctx)
		w := watchSeries(ctx)

		By("Disable the extension in one seed, and in the other")
		for _, seed := range []string{seedLocal, seedOther} {
			Expect(ls.DisableSeed(ctx, seed)).To(Succeed())
			expectState(ctx, seed, configv1alpha1.SeedFederationStatePull)
		}
		expectPulled(ctx, targetLocal, targetOther)

		By("Enable it in one seed")
		Expect(ls.EnableSeed(ctx, seedLocal)).To(Succeed())
		expectState(ctx, seedLocal, configv1alpha1.SeedFederationStatePush)
		expectPulled(ctx, targetOther)
		expectFederatedParity(ctx, selectorsWithoutForeign())

		By("Enable it in the other")
		Expect(ls.EnableSeed(ctx, seedOther)).To(Succeed())
		expectState(ctx, seedOther, configv1alpha1.SeedFederationStatePush)
		expectPulled(ctx)
		expectFederatedParity(ctx, landscape.Selectors())

		w.expectUninterrupted(ctx, 2*ls.ScrapeInterval, seedLocal, seedOther)
		w.expectAlertsKept(ctx)
		w.expectHealthy(ctx)
		expectNoRejections(ctx)
	})

	It("pulls from a seed whose collector is killed, until it is back", func() {
		w := watchSeries(ctx)
		DeferCleanup(func() {
			Expect(ls.StartSeedCollector(ctx, seedOther)).To(Succeed())
		})
		Expect(ls.StopSeedCollector(ctx, seedOther)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(stateOf(ctx, g, seedOther)).To(HaveField("Message", ContainSubstring("no complete scrape has arrived by push")))
		}).Should(Succeed())
		expectState(ctx, seedOther, configv1alpha1.SeedFederationStatePull)
		expectPulled(ctx, targetOther)
		Expect(stateOf(ctx, Default, seedLocal)).To(HaveField("State", configv1alpha1.SeedFederationStatePush))

		Expect(ls.StartSeedCollector(ctx, seedOther)).To(Succeed())
		expectState(ctx, seedOther, configv1alpha1.SeedFederationStatePush)
		expectFederatedParity(ctx, landscape.Selectors())

		w.expectUninterrupted(ctx, gardener.ReturnAfter(ls.ScrapeInterval)+2*ls.ScrapeInterval+reload, seedOther)
		w.expectUninterrupted(ctx, 2*ls.ScrapeInterval, seedLocal)
		w.expectHealthy(ctx)
		expectNoRejections(ctx)
	})

	It("lets push run as a shadow that nobody sees but who compares", Label("long"), func() {
		w := watchSeries(ctx)
		DeferCleanup(func() {
			Expect(ls.HandOverBy(ctx, ls.HandOver)).To(Succeed())
			expectAllPushed(ctx)
		})
		Expect(ls.HandOverBy(ctx, configv1alpha1.HandOverModeShadow)).To(Succeed())
		for _, seed := range []string{seedLocal, seedOther} {
			expectState(ctx, seed, configv1alpha1.SeedFederationStateShadow)
		}
		expectPulled(ctx, targetLocal, targetOther)
		expectFederatedParity(ctx, landscape.Selectors())
		expectShadowParity(ctx)
		// No rule sees the shadow: all come to the results that they come to without it.
		options := ruleOptions(ctx)
		options.IgnoreExtraNames = true
		expectParity(ctx, options)

		Expect(ls.HandOverBy(ctx, ls.HandOver)).To(Succeed())
		expectAllPushed(ctx)
		// A change to or from Shadow rolls the collectors of the fan-out. The garden Prometheus may scrape one while it is away, but
		// never finds none.
		w.expectFailedHealthChecks(ctx, HaveEach(HaveField("Metric", And(
			HaveKeyWithValue(model.LabelName("task"), model.LabelValue("target:down")),
			HaveKeyWithValue(model.LabelName("job"), model.LabelValue(constants.GardenCollectorName)),
		))))
		w.expectUninterrupted(ctx, 2*ls.ScrapeInterval, seedLocal, seedOther)
	})
})

// selectorsWithoutForeign are those of Gardener's federation, less the shape that says that it belongs to another seed: while one seed
// pushes it and the other one is pulled, it is there under both names.
func selectorsWithoutForeign() []string {
	var selectors []string
	for _, selector := range landscape.Selectors() {
		selectors = append(selectors, strings.TrimSuffix(selector, "}")+`,shape!="foreign seed"}`)
	}
	return selectors
}

// expectFederatedParity waits until both replicas hold what pull stores of the series that the selectors federate. The targets' own
// series are left out: those of the way that has ended are visible for another lookback, as nobody marks them as stale.
func expectFederatedParity(ctx context.Context, selectors []string) {
	expectParity(ctx, parity.Options{MinConstant: 0.9, Selectors: selectors, IgnoreExtraNames: true})
}

// expectShadowParity waits until what both replicas have under shadow names is what pull stores.
func expectShadowParity(ctx context.Context) {
	options := parity.Options{
		Interval: ls.ScrapeInterval, Seeds: []string{seedLocal, seedOther}, PushPrefix: handover.ShadowPrefix, MinConstant: 0.9, IgnoreExtraNames: true,
		Selectors: landscape.Selectors(),
	}
	for _, replica := range landscape.GardenReplicas {
		EventuallyWithOffset(1, func(g Gomega) {
			report, err := parity.Compare(ctx, ls.Prometheus(gardener.ReferenceName), ls.Prometheus(replica), options)
			g.Expect(err).NotTo(HaveOccurred())
			text := &bytes.Buffer{}
			g.Expect(report.Write(text, parity.WriteOptions{Examples: 3})).To(Succeed())
			g.Expect(report.Differences()).To(BeZero(), "%s\n%s", replica, text)
		}).WithTimeout(3 * time.Minute).WithPolling(ls.ScrapeInterval).Should(Succeed())
	}
}

// expectFiring waits until the alerts of the incident fire in both replicas.
func expectFiring(ctx context.Context) {
	EventuallyWithOffset(1, func(g Gomega) {
		for _, replica := range landscape.GardenReplicas {
			for _, alert := range alertsOfIncident {
				g.Expect(ls.Prometheus(replica).Query(ctx, firing(alert))).NotTo(BeEmpty(), "alert %s in %s", alert, replica)
			}
		}
	}).Should(Succeed())
}

// handOverAll hands all seeds over for good, until the container of the specs ends.
func handOverAll(ctx context.Context) {
	expectAllPushed(ctx)
	Expect(ls.HandOverBy(ctx, configv1alpha1.HandOverModePush)).To(Succeed())
	DeferCleanup(func() {
		Expect(ls.HandOverBy(ctx, ls.HandOver)).To(Succeed())
		expectAllPushed(ctx)
	})
	expectPulled(ctx)
}

// expectAllPushed waits until both seeds have been handed over.
func expectAllPushed(ctx context.Context) {
	for _, seed := range []string{seedLocal, seedOther} {
		expectState(ctx, seed, configv1alpha1.SeedFederationStatePush)
	}
}

func expectState(ctx context.Context, seed string, state configv1alpha1.SeedFederationState) {
	EventuallyWithOffset(1, func(g Gomega) {
		g.Expect(stateOf(ctx, g, seed)).To(HaveField("State", state))
	}).Should(Succeed())
}

func stateOf(ctx context.Context, g Gomega, seed string) configv1alpha1.SeedFederationStatus {
	status, err := ls.FederationStatus(ctx)
	g.Expect(err).NotTo(HaveOccurred())
	for _, s := range status.Seeds {
		if s.Name == seed {
			return s
		}
	}
	g.Expect(status.Seeds).To(ContainElement(HaveField("Name", seed)))
	return configv1alpha1.SeedFederationStatus{}
}

// since returns the time from t until now as a range of PromQL.
func since(t time.Time) string {
	return fmt.Sprintf("[%ds]", int(time.Since(t)/time.Second))
}
