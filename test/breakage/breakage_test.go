// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package breakage_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

const (
	// replica is the replica of the garden Prometheus that is compared.
	replica = "garden-0"
	// seed is the seed whose collector is broken. The other one shows that it is not disturbed.
	seed = "seed-2"
)

var _ = Describe("Breakage", Ordered, ContinueOnFailure, func() {
	// named are the families that any of the specs has seen named.
	named := map[string]struct{}{}

	BeforeAll(func(ctx SpecContext) {
		expectParity(ctx)
	})

	DescribeTable("is named by the comparison",
		func(ctx SpecContext, b breakage) {
			restore := b.apply(ctx)
			DeferCleanup(func(ctx SpecContext) {
				restore(ctx)
				expectParity(ctx)
			})

			Eventually(func(g Gomega) {
				report := compare(ctx, g)
				for _, family := range b.families {
					g.Expect(report.Names()).To(ContainElement(family))
				}
				for _, family := range b.intact {
					g.Expect(report.Names()).NotTo(ContainElement(family))
				}
				for _, family := range report.Names() {
					named[family] = struct{}{}
				}
			}).Should(Succeed())
		},
		Entry("names, labels and values that a processor changes", changedByProcessor()),
		Entry("job, instance and the labels of a scope, as without the exchange of labels", withoutExchange()),
		Entry("alerts, as without the relabelling of federation", withoutRelabelling()),
		Entry("job and instance that yield to those of the target", withoutHonoringLabels()),
		Entry("a target_info of every job, as with all attributes of the resources", withoutStripping()),
		Entry("series that no selector selects", withoutSelectors()),
		Entry("names and labels that Prometheus translates", withTranslation()),
		Entry("seeds that write under another seed's name", withoutStamping()),
		Entry("series that linger because their staleness is lost", withoutStaleness()),
	)

	It("has named every family of the corpus at least once", func() {
		families, err := corpus.Families(corpus.Options{Series: ls.CorpusSeries, Seed: seed, UTF8Names: true})
		Expect(err).NotTo(HaveOccurred())
		var unnamed []string
		for _, family := range families {
			if _, ok := named[family.Name]; !ok && family.Selected {
				unnamed = append(unnamed, family.Name)
			}
		}
		Expect(unnamed).To(BeEmpty(), "named: %v", slices.Sorted(maps.Keys(named)))
	})
})

func compare(ctx context.Context, g Gomega) *parity.Report {
	report, err := parity.Compare(ctx, ls.Prometheus(gardener.ReferenceName), ls.Prometheus(replica), parity.Options{Interval: ls.ScrapeInterval, MinConstant: 0.9})
	g.Expect(err).NotTo(HaveOccurred())
	return report
}

func expectParity(ctx context.Context) {
	EventuallyWithOffset(1, func(g Gomega) {
		report := compare(ctx, g)
		text := &bytes.Buffer{}
		g.Expect(report.Write(text, parity.WriteOptions{Examples: 3})).To(Succeed())
		g.Expect(report.Differences()).To(BeZero(), fmt.Sprint(text))
		// What a broken collector has pushed is visible for a while, because nobody marks it as stale.
	}).WithTimeout(ls.Lookback() + 2*time.Minute).Should(Succeed())
}
