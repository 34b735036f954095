// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
)

// NewGarden returns a valid Garden.
func NewGarden() *operatorv1alpha1.Garden {
	return &operatorv1alpha1.Garden{
		ObjectMeta: metav1.ObjectMeta{Name: "garden"},
		Spec: operatorv1alpha1.GardenSpec{
			RuntimeCluster: operatorv1alpha1.RuntimeCluster{
				Ingress: operatorv1alpha1.Ingress{
					Domains:    []operatorv1alpha1.DNSDomain{{Name: "ingress.garden.example.com"}},
					Controller: gardencorev1beta1.IngressController{Kind: "nginx"},
				},
				Networking: operatorv1alpha1.RuntimeNetworking{
					IPFamilies: []gardencorev1beta1.IPFamily{gardencorev1beta1.IPFamilyIPv4},
					Pods:       []string{"10.1.0.0/16"},
					Services:   []string{"10.2.0.0/16"},
				},
				Provider: operatorv1alpha1.Provider{Zones: []string{"a"}},
			},
			VirtualCluster: operatorv1alpha1.VirtualCluster{
				DNS:         operatorv1alpha1.DNS{Domains: []operatorv1alpha1.DNSDomain{{Name: "virtual.garden.example.com"}}},
				Gardener:    operatorv1alpha1.Gardener{ClusterIdentity: "test"},
				Kubernetes:  operatorv1alpha1.Kubernetes{Version: "1.35.0"},
				Maintenance: operatorv1alpha1.Maintenance{TimeWindow: gardencorev1beta1.MaintenanceTimeWindow{Begin: "220000+0100", End: "230000+0100"}},
				Networking:  operatorv1alpha1.Networking{Services: []string{"10.3.0.0/16"}},
			},
		},
	}
}

// NewSeed returns a valid Seed.
func NewSeed(name string) *gardencorev1beta1.Seed {
	dnsCredentials := &corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Namespace: v1beta1constants.GardenNamespace, Name: "dns"}
	return &gardencorev1beta1.Seed{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: gardencorev1beta1.SeedSpec{
			DNS: gardencorev1beta1.SeedDNS{
				Provider: &gardencorev1beta1.SeedDNSProvider{Type: "test", CredentialsRef: dnsCredentials},
				Internal: &gardencorev1beta1.SeedDNSProviderConfig{Type: "test", Domain: "internal.example.com", CredentialsRef: *dnsCredentials},
			},
			Ingress: &gardencorev1beta1.Ingress{
				Domain:     "ingress." + name + ".example.com",
				Controller: gardencorev1beta1.IngressController{Kind: "nginx"},
			},
			Networks: gardencorev1beta1.SeedNetworks{Pods: "10.1.0.0/16", Services: "10.2.0.0/16"},
			Provider: gardencorev1beta1.SeedProvider{Type: "test", Region: "test", Zones: []string{"a"}},
		},
	}
}
