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

// processService is a Service that leads to processes of the landscape. They are not pods, so that no controller knows its
// endpoints. The API server goes to the endpoints directly.
type processService struct {
	key client.ObjectKey
	// port is the port of the Service, targetPort that of the processes.
	port, targetPort int32
	// addresses are the addresses of the processes.
	addresses []string
}

// deploy creates the Service and its endpoints, of which some are ready.
func (s *processService) deploy(ctx context.Context, c client.Client, ready []bool) error {
	if err := apply(ctx, c, &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: s.key.Name, Namespace: s.key.Namespace},
		Spec: corev1.ServiceSpec{
			ClusterIP: corev1.ClusterIPNone,
			Ports:     []corev1.ServicePort{{Name: portNameProcess, Port: s.port, TargetPort: intstr.FromInt32(s.targetPort)}},
		},
	}); err != nil {
		return err
	}
	return s.setReady(ctx, c, ready)
}

// setReady says for each address whether the process there is ready.
func (s *processService) setReady(ctx context.Context, c client.Client, ready []bool) error {
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta:  metav1.ObjectMeta{Name: s.key.Name, Namespace: s.key.Namespace, Labels: map[string]string{discoveryv1.LabelServiceName: s.key.Name}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: new(portNameProcess), Port: new(s.targetPort), Protocol: new(corev1.ProtocolTCP)}},
	}
	for i, address := range s.addresses {
		slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
			Addresses:  []string{address},
			Conditions: discoveryv1.EndpointConditions{Ready: new(ready[i])},
		})
	}
	return apply(ctx, c, slice)
}
