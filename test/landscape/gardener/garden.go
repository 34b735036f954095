// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"
)

const (
	// GardenName is the name of the Garden.
	GardenName = "local"

	genericTokenKubeconfig = v1beta1constants.SecretNameGenericTokenKubeconfig + "-landscape"
)

// DeployGarden creates the Garden and what gardener-operator creates for components that reach the virtual garden: the
// generic kubeconfig, whose token file they get from an access secret.
func (l *Landscape) DeployGarden(ctx context.Context, runtimeClient client.Client) error {
	kubeconfig, err := (&secretsutils.KubeconfigSecretConfig{
		Name:        v1beta1constants.SecretNameGenericTokenKubeconfig,
		ContextName: Namespace,
		Cluster:     clientcmdv1.Cluster{Server: l.VirtualGarden.InsideURL(), CertificateAuthorityData: l.VirtualGarden.CABundle()},
		AuthInfo:    clientcmdv1.AuthInfo{TokenFile: gardenerutils.PathShootToken},
	}).Generate()
	if err != nil {
		return fmt.Errorf("failed to generate the generic kubeconfig: %w", err)
	}
	if err := apply(ctx, runtimeClient, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: genericTokenKubeconfig, Namespace: Namespace},
		Data:       kubeconfig.SecretData(),
	}); err != nil {
		return err
	}
	return apply(ctx, runtimeClient, l.garden())
}

func (l *Landscape) garden() *operatorv1alpha1.Garden {
	return &operatorv1alpha1.Garden{
		ObjectMeta: metav1.ObjectMeta{
			Name:        GardenName,
			Annotations: map[string]string{v1beta1constants.AnnotationKeyGenericTokenKubeconfigSecretName: genericTokenKubeconfig},
		},
		Spec: operatorv1alpha1.GardenSpec{
			RuntimeCluster: operatorv1alpha1.RuntimeCluster{
				Ingress: operatorv1alpha1.Ingress{
					Domains:    []operatorv1alpha1.DNSDomain{{Name: GardenIngressDomain}},
					Controller: gardencorev1beta1.IngressController{Kind: "nginx"},
				},
				Networking: operatorv1alpha1.RuntimeNetworking{
					IPFamilies: []gardencorev1beta1.IPFamily{gardencorev1beta1.IPFamilyIPv4},
					Nodes:      []string{fmt.Sprintf("198.18.%d.0/24", l.Runtime.Index)},
					Pods:       []string{l.Runtime.PodCIDR()},
					Services:   []string{l.Runtime.ServiceCIDR()},
				},
				Provider: operatorv1alpha1.Provider{Region: new("local"), Zones: []string{"local"}},
			},
			VirtualCluster: operatorv1alpha1.VirtualCluster{
				DNS:         operatorv1alpha1.DNS{Domains: []operatorv1alpha1.DNSDomain{{Name: "virtual.garden.local"}}},
				Gardener:    operatorv1alpha1.Gardener{ClusterIdentity: ClusterIdentity},
				Kubernetes:  operatorv1alpha1.Kubernetes{Version: "1.35.0"},
				Maintenance: operatorv1alpha1.Maintenance{TimeWindow: gardencorev1beta1.MaintenanceTimeWindow{Begin: "220000+0100", End: "230000+0100"}},
				Networking:  operatorv1alpha1.Networking{Services: []string{l.VirtualGarden.ServiceCIDR()}},
			},
		},
	}
}
