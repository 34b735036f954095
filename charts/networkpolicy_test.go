// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package charts_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

var _ = Describe("NetworkPolicies", func() {
	It("should let the pods of the garden part ask the garden Prometheus, in both directions", func() {
		var (
			objects    = render(runtimeNamespace, runtimeValues())
			pods       = metav1.LabelSelector{MatchLabels: objects.deployment(runtimeNamespace, garden.name).Spec.Template.Labels}
			prometheus = metav1.LabelSelector{MatchLabels: map[string]string{"prometheus": "garden"}}
			namespaced = func(name string) *metav1.LabelSelector {
				return &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": name}}
			}
			ports = []networkingv1.NetworkPolicyPort{{Port: new(intstr.FromInt32(9090)), Protocol: new(corev1.ProtocolTCP)}}
		)

		egress := get[*networkingv1.NetworkPolicy](objects, "NetworkPolicy", runtimeNamespace, garden.name+"-to-prometheus-garden").Spec
		ingress := get[*networkingv1.NetworkPolicy](objects, "NetworkPolicy", gardenNamespace, "prometheus-garden-from-"+garden.name).Spec
		own := egress.PodSelector
		Expect(own.MatchLabels).NotTo(BeEmpty())
		for key, value := range own.MatchLabels {
			Expect(pods.MatchLabels).To(HaveKeyWithValue(key, value))
		}

		Expect(egress).To(Equal(networkingv1.NetworkPolicySpec{
			PodSelector: own,
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress: []networkingv1.NetworkPolicyEgressRule{{
				To:    []networkingv1.NetworkPolicyPeer{{NamespaceSelector: namespaced(gardenNamespace), PodSelector: &prometheus}},
				Ports: ports,
			}},
		}))
		Expect(ingress).To(Equal(networkingv1.NetworkPolicySpec{
			PodSelector: prometheus,
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From:  []networkingv1.NetworkPolicyPeer{{NamespaceSelector: namespaced(runtimeNamespace), PodSelector: &own}},
				Ports: ports,
			}},
		}))
	})
})
