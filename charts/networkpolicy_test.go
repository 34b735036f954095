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
	for _, part := range []class{seed, garden} {
		It("should let the pods of the "+part.extensionClass+" part ask the collectors of their class, in both directions", func() {
			var (
				objects    = render(part.namespace, part.values())
				pods       = objects.deployment(part.namespace, part.name).Spec.Template.Labels
				collectors = metav1.LabelSelector{MatchLabels: map[string]string{"app": "otel-federation-" + part.extensionClass, "app.kubernetes.io/component": "opentelemetry-collector"}}
				own        = metav1.LabelSelector{MatchLabels: map[string]string{"app.kubernetes.io/name": part.name, "app.kubernetes.io/instance": pods["app.kubernetes.io/instance"]}}
				ports      = []networkingv1.NetworkPolicyPort{{Port: new(intstr.FromInt32(8888)), Protocol: new(corev1.ProtocolTCP)}}
			)
			for key, value := range own.MatchLabels {
				Expect(pods).To(HaveKeyWithValue(key, value))
			}

			Expect(get[*networkingv1.NetworkPolicy](objects, "NetworkPolicy", part.namespace, part.name+"-to-collectors").Spec).To(Equal(networkingv1.NetworkPolicySpec{
				PodSelector: own,
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
				Egress: []networkingv1.NetworkPolicyEgressRule{{
					To:    []networkingv1.NetworkPolicyPeer{{NamespaceSelector: namespaced(gardenNamespace), PodSelector: &collectors}},
					Ports: ports,
				}},
			}))
			Expect(get[*networkingv1.NetworkPolicy](objects, "NetworkPolicy", gardenNamespace, "otel-federation-"+part.extensionClass+"-from-"+part.name).Spec).To(Equal(networkingv1.NetworkPolicySpec{
				PodSelector: collectors,
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
				Ingress: []networkingv1.NetworkPolicyIngressRule{{
					From:  []networkingv1.NetworkPolicyPeer{{NamespaceSelector: namespaced(part.namespace), PodSelector: &own}},
					Ports: ports,
				}},
			}))
		})
	}

	It("should let the aggregate Prometheus scrape the pods of the seed part, in both directions, if it scrapes them at all", func() {
		var (
			objects   = render(seedNamespace, seedValues())
			own       = metav1.LabelSelector{MatchLabels: objects.service(seedNamespace, seed.name).Spec.Selector}
			aggregate = metav1.LabelSelector{MatchLabels: map[string]string{"prometheus": "aggregate"}}
			ports     = []networkingv1.NetworkPolicyPort{{Port: new(intstr.FromInt32(8080)), Protocol: new(corev1.ProtocolTCP)}}
		)

		Expect(get[*networkingv1.NetworkPolicy](objects, "NetworkPolicy", seedNamespace, seed.name+"-from-prometheus-aggregate").Spec).To(Equal(networkingv1.NetworkPolicySpec{
			PodSelector: own,
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From:  []networkingv1.NetworkPolicyPeer{{NamespaceSelector: namespaced(gardenNamespace), PodSelector: &aggregate}},
				Ports: ports,
			}},
		}))
		Expect(get[*networkingv1.NetworkPolicy](objects, "NetworkPolicy", gardenNamespace, "prometheus-aggregate-to-"+seed.name).Spec).To(Equal(networkingv1.NetworkPolicySpec{
			PodSelector: aggregate,
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress},
			Egress: []networkingv1.NetworkPolicyEgressRule{{
				To:    []networkingv1.NetworkPolicyPeer{{NamespaceSelector: namespaced(seedNamespace), PodSelector: &own}},
				Ports: ports,
			}},
		}))

		off := render(seedNamespace, seedValues(), map[string]any{"metrics": map[string]any{"enableScraping": false}})
		Expect(off).NotTo(HaveKey("NetworkPolicy/" + gardenNamespace + "/prometheus-aggregate-to-" + seed.name))
		Expect(off).NotTo(HaveKey("NetworkPolicy/" + seedNamespace + "/" + seed.name + "-from-prometheus-aggregate"))
	})

	It("should let the pods of the garden part ask the garden Prometheus, in both directions", func() {
		var (
			objects    = render(runtimeNamespace, runtimeValues())
			pods       = metav1.LabelSelector{MatchLabels: objects.deployment(runtimeNamespace, garden.name).Spec.Template.Labels}
			prometheus = metav1.LabelSelector{MatchLabels: map[string]string{"prometheus": "garden"}}
			ports      = []networkingv1.NetworkPolicyPort{{Port: new(intstr.FromInt32(9090)), Protocol: new(corev1.ProtocolTCP)}}
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

func namespaced(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": name}}
}
