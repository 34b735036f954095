// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	kubernetesutils "github.com/gardener/gardener/pkg/utils/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
)

// seedServiceAccount is the identity of the extension in the virtual garden, which gardenlet creates for real.
const seedServiceAccount = "extension-otel-federation"

// RegisterControllers creates the ControllerRegistrations without which a Seed is refused: one for the provider of the
// landscape and the one of this extension.
func RegisterControllers(ctx context.Context, gardenClient client.Client) error {
	for name, resources := range map[string][]gardencorev1beta1.ControllerResource{
		"provider-local": {
			{Kind: extensionsv1alpha1.ControlPlaneResource, Type: "local"},
			{Kind: extensionsv1alpha1.DNSRecordResource, Type: "local"},
		},
		"extension-" + constants.ExtensionType: {{
			Kind:                 extensionsv1alpha1.ExtensionResource,
			Type:                 constants.ExtensionType,
			ClusterCompatibility: []gardencorev1beta1.ClusterType{gardencorev1beta1.ClusterTypeSeed},
		}},
	} {
		if err := apply(ctx, gardenClient, &gardencorev1beta1.ControllerRegistration{
			ObjectMeta: metav1.ObjectMeta{Name: name},
			Spec:       gardencorev1beta1.ControllerRegistrationSpec{Resources: resources},
		}); err != nil {
			return err
		}
	}
	return nil
}

// RegisterSeed creates the Seed in the virtual garden, its namespace, and the identity of the seed's extension.
func RegisterSeed(ctx context.Context, gardenClient client.Client, name string, seed *cluster.Cluster) error {
	if err := apply(ctx, gardenClient, seedObject(name, seed)); err != nil {
		return err
	}

	namespace := gardenerutils.ComputeGardenNamespace(name)
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace, Labels: map[string]string{v1beta1constants.GardenRole: v1beta1constants.GardenRoleSeed}}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: seedServiceAccount, Namespace: namespace}},
		&rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Name: seedServiceAccount, Namespace: namespace},
			Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{corev1.GroupName}, Resources: []string{"secrets"}, Verbs: []string{"get", "list", "watch"}},
				{APIGroups: []string{coordinationv1.GroupName}, Resources: []string{"leases"}, Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete"}},
			},
		},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: seedServiceAccount, Namespace: namespace},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: seedServiceAccount},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: seedServiceAccount, Namespace: namespace}},
		},
	}
	for _, object := range objects {
		if err := apply(ctx, gardenClient, object); err != nil {
			return err
		}
	}
	return nil
}

// UnregisterSeed deletes the Seed and, as gardener-controller-manager does, its namespace, and waits until both are gone.
func UnregisterSeed(ctx context.Context, gardenClient client.Client, name string) error {
	for _, object := range []client.Object{
		&gardencorev1beta1.Seed{ObjectMeta: metav1.ObjectMeta{Name: name}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: gardenerutils.ComputeGardenNamespace(name)}},
	} {
		if err := client.IgnoreNotFound(gardenClient.Delete(ctx, object)); err != nil {
			return fmt.Errorf("failed to delete %s of seed %s: %w", kindOf(object), name, err)
		}
		timeoutCtx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		if err := kubernetesutils.WaitUntilResourceDeleted(timeoutCtx, gardenClient, object, 200*time.Millisecond); err != nil {
			return fmt.Errorf("%s of seed %s has not gone: %w", kindOf(object), name, err)
		}
	}
	return nil
}

func seedObject(name string, seed *cluster.Cluster) *gardencorev1beta1.Seed {
	return &gardencorev1beta1.Seed{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: gardencorev1beta1.SeedSpec{
			DNS: gardencorev1beta1.SeedDNS{
				Provider: &gardencorev1beta1.SeedDNSProvider{
					Type:           "local",
					CredentialsRef: &corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Name: "dns", Namespace: Namespace},
				},
				Internal: &gardencorev1beta1.SeedDNSProviderConfig{
					Type:           "local",
					Domain:         "internal." + name + ".local",
					CredentialsRef: corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Name: "dns", Namespace: Namespace},
				},
			},
			Ingress: &gardencorev1beta1.Ingress{
				Domain:     SeedIngressDomain(name),
				Controller: gardencorev1beta1.IngressController{Kind: "nginx"},
			},
			Networks: gardencorev1beta1.SeedNetworks{
				Nodes:      new(fmt.Sprintf("198.18.%d.0/24", seed.Index)),
				Pods:       seed.PodCIDR(),
				Services:   seed.ServiceCIDR(),
				IPFamilies: []gardencorev1beta1.IPFamily{gardencorev1beta1.IPFamilyIPv4},
			},
			Provider: gardencorev1beta1.SeedProvider{Type: "local", Region: "local", Zones: []string{"local"}},
			Settings: &gardencorev1beta1.SeedSettings{
				VerticalPodAutoscaler: &gardencorev1beta1.SeedSettingVerticalPodAutoscaler{Enabled: false},
			},
		},
	}
}

// SeedGardenKubeconfig is the path of the kubeconfig by which a seed's extension reaches the virtual garden.
func SeedGardenKubeconfig(seed *cluster.Cluster) string {
	return filepath.Join(seed.Dir, "garden-kubeconfig.yaml")
}

// WriteSeedGardenKubeconfig writes the kubeconfig by which a seed's extension reaches the virtual garden
// (`injectGardenKubeconfig`). Its token is in a file beside it.
func WriteSeedGardenKubeconfig(ctx context.Context, gardenClient client.Client, virtualGarden *cluster.Cluster, name string, seed *cluster.Cluster) error {
	serviceAccount := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: seedServiceAccount, Namespace: gardenerutils.ComputeGardenNamespace(name)}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences:         []string{v1beta1constants.GardenerAudience},
		ExpirationSeconds: new(int64((7 * 24 * time.Hour).Seconds())),
	}}
	if err := gardenClient.SubResource("token").Create(ctx, serviceAccount, request); err != nil {
		return fmt.Errorf("failed to request a token for the extension of seed %s: %w", name, err)
	}
	tokenFile := filepath.Join(seed.Dir, "garden-token")
	if err := os.WriteFile(tokenFile, []byte(request.Status.Token), 0o600); err != nil {
		return fmt.Errorf("failed to write the token for the extension of seed %s: %w", name, err)
	}
	return virtualGarden.WriteKubeconfig(SeedGardenKubeconfig(seed), virtualGarden.InsideURL(), &clientcmdapi.AuthInfo{TokenFile: tokenFile})
}
