// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package wan_test

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/gardener/gardener-extension-otel-federation/test/bench/wan"
)

var _ = Describe("Ingress", func() {
	const (
		address = "127.0.0.1:0"
		size    = 1 << 20
	)

	var (
		backend     *httptest.Server
		certificate tls.Certificate
		client      *http.Client
		received    int
	)

	BeforeEach(func() {
		answer := make([]byte, size/2)
		_, _ = rand.Read(answer)
		backend = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer GinkgoRecover()
			body, err := io.ReadAll(r.Body)
			Expect(err).NotTo(HaveOccurred())
			received = len(body)
			w.Header().Set("Encoding", r.Header.Get("Accept-Encoding"))
			_, _ = w.Write(answer)
		}))
		DeferCleanup(backend.Close)

		// It is only there for its certificate.
		other := httptest.NewTLSServer(http.NotFoundHandler())
		DeferCleanup(other.Close)
		certificate = other.TLS.Certificates[0]
		pool := x509.NewCertPool()
		pool.AddCert(other.Certificate())
		client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}}
	})

	It("should pass requests on and count what crosses it, with TLS and headers", func(ctx SpecContext) {
		ingress, err := Start(ctx, address, backend.Listener.Addr().String(), certificate)
		Expect(err).NotTo(HaveOccurred())
		Expect(ingress.Traffic()).To(BeZero())

		body := make([]byte, size)
		_, _ = rand.Read(body)
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+ingress.Address(), bytes.NewReader(body))
		Expect(err).NotTo(HaveOccurred())
		request.Header.Set("Accept-Encoding", "gzip, zstd")
		response, err := client.Do(request)
		Expect(err).NotTo(HaveOccurred())
		answer, err := io.ReadAll(response.Body)
		Expect(err).NotTo(HaveOccurred())
		Expect(response.Body.Close()).To(Succeed())

		Expect(response.ProtoMajor).To(Equal(2))
		Expect(response.Header.Get("Encoding")).To(Equal("gzip, zstd"))
		Expect(received).To(Equal(size))
		Expect(answer).To(HaveLen(size / 2))
		traffic := ingress.Traffic()
		Expect(traffic.Requests).To(BeEquivalentTo(1))
		// What TLS, HTTP/2 and the headers add is little, but something.
		Expect(traffic.FromClient).To(BeNumerically("~", size+20_000, 18_000))
		Expect(traffic.ToClient).To(BeNumerically("~", size/2+20_000, 18_000))

		client.CloseIdleConnections()
		Expect(ingress.Stop()).To(Succeed())
		Expect(client.Get("https://" + ingress.Address())).Error().To(HaveOccurred())
	})

	It("should cut what is connected and who wants to connect, until it is told otherwise", func(ctx SpecContext) {
		ingress, err := Start(ctx, address, backend.Listener.Addr().String(), certificate)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(ingress.Stop)
		get := func() error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+ingress.Address(), nil)
			Expect(err).NotTo(HaveOccurred())
			response, err := client.Do(request)
			if err == nil {
				_, err = io.Copy(io.Discard, response.Body)
				Expect(response.Body.Close()).To(Succeed())
			}
			return err
		}
		Expect(get()).To(Succeed())

		ingress.Cut(true)
		Expect(get()).NotTo(Succeed(), "on the connection that was there")
		Expect(get()).NotTo(Succeed(), "on a new connection")

		ingress.Cut(false)
		Expect(get()).To(Succeed())
	})

	It("should say that an address is taken", func(ctx SpecContext) {
		listener, err := net.Listen("tcp", address)
		Expect(err).NotTo(HaveOccurred())
		DeferCleanup(listener.Close)
		_, err = Start(ctx, listener.Addr().String(), "127.0.0.1:1", certificate)
		Expect(err).To(MatchError(ContainSubstring("failed to listen on " + listener.Addr().String())))
	})
})
