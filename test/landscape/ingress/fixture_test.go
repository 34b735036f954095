// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	istioapiannotation "istio.io/api/annotation"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/gardener/gardener/pkg/utils/istio"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
)

const (
	gatewayNamespace = "virtual-garden-istio-ingress"
	namespace        = "garden"
	name             = "otel-federation-garden"
	host             = "otel-federation.ingress.garden.local"
	destinationHost  = name + "." + namespace + ".svc.cluster.local"
	tlsSecretName    = "otel-federation-tls"
	servicePort      = 4318
)

var gatewayLabels = map[string]string{"app": "istio-ingressgateway", "istio": "ingressgateway-virtual-garden"}

// fixture is a gateway in front of a Service, with the objects that an extension would create for it.
type fixture struct {
	ctx     context.Context
	client  client.Client
	config  ingress.Config
	proxy   *ingress.Proxy
	ca      *secretsutils.Certificate
	address string

	gateway         *istionetworkingv1beta1.Gateway
	virtualService  *istionetworkingv1beta1.VirtualService
	destinationRule *istionetworkingv1beta1.DestinationRule
	tlsSecret       *corev1.Secret
	service         *corev1.Service
	endpointSlice   *discoveryv1.EndpointSlice
}

func newFixture(ctx context.Context) *fixture {
	f := &fixture{ctx: ctx}
	ca, certificate := certificates()
	f.ca = ca

	labels := map[string]string{"app": name}
	f.gateway = &istionetworkingv1beta1.Gateway{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
	Expect(istio.GatewayWithTLSTermination(f.gateway, labels, map[string]string{"istio": gatewayLabels["istio"]}, []string{host}, tlsSecretName)()).To(Succeed())
	f.virtualService = &istionetworkingv1beta1.VirtualService{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
	Expect(istio.VirtualServiceForTLSTermination(f.virtualService, labels, []string{gatewayNamespace}, []string{host}, name, servicePort, destinationHost, "", "")()).To(Succeed())
	f.destinationRule = &istionetworkingv1beta1.DestinationRule{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}}
	Expect(istio.DestinationRuleWithLocalityPreference(f.destinationRule, labels, []string{gatewayNamespace}, destinationHost)()).To(Succeed())

	f.tlsSecret = &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: tlsSecretName, Namespace: gatewayNamespace},
		Data:       map[string][]byte{corev1.TLSCertKey: certificate.CertificatePEM, corev1.TLSPrivateKeyKey: certificate.PrivateKeyPEM},
	}
	f.service = &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Annotations: map[string]string{istioapiannotation.NetworkingExportTo.Name: gatewayNamespace}},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "otlp-http", Port: servicePort}, {Name: "monitoring", Port: 8888}}},
	}
	f.endpointSlice = newEndpointSlice()
	f.config = ingress.Config{
		Address:         "127.0.0.1:0",
		Gateways:        []ingress.GatewayWorkload{{Namespace: gatewayNamespace, Labels: gatewayLabels}},
		DefaultExportTo: []string{ingress.ExportToNone},
		Logger:          GinkgoLogr,
	}
	return f
}

// start creates the objects and starts the gateway.
func (f *fixture) start() {
	GinkgoHelper()

	objects := []client.Object{f.gateway, f.virtualService, f.destinationRule, f.tlsSecret, f.service, f.endpointSlice}
	f.client = fake.NewClientBuilder().WithScheme(ingress.Scheme).WithObjects(objects...).Build()
	f.config.Reader = f.client

	var err error
	f.proxy, err = ingress.New(f.config)
	Expect(err).NotTo(HaveOccurred())

	ctx, cancel := context.WithCancel(f.ctx)
	stopped := make(chan error, 1)
	go func() { stopped <- f.proxy.Start(ctx) }()
	DeferCleanup(func() {
		cancel()
		Eventually(stopped, "10s").Should(Receive(BeNil()))
	})
	Eventually(f.proxy.Ready()).Should(BeClosed())
	f.address = f.proxy.ListenAddress(f.config.Address)
}

// update changes an object and lets the gateway read it.
func (f *fixture) update(object client.Object) {
	GinkgoHelper()
	Expect(f.client.Update(f.ctx, object)).To(Succeed())
	Expect(f.proxy.Refresh(f.ctx)).To(Succeed())
}

// backend starts an HTTP server and makes it a ready endpoint of the Service.
func (f *fixture) backend(handler http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	DeferCleanup(server.Close)
	f.addEndpoint(server.Listener.Addr().String(), true)
	return server
}

// addEndpoint adds an endpoint. All have the same address, so they differ by a further port of the same name.
func (f *fixture) addEndpoint(address string, ready bool) {
	GinkgoHelper()
	ip, port, err := net.SplitHostPort(address)
	Expect(err).NotTo(HaveOccurred())
	number, err := strconv.ParseInt(port, 10, 32)
	Expect(err).NotTo(HaveOccurred())

	f.endpointSlice.Ports = append(f.endpointSlice.Ports, discoveryv1.EndpointPort{Name: new("otlp-http"), Port: new(int32(number))})
	f.endpointSlice.Endpoints = []discoveryv1.Endpoint{{Addresses: []string{ip}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}}
}

func newEndpointSlice() *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: name + "-abcde", Namespace: namespace, Labels: map[string]string{discoveryv1.LabelServiceName: name}},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
}

// certificates are a CA and a certificate for the host. Keys take long to generate, so most specs share them.
var certificates = sync.OnceValues(func() (*secretsutils.Certificate, *secretsutils.Certificate) {
	ca := newCertificate("ca", nil, nil)
	return ca, newCertificate("server", ca, []string{host})
})

func newCertificate(certificateName string, ca *secretsutils.Certificate, dnsNames []string) *secretsutils.Certificate {
	GinkgoHelper()
	config := &secretsutils.CertificateSecretConfig{Name: certificateName, CommonName: certificateName, CertType: secretsutils.CACert}
	if ca != nil {
		config.CertType, config.SigningCA, config.DNSNames = secretsutils.ServerCert, ca, dnsNames
	}
	certificate, err := config.GenerateCertificate()
	Expect(err).NotTo(HaveOccurred())
	return certificate
}

// httpClient is a client that trusts the CA and finds every host at the gateway.
func (f *fixture) httpClient(http2 bool) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(f.ca.CertificatePEM)
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, f.address)
		},
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		Protocols:       new(http.Protocols),
	}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetHTTP2(http2)
	DeferCleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 10 * time.Second}
}

// post sends a request and returns the status code and body of the response.
func (f *fixture) post(url, body string, modify ...func(*http.Request)) (int, string, error) {
	return f.postBy(f.httpClient(false), url, body, modify...)
}

func (f *fixture) postBy(httpClient *http.Client, url, body string, modify ...func(*http.Request)) (int, string, error) {
	request, err := http.NewRequestWithContext(f.ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for _, m := range modify {
		m(request)
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	return response.StatusCode, string(answer), err
}

func (f *fixture) expectCode(expected int) {
	GinkgoHelper()
	code, _, err := f.post("https://"+host+"/v1/metrics", "body")
	Expect(err).NotTo(HaveOccurred())
	Expect(code).To(Equal(expected))
}

// gather returns the values of all series of a metric.
func gather(f *fixture, metric string) []float64 {
	GinkgoHelper()
	families, err := f.proxy.Gatherer().Gather()
	Expect(err).NotTo(HaveOccurred())
	var values []float64
	for _, family := range families {
		for _, series := range family.GetMetric() {
			if family.GetName() == metric {
				values = append(values, series.GetCounter().GetValue())
			}
		}
	}
	return values
}
