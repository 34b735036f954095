// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
)

// What takes longer is in test/faults.
var _ = Describe("Faults", Ordered, func() {
	// Pull, which would return meanwhile, must not fill the holes.
	BeforeAll(func() {
		handOverAll(context.Background())
	})

	It("delivers later what it could not deliver while the WAN was cut", func() {
		var (
			ctx = context.Background()
			w   = watchSeries(ctx)
		)
		DeferCleanup(func() {
			Expect(ls.SetFaults(ctx, cluster.NameRuntime, ingress.Faults{})).To(Succeed())
		})
		Expect(ls.SetFaults(ctx, cluster.NameRuntime, ingress.Faults{Cut: true})).To(Succeed())
		Eventually(func(g Gomega) {
			for _, replica := range landscape.GardenReplicas {
				g.Expect(time.Since(newestSample(ctx, replica))).To(BeNumerically(">", 4*ls.ScrapeInterval), replica)
			}
		}).Should(Succeed())
		Expect(ls.SetFaults(ctx, cluster.NameRuntime, ingress.Faults{})).To(Succeed())
		cured := time.Now()
		for _, seed := range []string{seedLocal, seedOther} {
			expectFederated(ctx, seed, cured)
		}

		w.expectUninterrupted(ctx, 2*ls.ScrapeInterval, seedLocal, seedOther)
		w.expectHealthy(ctx)
		expectNoRejections(ctx)
	})
})

// newestSample returns when the newest sample of a seed was scraped that a replica has.
func newestSample(ctx context.Context, replica string) time.Time {
	GinkgoHelper()
	samples, err := ls.Prometheus(replica).Query(ctx, fmt.Sprintf("timestamp(up{job=%q,seed=%q})", constants.JobPrometheusAggregate, seedOther))
	Expect(err).NotTo(HaveOccurred())
	Expect(samples).To(HaveLen(1))
	return time.UnixMilli(int64(float64(samples[0].Value) * 1000))
}
