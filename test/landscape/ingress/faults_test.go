// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
)

var _ = Describe("Faults", func() {
	const url = "https://" + host + "/v1/metrics"
	var (
		f     *fixture
		calls atomic.Int32
	)

	BeforeEach(func() {
		calls.Store(0)
		f = newFixture(GinkgoT().Context())
		f.backend(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		}))
		f.start()
		f.expectCode(http.StatusOK)
		calls.Store(0)
	})

	It("should let requests stand still while the WAN is cut, and go on afterwards", func() {
		httpClient := f.httpClient(true)
		_, _, err := f.postBy(httpClient, url, "a connection that exists before the cut")
		Expect(err).NotTo(HaveOccurred())
		calls.Store(0)

		f.proxy.SetFaults(ingress.Faults{Cut: true})
		codes := make(chan int, 2)
		for _, c := range []*http.Client{httpClient, f.httpClient(false)} {
			go func() {
				defer GinkgoRecover()
				code, _, err := f.postBy(c, url, "hello")
				Expect(err).NotTo(HaveOccurred())
				codes <- code
			}()
		}
		Consistently(codes, "500ms").ShouldNot(Receive())
		Expect(calls.Load()).To(BeZero())

		f.proxy.SetFaults(ingress.Faults{})
		Eventually(codes, "5s").Should(Receive(Equal(http.StatusOK)))
		Eventually(codes, "5s").Should(Receive(Equal(http.StatusOK)))
	})

	It("should reset connections", func() {
		f.proxy.SetFaults(ingress.Faults{Reset: 1})
		_, _, err := f.post(url, "hello")
		Expect(err).To(HaveOccurred())
		Expect(calls.Load()).To(BeZero())

		f.proxy.SetFaults(ingress.Faults{})
		f.expectCode(http.StatusOK)
	})

	It("should delay what passes", func() {
		f.proxy.SetFaults(ingress.Faults{Latency: 100 * time.Millisecond})
		start := time.Now()
		f.expectCode(http.StatusOK)
		Expect(time.Since(start)).To(BeNumerically(">=", 200*time.Millisecond), "at least a read and a write")
	})

	It("should let no more bytes pass than there is room for", func() {
		f.proxy.SetFaults(ingress.Faults{BytesPerSecond: 100_000})
		start := time.Now()
		code, body, err := f.post(url, strings.Repeat("x", 50_000))
		Expect(err).NotTo(HaveOccurred())
		Expect(code).To(Equal(http.StatusOK))
		Expect(body).To(HaveLen(50_000))
		Expect(time.Since(start)).To(BeNumerically(">=", 500*time.Millisecond))
	})

	It("should answer by a status instead of passing the request on", func() {
		f.proxy.SetFaults(ingress.Faults{Status: http.StatusTooManyRequests})
		f.expectCode(http.StatusTooManyRequests)
		Expect(calls.Load()).To(BeZero())
	})
})
