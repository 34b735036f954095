// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// portNameProcess connects the port of a Service with that of its EndpointSlice.
const portNameProcess = "https"

// processService is a Service that leads to a process of the landscape. It is no pod, so that no controller knows its endpoints. The API
// server goes to the endpoints directly.
type processService struct {
	key client.ObjectKey
	// port is the port of the Service, targetPort that of the process.
	port, targetPort int32
	// address is the address of the process.
	address string
}

// deploy creates the Service and its endpoint.
func (s *processService) deploy(ctx context.Context, c client.Client) error {
	if err := apply(ctx, c, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: s.key.Name, Namespace: s.key.Namespace},
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Ports:     []corev1.ServicePort{{Name: portNameProcess, Port: s.port, TargetPort: intstr.FromInt32(s.targetPort)}},
		},
	}); err != nil {
		return err
	}
	return apply(ctx, c, &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: s.key.Name, Namespace: s.key.Namespace, Labels: map[string]string{discoveryv1.LabelServiceName: s.key.Name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new(portNameProcess), Port: new(s.targetPort), Protocol: new(corev1.ProtocolTCP)}},
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{s.address}, Conditions: discoveryv1.EndpointConditions{Ready: new(true)}}},
	})
}
