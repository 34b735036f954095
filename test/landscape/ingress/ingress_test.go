// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	istioapiannotation "istio.io/api/annotation"
	istioapinetworkingv1beta1 "istio.io/api/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gardener/gardener/pkg/utils/istio"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
)

var _ = Describe("Proxy", func() {
	const url = "https://" + host + "/v1/metrics"

	var (
		f     *fixture
		calls atomic.Int32
		last  atomic.Pointer[http.Request]
		echo  = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			calls.Add(1)
			last.Store(r)
			body, _ := io.ReadAll(r.Body)
			_, _ = w.Write(body)
		})
	)

	BeforeEach(func() {
		calls.Store(0)
		f = newFixture(GinkgoT().Context())
	})

	Describe("what is configured right", func() {
		BeforeEach(func() {
			f.backend(echo)
			f.start()
		})

		It("should serve HTTP/1.1 and append the client to X-Forwarded-For", func() {
			code, body, err := f.post(url, "hello", func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.1") })
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(Equal(http.StatusOK))
			Expect(body).To(Equal("hello"))
			Expect(last.Load().Host).To(Equal(host))
			Expect(last.Load().ContentLength).To(Equal(int64(5)))
			Expect(last.Load().Header.Get("X-Forwarded-For")).To(Equal("192.0.2.1, 127.0.0.1"))
			Expect(last.Load().Header.Get("X-Forwarded-Proto")).To(Equal("https"))
		})

		It("should serve HTTP/2 and talk HTTP/1.1 to the endpoints", func() {
			code, body, err := f.postBy(f.httpClient(true), url, "hello")
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(Equal(http.StatusOK))
			Expect(body).To(Equal("hello"))
			Expect(last.Load().ProtoMajor).To(Equal(1))
		})

		It("should count requests and bytes", func() {
			_, _, err := f.post(url, strings.Repeat("x", 100_000))
			Expect(err).NotTo(HaveOccurred())
			Eventually(func() error {
				return testutil.GatherAndCompare(f.proxy.Gatherer(), strings.NewReader(fmt.Sprintf(`
# HELP landscape_ingress_body_bytes_total Bytes of the bodies of requests (in) and responses (out), as sent, without TLS and headers.
# TYPE landscape_ingress_body_bytes_total counter
landscape_ingress_body_bytes_total{direction="in",gateway="%[1]s",host="%[2]s"} 100000
landscape_ingress_body_bytes_total{direction="out",gateway="%[1]s",host="%[2]s"} 100000
# HELP landscape_ingress_requests_total Requests by host and status code of the response.
# TYPE landscape_ingress_requests_total counter
landscape_ingress_requests_total{code="200",gateway="%[1]s",host="%[2]s"} 1
`, gatewayNamespace, host)), "landscape_ingress_requests_total", "landscape_ingress_body_bytes_total")
			}).Should(Succeed())

			wire := gather(f, "landscape_ingress_wire_bytes_total")
			Expect(wire).To(HaveLen(2))
			Expect(wire).To(HaveEach(And(BeNumerically(">", 100_000), BeNumerically("<", 110_000))))
		})

		It("should refuse TLS 1.1", func() {
			_, err := tls.Dial("tcp", f.address, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, InsecureSkipVerify: true}) // #nosec G402 -- Test.
			Expect(err).To(HaveOccurred())
		})

		It("should refuse a name that no Gateway serves", func() {
			_, _, err := f.post("https://other.ingress.garden.local/v1/metrics", "")
			Expect(err).To(MatchError(ContainSubstring("tls: internal error")))
		})

		It("should answer 421 if the host differs from the name in the handshake", func() {
			code, _, err := f.post(url, "", func(r *http.Request) { r.Host = "other.ingress.garden.local" })
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(Equal(http.StatusMisdirectedRequest))
		})

		It("should present the new certificate after a change of the Secret", func() {
			old := f.ca
			f.ca = newCertificate("ca-2", nil, nil)
			certificate := newCertificate("server", f.ca, []string{host})
			f.tlsSecret.Data = map[string][]byte{corev1.TLSCertKey: certificate.CertificatePEM, corev1.TLSPrivateKeyKey: certificate.PrivateKeyPEM}
			f.update(f.tlsSecret)
			f.expectCode(http.StatusOK)

			f.ca = old
			_, _, err := f.post(url, "")
			Expect(err).To(MatchError(ContainSubstring("certificate signed by unknown authority")))
		})

		It("should answer 404 on open connections, too, after the route has disappeared", func() {
			httpClient := f.httpClient(false)
			code, _, err := f.postBy(httpClient, url, "")
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(Equal(http.StatusOK))

			Expect(f.client.Delete(f.ctx, f.virtualService)).To(Succeed())
			Expect(f.proxy.Refresh(f.ctx)).To(Succeed())
			code, _, err = f.postBy(httpClient, url, "")
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(Equal(http.StatusNotFound))
		})
	})

	DescribeTable("streaming in both directions", func(http2 bool) {
		f.backend(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			controller := http.NewResponseController(w)
			_ = controller.EnableFullDuplex()
			buffer := make([]byte, 16)
			for {
				n, err := r.Body.Read(buffer)
				_, _ = w.Write(buffer[:n])
				_ = controller.Flush()
				if err != nil {
					return
				}
			}
		}))
		f.start()

		reader, writer := io.Pipe()
		request, err := http.NewRequestWithContext(f.ctx, http.MethodPost, url, reader)
		Expect(err).NotTo(HaveOccurred())
		go func() { _, _ = writer.Write([]byte("first")) }()
		response, err := f.httpClient(http2).Do(request)
		Expect(err).NotTo(HaveOccurred())

		for _, part := range []string{"first", "second"} {
			if part != "first" {
				_, err = writer.Write([]byte(part))
				Expect(err).NotTo(HaveOccurred())
			}
			received := make([]byte, len(part))
			_, err = io.ReadFull(response.Body, received)
			Expect(err).NotTo(HaveOccurred())
			Expect(string(received)).To(Equal(part))
		}
		Expect(writer.Close()).To(Succeed())
		Expect(response.Body.Close()).To(Succeed())
	},
		Entry("HTTP/1.1", false),
		Entry("HTTP/2", true),
	)

	DescribeTable("what is configured wrong",
		func(breakIt func(), expectedCode int, expectedError string) {
			f.backend(echo)
			breakIt()
			f.start()

			code, _, err := f.post(url, "")
			if expectedError != "" {
				Expect(err).To(MatchError(ContainSubstring(expectedError)))
				return
			}
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(Equal(expectedCode))
			if expectedCode != http.StatusOK {
				Expect(calls.Load()).To(BeZero())
			}
		},
		Entry("selector of another gateway", func() { f.gateway.Spec.Selector["istio"] = "ingressgateway" }, 0, "tls: internal error"),
		Entry("selector with one label too many", func() { f.gateway.Spec.Selector["zone"] = "a" }, 0, "tls: internal error"),
		Entry("port that the gateway does not serve", func() { f.gateway.Spec.Servers[0].Port.Number = 9443 }, 0, "tls: internal error"),
		Entry("credential in the namespace of the Gateway", func() { f.tlsSecret.Namespace = namespace }, 0, "tls: internal error"),
		Entry("credential without key", func() { delete(f.tlsSecret.Data, corev1.TLSPrivateKeyKey) }, 0, "tls: internal error"),
		Entry("host bound to another namespace", func() { f.gateway.Spec.Servers[0].Hosts = []string{"other/" + host} }, http.StatusNotFound, ""),
		Entry("host bound to its own namespace", func() { f.gateway.Spec.Servers[0].Hosts = []string{"./" + host} }, http.StatusOK, ""),
		Entry("VirtualService for another host", func() { f.virtualService.Spec.Hosts = []string{"other.ingress.garden.local"} }, http.StatusNotFound, ""),
		Entry("VirtualService for a wildcard", func() { f.virtualService.Spec.Hosts = []string{"*.ingress.garden.local"} }, http.StatusOK, ""),
		Entry("VirtualService of another Gateway", func() { f.virtualService.Spec.Gateways = []string{"prometheus-garden"} }, http.StatusNotFound, ""),
		Entry("VirtualService of a Gateway of that name elsewhere", func() { f.virtualService.Spec.Gateways = []string{"other/" + name} }, http.StatusNotFound, ""),
		Entry("VirtualService of the Gateway with namespace", func() { f.virtualService.Spec.Gateways = []string{namespace + "/" + name} }, http.StatusOK, ""),
		Entry("VirtualService exported elsewhere", func() { f.virtualService.Spec.ExportTo = []string{"istio-ingress"} }, http.StatusNotFound, ""),
		Entry("VirtualService not exported", func() { f.virtualService.Spec.ExportTo = nil }, http.StatusNotFound, ""),
		Entry("VirtualService exported to its own namespace", func() { f.virtualService.Spec.ExportTo = []string{"."} }, http.StatusNotFound, ""),
		Entry("VirtualService exported to all", func() { f.virtualService.Spec.ExportTo = []string{"*"} }, http.StatusOK, ""),
		Entry("port that the Service does not have", func() { f.service.Spec.Ports[0].Port = 4317 }, http.StatusServiceUnavailable, ""),
		Entry("Service exported elsewhere", func() { f.service.Annotations[istioapiannotation.NetworkingExportTo.Name] = "istio-ingress" }, http.StatusServiceUnavailable, ""),
		Entry("Service exported to several", func() {
			f.service.Annotations[istioapiannotation.NetworkingExportTo.Name] = "istio-ingress," + gatewayNamespace
		}, http.StatusOK, ""),
		Entry("Service not exported", func() { f.service.Annotations = nil }, http.StatusServiceUnavailable, ""),
		Entry("no exportTo at all where Istio's own defaults hold", func() {
			f.service.Annotations, f.virtualService.Spec.ExportTo, f.config.DefaultExportTo = nil, nil, nil
		}, http.StatusOK, ""),
		Entry("Service that does not exist", func() { f.service.Name = "other" }, http.StatusServiceUnavailable, ""),
		Entry("no endpoints", func() { f.endpointSlice.Endpoints = nil }, http.StatusServiceUnavailable, ""),
		Entry("no ready endpoints", func() { f.endpointSlice.Endpoints[0].Conditions.Ready = new(false) }, http.StatusServiceUnavailable, ""),
		Entry("endpoints of another port", func() { f.endpointSlice.Ports[0].Name = new("monitoring") }, http.StatusServiceUnavailable, ""),
		Entry("endpoints of another Service", func() { f.endpointSlice.Labels = nil }, http.StatusServiceUnavailable, ""),
		Entry("DestinationRule that asks for TLS where there is none", func() {
			f.destinationRule.Spec.TrafficPolicy.Tls = &istioapinetworkingv1beta1.ClientTLSSettings{Mode: istioapinetworkingv1beta1.ClientTLSSettings_SIMPLE}
		}, http.StatusServiceUnavailable, ""),
		Entry("DestinationRule that asks for TLS, but is not exported", func() {
			f.destinationRule.Spec.TrafficPolicy.Tls = &istioapinetworkingv1beta1.ClientTLSSettings{Mode: istioapinetworkingv1beta1.ClientTLSSettings_SIMPLE}
			f.destinationRule.Spec.ExportTo = nil
		}, http.StatusOK, ""),
	)

	Describe("routes", func() {
		match := func(uri *istioapinetworkingv1beta1.StringMatch) []*istioapinetworkingv1beta1.HTTPMatchRequest {
			return []*istioapinetworkingv1beta1.HTTPMatchRequest{{Uri: uri}}
		}

		It("should try matches by prefix and exact path in order", func() {
			f.backend(echo)
			f.virtualService.Spec.Http[0].Match = append(
				match(&istioapinetworkingv1beta1.StringMatch{MatchType: &istioapinetworkingv1beta1.StringMatch_Exact{Exact: "/v1/metrics"}}),
				match(&istioapinetworkingv1beta1.StringMatch{MatchType: &istioapinetworkingv1beta1.StringMatch_Prefix{Prefix: "/api/"}})...)
			f.start()

			for path, expected := range map[string]int{"/v1/metrics": 200, "/v1/metrics/": 404, "/v1/traces": 404, "/api/": 200, "/api/x?y=z": 200, "/api": 404, "/": 404} {
				code, _, err := f.post("https://"+host+path, "")
				Expect(err).NotTo(HaveOccurred())
				Expect(code).To(Equal(expected), path)
			}
		})

		It("should send upgrades elsewhere if Gardener's VirtualService says so", func() {
			f.backend(echo)
			Expect(istio.VirtualServiceForTLSTermination(f.virtualService, nil, []string{"*"}, []string{host}, name, servicePort, destinationHost, "nowhere.garden.svc.cluster.local", "upgrade")()).To(Succeed())
			f.start()

			f.expectCode(http.StatusOK)
			code, _, err := f.post(url, "", func(r *http.Request) {
				r.Header.Set("Connection", "Upgrade")
				r.Header.Set("Upgrade", "websocket")
			})
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(Equal(http.StatusServiceUnavailable))
		})

		It("should merge the routes of several VirtualServices for a host, those that match everything last", func() {
			f.backend(echo)
			f.start()
			other := f.virtualService.DeepCopy()
			other.ObjectMeta = metav1.ObjectMeta{Name: "zz-other", Namespace: namespace}
			other.Spec.Http[0].Match = match(&istioapinetworkingv1beta1.StringMatch{MatchType: &istioapinetworkingv1beta1.StringMatch_Prefix{Prefix: "/broken"}})
			other.Spec.Http[0].Route[0].Destination.Port.Number = 1
			Expect(f.client.Create(f.ctx, other)).To(Succeed())
			Expect(f.proxy.Refresh(f.ctx)).To(Succeed())

			f.expectCode(http.StatusOK)
			code, _, err := f.post("https://"+host+"/broken", "")
			Expect(err).NotTo(HaveOccurred())
			Expect(code).To(Equal(http.StatusServiceUnavailable))
		})
	})

	Describe("several gateways", func() {
		It("should keep them apart by selector, credential and exportTo", func() {
			f.backend(echo)
			f.config.Gateways = append(f.config.Gateways, ingress.GatewayWorkload{Namespace: "istio-ingress", Labels: map[string]string{"istio": "ingressgateway"}, Address: "localhost:0"})
			f.start()
			f.expectCode(http.StatusOK)

			f.address = f.proxy.ListenAddress("localhost:0")
			_, _, err := f.post(url, "")
			Expect(err).To(MatchError(ContainSubstring("tls: internal error")))
		})
	})

	Describe("#New", func() {
		It("should refuse a configuration that cannot work", func() {
			_, err := ingress.New(ingress.Config{})
			Expect(err).To(MatchError(ContainSubstring("RESTConfig or Reader")))
			f.start()
			f.config.Gateways = nil
			_, err = ingress.New(f.config)
			Expect(err).To(MatchError(ContainSubstring("at least one gateway workload")))
			f.config.Gateways = []ingress.GatewayWorkload{{Namespace: "istio-ingress", Address: "nowhere"}}
			_, err = ingress.New(f.config)
			Expect(err).To(MatchError(ContainSubstring("not of the form host:port")))
		})
	})
})
