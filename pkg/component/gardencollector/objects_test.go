// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector_test

import (
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	istioapinetworkingv1beta1 "istio.io/api/networking/v1beta1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

const serviceHost = "otel-federation-garden.garden.svc.cluster.local"

func expectedMeta(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Name: name, Namespace: "garden", Labels: collectortest.ObjectLabels("otel-federation-garden")}
}

func expectedJWKS() *corev1.ConfigMap {
	return &corev1.ConfigMap{
		ObjectMeta: expectedMeta("otel-federation-garden-jwks"),
		Data:       map[string]string{"jwks.json": jwks},
	}
}

func expectedService() *corev1.Service {
	selector := collectortest.PodSelector(name)
	selector["otel-federation.extensions.gardener.cloud/receives"] = "true"
	return &corev1.Service{
		ObjectMeta: expectedMeta(name),
		Spec: corev1.ServiceSpec{
			Type:           "ClusterIP",
			IPFamilyPolicy: new(corev1.IPFamilyPolicyPreferDualStack),
			Selector:       selector,
			Ports: []corev1.ServicePort{{
				Name:       "http-otlp",
				Port:       4318,
				TargetPort: intstr.FromInt32(4318),
				Protocol:   "TCP",
			}},
		},
	}
}

// expectedExportedService is the Service if there is an ingress.
func expectedExportedService() *corev1.Service {
	obj := expectedService()
	obj.Annotations = map[string]string{"networking.istio.io/exportTo": gatewayNamespace}
	return obj
}

func expectedPodDisruptionBudget() *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: expectedMeta(name),
		Spec: policyv1.PodDisruptionBudgetSpec{
			MaxUnavailable:             new(intstr.FromInt32(1)),
			Selector:                   &metav1.LabelSelector{MatchLabels: collectortest.PodSelector(name)},
			UnhealthyPodEvictionPolicy: new(policyv1.AlwaysAllow),
		},
	}
}

func expectedTLSSecret() *corev1.Secret {
	obj := &corev1.Secret{
		ObjectMeta: expectedMeta("garden-otel-federation-garden-my-cert"),
		Type:       "kubernetes.io/tls",
		Data:       map[string][]byte{"tls.crt": []byte("certificate"), "tls.key": []byte("key")},
	}
	obj.Namespace = gatewayNamespace
	return obj
}

func expectedGateway() *istionetworkingv1beta1.Gateway {
	return &istionetworkingv1beta1.Gateway{
		ObjectMeta: expectedMeta(name),
		Spec: istioapinetworkingv1beta1.Gateway{
			Selector: gatewaySelector(),
			Servers: []*istioapinetworkingv1beta1.Server{{
				Hosts: []string{host},
				Port:  &istioapinetworkingv1beta1.Port{Number: 443, Name: "tls", Protocol: "HTTPS"},
				Tls: &istioapinetworkingv1beta1.ServerTLSSettings{
					Mode:           istioapinetworkingv1beta1.ServerTLSSettings_SIMPLE,
					CredentialName: "garden-otel-federation-garden-my-cert",
				},
			}},
		},
	}
}

func expectedVirtualService() *istionetworkingv1beta1.VirtualService {
	return &istionetworkingv1beta1.VirtualService{
		ObjectMeta: expectedMeta(name),
		Spec: istioapinetworkingv1beta1.VirtualService{
			ExportTo: []string{gatewayNamespace},
			Hosts:    []string{host},
			Gateways: []string{name},
			Http: []*istioapinetworkingv1beta1.HTTPRoute{{
				Route: []*istioapinetworkingv1beta1.HTTPRouteDestination{{
					Destination: &istioapinetworkingv1beta1.Destination{
						Host: serviceHost,
						Port: &istioapinetworkingv1beta1.PortSelector{Number: 4318},
					},
				}},
			}},
		},
	}
}

func expectedDestinationRule() *istionetworkingv1beta1.DestinationRule {
	return &istionetworkingv1beta1.DestinationRule{
		ObjectMeta: expectedMeta(name),
		Spec: istioapinetworkingv1beta1.DestinationRule{
			ExportTo: []string{gatewayNamespace},
			Host:     serviceHost,
			TrafficPolicy: &istioapinetworkingv1beta1.TrafficPolicy{
				ConnectionPool: &istioapinetworkingv1beta1.ConnectionPoolSettings{
					Tcp: &istioapinetworkingv1beta1.ConnectionPoolSettings_TCPSettings{
						MaxConnectionDuration: &durationpb.Duration{Seconds: 86400},
						TcpKeepalive: &istioapinetworkingv1beta1.ConnectionPoolSettings_TCPSettings_TcpKeepalive{
							Time:     &durationpb.Duration{Seconds: 7200},
							Interval: &durationpb.Duration{Seconds: 75},
						},
					},
				},
				LoadBalancer: &istioapinetworkingv1beta1.LoadBalancerSettings{
					LocalityLbSetting: &istioapinetworkingv1beta1.LocalityLoadBalancerSetting{
						Enabled:          &wrapperspb.BoolValue{Value: true},
						FailoverPriority: []string{"topology.kubernetes.io/zone"},
					},
				},
				OutlierDetection: &istioapinetworkingv1beta1.OutlierDetection{},
				Tls:              &istioapinetworkingv1beta1.ClientTLSSettings{Mode: istioapinetworkingv1beta1.ClientTLSSettings_DISABLE},
			},
		},
	}
}

func expectedNetworkPolicy() *networkingv1.NetworkPolicy {
	return &networkingv1.NetworkPolicy{
		ObjectMeta: expectedMeta("ingress-to-otel-federation-garden"),
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: collectortest.PodSelector(name)},
			PolicyTypes: []networkingv1.PolicyType{"Ingress"},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				From: []networkingv1.NetworkPolicyPeer{{
					NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": gatewayNamespace}},
					PodSelector:       &metav1.LabelSelector{MatchLabels: gatewaySelector()},
				}},
				Ports: []networkingv1.NetworkPolicyPort{{
					Port:     new(intstr.FromInt32(4318)),
					Protocol: new(corev1.ProtocolTCP),
				}},
			}},
		},
	}
}
