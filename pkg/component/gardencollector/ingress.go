// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector

import (
	"fmt"

	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/pkg/utils/istio"
	kubernetesutils "github.com/gardener/gardener/pkg/utils/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
)

// ingressObjects expose the fan-out on the ingress gateway of the garden.
func (g *gardenCollector) ingressObjects() ([]client.Object, error) {
	gateway, err := g.gateway()
	if err != nil {
		return nil, err
	}

	virtualService, err := g.virtualService()
	if err != nil {
		return nil, err
	}

	destinationRule, err := g.destinationRule()
	if err != nil {
		return nil, err
	}

	return []client.Object{g.tlsSecret(), gateway, virtualService, destinationRule, g.networkPolicy()}, nil
}

// tlsSecret is a copy in the namespace of the gateway, the only place where Istio looks for it.
func (g *gardenCollector) tlsSecret() *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:      fmt.Sprintf("%s-%s-%s", g.namespace, name, g.values.Ingress.TLSSecretName),
			Namespace: g.values.Ingress.GatewayNamespace,
			Labels:    getLabels(),
		},
		Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{
			corev1.TLSCertKey:       g.values.Ingress.TLSSecretData[corev1.TLSCertKey],
			corev1.TLSPrivateKeyKey: g.values.Ingress.TLSSecretData[corev1.TLSPrivateKeyKey],
		},
	}
}

func (g *gardenCollector) gateway() (*istionetworkingv1beta1.Gateway, error) {
	obj := &istionetworkingv1beta1.Gateway{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: g.namespace}}
	if err := istio.GatewayWithTLSTermination(obj, getLabels(), g.values.Ingress.GatewaySelector, []string{g.values.Ingress.Host}, g.tlsSecret().Name)(); err != nil {
		return nil, fmt.Errorf("failed to render Gateway %s/%s: %w", g.namespace, name, err)
	}
	return obj, nil
}

func (g *gardenCollector) virtualService() (*istionetworkingv1beta1.VirtualService, error) {
	obj := &istionetworkingv1beta1.VirtualService{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: g.namespace}}
	if err := istio.VirtualServiceForTLSTermination(obj, getLabels(), []string{g.values.Ingress.GatewayNamespace}, []string{g.values.Ingress.Host}, name, Port, g.serviceHost(), "", "")(); err != nil {
		return nil, fmt.Errorf("failed to render VirtualService %s/%s: %w", g.namespace, name, err)
	}
	return obj, nil
}

func (g *gardenCollector) destinationRule() (*istionetworkingv1beta1.DestinationRule, error) {
	obj := &istionetworkingv1beta1.DestinationRule{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: g.namespace}}
	if err := istio.DestinationRuleWithLocalityPreference(obj, getLabels(), []string{g.values.Ingress.GatewayNamespace}, g.serviceHost())(); err != nil {
		return nil, fmt.Errorf("failed to render DestinationRule %s/%s: %w", g.namespace, name, err)
	}
	return obj, nil
}

// networkPolicy admits the ingress gateway to the fan-out.
func (g *gardenCollector) networkPolicy() *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: "ingress-to-" + name, Namespace: g.namespace, Labels: getLabels()},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: collector.PodLabels(name)},
			PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From: []networkingv1.NetworkPolicyPeer{{
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{corev1.LabelMetadataName: g.values.Ingress.GatewayNamespace}},
					PodSelector:       &metav1.LabelSelector{MatchLabels: g.values.Ingress.GatewaySelector},
				}},
				Ports: []networkingv1.NetworkPolicyPort{{
					Port:     new(intstr.FromInt32(Port)),
					Protocol: new(corev1.ProtocolTCP),
				}},
			}},
		},
	}
}

func (g *gardenCollector) serviceHost() string {
	return kubernetesutils.FQDNForService(name, g.namespace)
}
