// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"google.golang.org/protobuf/types/known/durationpb"
	istioapinetworkingv1beta1 "istio.io/api/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gardener/gardener/pkg/utils/istio"
)

var _ = Describe("Proxy and endpoints", func() {
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

	Describe("endpoints", func() {
		named := func(id string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				_, _ = io.WriteString(w, id)
			})
		}
		answers := func(n int, modify ...func(*http.Request)) string {
			GinkgoHelper()
			var all []string
			for range n {
				code, body, err := f.post(url, "body", modify...)
				Expect(err).NotTo(HaveOccurred())
				Expect(code).To(Equal(http.StatusOK))
				all = append(all, body)
			}
			slices.Sort(all)
			return strings.Join(all, "")
		}

		It("should take turns", func() {
			f.backend(named("a"))
			f.backend(named("b"))
			f.start()
			Expect(answers(10)).To(Equal("aaaaabbbbb"))
		})

		It("should stay at one endpoint per value of the header if the DestinationRule asks for it", func() {
			f.backend(named("a"))
			f.backend(named("b"))
			f.destinationRule.Spec.TrafficPolicy.LoadBalancer = &istioapinetworkingv1beta1.LoadBalancerSettings{
				LbPolicy: &istioapinetworkingv1beta1.LoadBalancerSettings_ConsistentHash{ConsistentHash: &istioapinetworkingv1beta1.LoadBalancerSettings_ConsistentHashLB{
					HashKey: &istioapinetworkingv1beta1.LoadBalancerSettings_ConsistentHashLB_HttpHeaderName{HttpHeaderName: "X-Seed"},
				}},
			}
			f.start()

			chosen := map[string]bool{}
			for i := range 20 {
				one := answers(3, func(r *http.Request) { r.Header.Set("X-Seed", fmt.Sprintf("seed-%d", i)) })
				Expect(one).To(Or(Equal("aaa"), Equal("bbb")))
				chosen[one] = true
			}
			Expect(chosen).To(HaveLen(2))
			Expect(answers(4)).To(Equal("aabb"))
		})

		It("should try another endpoint if the connection fails, with the whole body", func() {
			dead, err := net.Listen("tcp", "127.0.0.1:0")
			Expect(err).NotTo(HaveOccurred())
			f.addEndpoint(dead.Addr().String(), true)
			Expect(dead.Close()).To(Succeed())
			f.backend(echo)
			f.start()

			large := strings.Repeat("x", 1<<20)
			for range 4 {
				code, body, err := f.post(url, large)
				Expect(err).NotTo(HaveOccurred())
				Expect(code).To(Equal(http.StatusOK))
				Expect(body).To(Equal(large))
			}
		})

		It("should answer 503 if no endpoint can be connected to, and again 200 when it is back", func() {
			server := f.backend(echo)
			f.start()
			f.expectCode(http.StatusOK)
			server.Close()
			f.expectCode(http.StatusServiceUnavailable)

			f.endpointSlice.Ports = nil
			f.backend(echo)
			f.update(f.endpointSlice)
			f.expectCode(http.StatusOK)
		})

		It("should pass on the answer of the endpoint without trying again", func() {
			f.backend(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				calls.Add(1)
				w.WriteHeader(http.StatusTooManyRequests)
			}))
			f.start()
			f.expectCode(http.StatusTooManyRequests)
			Expect(calls.Load()).To(Equal(int32(1)))
		})

		It("should answer 504 after the timeout of the route", func() {
			f.backend(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			}))
			f.virtualService.Spec.Http[0].Timeout = durationpb.New(100 * time.Millisecond)
			f.start()
			f.expectCode(http.StatusGatewayTimeout)
		})

		It("should let requests wait if there are as many connections as the DestinationRule allows", func() {
			var (
				underWay atomic.Int32
				proceed  = make(chan struct{})
				codes    = make(chan int, 2)
			)
			f.backend(http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) {
				underWay.Add(1)
				<-proceed
			}))
			f.destinationRule.Spec.TrafficPolicy.ConnectionPool.Tcp.MaxConnections = 1
			f.start()

			for range 2 {
				go func() {
					defer GinkgoRecover()
					code, _, err := f.post(url, "body")
					Expect(err).NotTo(HaveOccurred())
					codes <- code
				}()
			}
			Eventually(underWay.Load).Should(BeEquivalentTo(1))
			Consistently(underWay.Load).WithTimeout(300 * time.Millisecond).Should(BeEquivalentTo(1))
			close(proceed)
			for range 2 {
				Eventually(codes).Should(Receive(Equal(http.StatusOK)))
			}
			Expect(underWay.Load()).To(BeEquivalentTo(2))
		})

		It("should talk HTTP/2 to a port whose name says so", func() {
			f.backend(echo)
			f.service.Spec.Ports[0].Name = "grpc-otlp"
			f.endpointSlice.Ports[0].Name = new("grpc-otlp")
			f.start()
			f.expectCode(http.StatusOK)
			Expect(last.Load().ProtoMajor).To(Equal(2))
		})
	})

	Describe("endpoints with TLS", func() {
		const caSecretName = "otel-federation-ca"
		var caSecret *corev1.Secret

		BeforeEach(func() {
			backendCA := newCertificate("backend-ca", nil, nil)
			certificate := newCertificate("backend", backendCA, []string{"backend.local"})
			pair, err := tls.X509KeyPair(certificate.CertificatePEM, certificate.PrivateKeyPEM)
			Expect(err).NotTo(HaveOccurred())

			server := httptest.NewUnstartedServer(echo)
			server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
			server.StartTLS()
			DeferCleanup(server.Close)
			f.addEndpoint(server.Listener.Addr().String(), true)

			Expect(istio.DestinationRuleWithTLSTermination(f.destinationRule, nil, []string{gatewayNamespace}, destinationHost, host, caSecretName, istioapinetworkingv1beta1.ClientTLSSettings_SIMPLE)()).To(Succeed())
			caSecret = &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: caSecretName, Namespace: gatewayNamespace}, Data: map[string][]byte{"cacert": backendCA.CertificatePEM}}
			f.start()
		})

		It("should verify them with the CA in the gateway's namespace", func() {
			f.expectCode(http.StatusServiceUnavailable)
			Expect(f.client.Create(f.ctx, caSecret)).To(Succeed())
			Expect(f.proxy.Refresh(f.ctx)).To(Succeed())
			f.expectCode(http.StatusOK)
			Expect(last.Load().TLS).NotTo(BeNil())
		})

		It("should refuse them if the CA is another one", func() {
			caSecret.Data["cacert"] = f.ca.CertificatePEM
			Expect(f.client.Create(f.ctx, caSecret)).To(Succeed())
			Expect(f.proxy.Refresh(f.ctx)).To(Succeed())
			f.expectCode(http.StatusServiceUnavailable)
		})

		It("should verify names if the DestinationRule lists some", func() {
			Expect(f.client.Create(f.ctx, caSecret)).To(Succeed())
			f.destinationRule.Spec.TrafficPolicy.Tls.SubjectAltNames = []string{"other.local"}
			f.update(f.destinationRule)
			f.expectCode(http.StatusServiceUnavailable)
			f.destinationRule.Spec.TrafficPolicy.Tls.SubjectAltNames = []string{"other.local", "backend.local"}
			f.update(f.destinationRule)
			f.expectCode(http.StatusOK)
		})
	})
})
