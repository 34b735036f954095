// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"context"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
)

// deletionTimeout is how long the deletion of the extension in a seed may take once the WAN works again.
const deletionTimeout = 5 * time.Minute

var _ = Describe("Deletion", Serial, func() {
	It("extension disabled in the seed while the WAN is cut", func(ctx SpecContext) {
		expectCurrent(ctx)
		from := time.Now().Add(-ls.ScrapeInterval)
		began := time.Now()
		DeferCleanup(func(ctx context.Context) {
			wan(ingress.Faults{})(ctx)
			Expect(ls.EnableSeed(ctx, seed)).To(Succeed())
		})
		wan(ingress.Faults{Cut: true})(ctx)
		wait(ctx, 6*ls.ScrapeInterval)

		deleted := make(chan error, 1)
		go func() { deleted <- ls.DisableSeed(ctx, seed) }()
		// It must not be deleted before the garden has what is in the queue.
		Consistently(ctx, deleted).WithTimeout(4 * ls.ScrapeInterval).ShouldNot(Receive())
		Expect(queueSize(ctx)).To(BeNumerically(">", 0))
		cured := time.Now()
		wan(ingress.Faults{})(ctx)
		Eventually(ctx, deleted).WithTimeout(deletionTimeout).Should(Receive(BeNil()))
		lasted := time.Since(began)

		claims := &corev1.PersistentVolumeClaimList{}
		Expect(ls.Seed(seed).List(ctx, claims, client.InNamespace(gardener.Namespace), client.MatchingLabels{"app": constants.SeedCollectorName})).To(Succeed())
		Expect(claims.Items).To(BeEmpty(), "volumes of the queue that are left")

		// Pull cannot have got anything of that time.
		result := judge(ctx, fault{}, from, cured.Add(-ls.ScrapeInterval))
		Expect(ls.EnableSeed(ctx, seed)).To(Succeed())
		result.fault, result.lasted, result.caughtUp = CurrentSpecReport().LeafNodeText, lasted, expectCurrent(ctx)
		report = append(report, result)
		AddReportEntry(result.String(), ReportEntryVisibilityAlways)
		Expect(result.lostByPush).To(BeZero(), "scrapes lost by push")
		Expect(result.lostSamples).To(BeZero(), "samples that only one replica has")
		Expect(result.different).To(BeZero(), "samples with wrong values")
		expectHealthy(ctx)
	})
})

// queueSize is how many samples wait in the seed.
func queueSize(ctx context.Context) float64 {
	GinkgoHelper()
	return metricOf(ctx, Default, seedCluster, seedCollectorPod, "otelcol_exporter_queue_size")
}
