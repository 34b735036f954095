// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"

	"github.com/go-logr/logr"
	"github.com/miekg/dns"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

var _ = Describe("Services", func() {
	var (
		services  []corev1.Service
		endpoints []discoveryv1.EndpointSlice
		server    *dnsServer
	)

	BeforeEach(func() {
		port := corev1.ServicePort{Name: "http", Port: 80, Protocol: corev1.ProtocolTCP}
		services = []corev1.Service{
			{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "web"}, Spec: corev1.ServiceSpec{ClusterIP: "198.19.0.7", Ports: []corev1.ServicePort{port}}},
			{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "headless"}, Spec: corev1.ServiceSpec{ClusterIP: "None", Ports: []corev1.ServicePort{port}}},
			{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "all"}, Spec: corev1.ServiceSpec{ClusterIP: "None", PublishNotReadyAddresses: true}},
			{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "idle"}, Spec: corev1.ServiceSpec{ClusterIP: "198.19.0.8", Ports: []corev1.ServicePort{port}}},
			{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "alias"}, Spec: corev1.ServiceSpec{Type: corev1.ServiceTypeExternalName, ExternalName: "web.ns.svc.cluster.local"}},
		}
		endpoints = []discoveryv1.EndpointSlice{slice("web"), slice("headless"), slice("all")}
		builder := fake.NewClientBuilder()
		for i := range services {
			builder.WithObjects(&services[i])
		}
		for i := range endpoints {
			builder.WithObjects(&endpoints[i])
		}
		server = newDNSServer(builder.Build(), Config{
			ExternalHosts: map[string]string{"*.ingress.example.org": "198.18.0.2", "api.example.org": "198.18.1.1"},
			Logger:        logr.Discard(),
		})
	})

	query := func(name string, queryType uint16) *dns.Msg {
		GinkgoHelper()
		return server.answer(context.Background(), (&dns.Msg{}).SetQuestion(name, queryType))
	}

	DescribeTable("should answer address queries", func(name string, expected ...string) {
		response := query(name, dns.TypeA)
		Expect(response.Rcode).To(Equal(dns.RcodeSuccess))
		var addresses []string
		for _, record := range response.Answer {
			if address, ok := record.(*dns.A); ok {
				addresses = append(addresses, address.A.String())
			}
		}
		Expect(addresses).To(ConsistOf(expected))

		response = query(name, dns.TypeAAAA)
		Expect(response.Rcode).To(Equal(dns.RcodeSuccess))
		Expect(response.Answer).NotTo(ContainElement(BeAssignableToTypeOf(&dns.AAAA{})))
	},
		Entry("service", "web.ns.svc.cluster.local.", "198.19.0.7"),
		Entry("service in other case", "WEB.ns.svc.cluster.local.", "198.19.0.7"),
		Entry("headless service", "headless.ns.svc.cluster.local.", "198.18.100.1"),
		Entry("headless service with unready endpoints", "all.ns.svc.cluster.local.", "198.18.100.1", "198.18.100.2"),
		Entry("hostname", "web-0.headless.ns.svc.cluster.local.", "198.18.100.1"),
		Entry("name of an endpoint without hostname", "198-18-100-2.all.ns.svc.cluster.local.", "198.18.100.2"),
		Entry("external name", "alias.ns.svc.cluster.local.", "198.19.0.7"),
		Entry("external host", "api.example.org.", "198.18.1.1"),
		Entry("external suffix", "a.b.ingress.example.org.", "198.18.0.2"),
	)

	DescribeTable("should deny unknown names", func(name string) {
		Expect(query(name, dns.TypeA).Rcode).To(Equal(dns.RcodeNameError))
		Expect(query(name, dns.TypeAAAA).Rcode).To(Equal(dns.RcodeNameError))
	},
		Entry("service", "none.ns.svc.cluster.local."),
		Entry("namespace", "web.none.svc.cluster.local."),
		Entry("hostname", "web-1.headless.ns.svc.cluster.local."),
		Entry("hostname of a service that is not headless", "web-0.web.ns.svc.cluster.local."),
		Entry("searched name", "api.example.org.svc.cluster.local."),
		Entry("suffix itself", "ingress.example.org."),
		Entry("anything else", "example.org."),
	)

	It("should answer service queries", func() {
		response := query("_http._tcp.web.ns.svc.cluster.local.", dns.TypeSRV)
		Expect(response.Answer).To(ConsistOf(And(HaveField("Target", "web.ns.svc.cluster.local."), HaveField("Port", uint16(80)))))
		response = query("_http._tcp.headless.ns.svc.cluster.local.", dns.TypeSRV)
		Expect(response.Answer).To(ConsistOf(And(HaveField("Target", "web-0.headless.ns.svc.cluster.local."), HaveField("Port", uint16(8080)))))
		Expect(response.Extra).To(ConsistOf(HaveField("Hdr.Name", "web-0.headless.ns.svc.cluster.local.")))
		Expect(query("_grpc._tcp.web.ns.svc.cluster.local.", dns.TypeSRV).Rcode).To(Equal(dns.RcodeNameError))
	})

	It("should forward to the ready endpoints", func() {
		Expect(proxyBackends(services, endpoints)).To(Equal(map[string][]string{"198.19.0.7:80": {"198.18.100.1:8080"}}))
		services[0].Spec.PublishNotReadyAddresses = true
		Expect(proxyBackends(services, endpoints)).To(HaveKeyWithValue("198.19.0.7:80", []string{"198.18.100.1:8080", "198.18.100.2:8080"}))
	})
})

func slice(service string) discoveryv1.EndpointSlice {
	return discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Namespace: "ns", Name: service + "-1", Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new("http"), Port: new(int32(8080)), Protocol: new(corev1.ProtocolTCP)}},
		Endpoints: []discoveryv1.Endpoint{
			{Addresses: []string{"198.18.100.1"}, Hostname: new("web-0"), Conditions: discoveryv1.EndpointConditions{Ready: new(true)}},
			{Addresses: []string{"198.18.100.2"}, Conditions: discoveryv1.EndpointConditions{Ready: new(false)}},
		},
	}
}
