// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package netpol_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	. "github.com/gardener/gardener-extension-otel-federation/test/utils/netpol"
)

var _ = Describe("Cluster", func() {
	var (
		a     = Pod{Name: "a", Namespace: "one", Labels: map[string]string{"app": "a"}}
		b     = Pod{Name: "b", Namespace: "one", Labels: map[string]string{"app": "b"}}
		c     = Pod{Name: "c", Namespace: "two", Labels: map[string]string{"app": "c"}}
		other = Pod{Name: "other", Namespace: "two", Labels: map[string]string{"app": "a"}}

		selects = func(value string) *metav1.LabelSelector {
			return &metav1.LabelSelector{MatchLabels: map[string]string{"app": value}}
		}
		port = func(number int32, protocol corev1.Protocol) networkingv1.NetworkPolicyPort {
			return networkingv1.NetworkPolicyPort{Port: new(intstr.FromInt32(number)), Protocol: &protocol}
		}
		policy = func(name string, spec networkingv1.NetworkPolicySpec) networkingv1.NetworkPolicy {
			return networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "one", Name: name}, Spec: spec}
		}
		denyAll = policy("deny-all", networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress}})
		cluster *Cluster
	)

	BeforeEach(func() {
		cluster = &Cluster{Pods: []Pod{a, b, c, other}, Namespaces: map[string]map[string]string{"one": {"name": "one"}, "two": {"name": "two"}}}
	})

	It("should allow everything where no policy selects the pod for the direction", func() {
		cluster.Policies = []networkingv1.NetworkPolicy{policy("ingress", networkingv1.NetworkPolicySpec{PodSelector: *selects("a"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}})}

		Expect(cluster.Egress(a)).To(ConsistOf(Flow{Anywhere, AnyPort}))
		Expect(cluster.Ingress(a)).To(BeEmpty())
		Expect(cluster.Ingress(b)).To(ConsistOf(Flow{Anywhere, AnyPort}))
		Expect(cluster.Ingress(other)).To(ConsistOf(Flow{Anywhere, AnyPort}), "the policy is in another namespace")
	})

	It("should add up what policies allow", func() {
		cluster.Policies = []networkingv1.NetworkPolicy{denyAll,
			policy("to-b", networkingv1.NetworkPolicySpec{
				PodSelector: *selects("a"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
				Egress: []networkingv1.NetworkPolicyEgressRule{{To: []networkingv1.NetworkPolicyPeer{{PodSelector: selects("b")}}, Ports: []networkingv1.NetworkPolicyPort{port(1, corev1.ProtocolTCP), port(2, corev1.ProtocolUDP)}}},
			}),
			policy("to-two", networkingv1.NetworkPolicySpec{
				PodSelector: *selects("a"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
				Egress: []networkingv1.NetworkPolicyEgressRule{
					{To: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"name": "two"}}, PodSelector: selects("c")}}},
					{To: []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "192.0.2.0/24"}}}, Ports: []networkingv1.NetworkPolicyPort{port(3, corev1.ProtocolTCP)}},
				},
			}),
		}

		Expect(cluster.Egress(a)).To(ConsistOf(Flow{"one/b", "TCP/1"}, Flow{"one/b", "UDP/2"}, Flow{"two/c", AnyPort}, Flow{Addresses("to-two"), "TCP/3"}))
		Expect(cluster.Egress(b)).To(BeEmpty())
	})

	It("should take a rule without peers for one about everybody, and a namespace without pods for all of its pods", func() {
		cluster.Policies = []networkingv1.NetworkPolicy{
			policy("from", networkingv1.NetworkPolicySpec{
				PodSelector: *selects("a"), PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
				Ingress: []networkingv1.NetworkPolicyIngressRule{
					{Ports: []networkingv1.NetworkPolicyPort{port(1, corev1.ProtocolTCP)}},
					{From: []networkingv1.NetworkPolicyPeer{{NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"name": "two"}}}}, Ports: []networkingv1.NetworkPolicyPort{port(2, corev1.ProtocolTCP)}},
				},
			}),
		}

		Expect(cluster.Ingress(a)).To(ConsistOf(Flow{Anywhere, "TCP/1"}, Flow{"two/c", "TCP/2"}, Flow{"two/other", "TCP/2"}))
	})
})
