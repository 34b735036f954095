// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientcmdv1 "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	kubernetesutils "github.com/gardener/gardener/pkg/utils/kubernetes"
	"github.com/gardener/gardener/pkg/utils/managedresources"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
)

// genericGardenKubeconfig is the Secret with the kubeconfig by which extensions reach the virtual garden. In a real landscape its name
// ends with a checksum.
const genericGardenKubeconfig = v1beta1constants.SecretNameGenericGardenKubeconfig + "-landscape"

// InstallSeedExtension installs the extension's deployment of class seed as gardenlet does for a ControllerInstallation
// (pkg/gardenlet/controller/controllerinstallation/controllerinstallation/reconciler.go). It does not wait.
func (l *Landscape) InstallSeedExtension(ctx context.Context, gardenClient, seedClient client.Client, name string, seed *cluster.Cluster) error {
	extension, err := l.operatorExtension()
	if err != nil {
		return err
	}
	gardenerValues, err := l.gardenerValues(ctx, gardenClient, name)
	if err != nil {
		return err
	}
	data, err := l.renderChart(seed, NamespaceSeedExtension, extension.Spec.Deployment.ExtensionDeployment.Values.Raw, gardenerValues)
	if err != nil {
		return err
	}

	if err := l.deployGenericGardenKubeconfig(ctx, seedClient); err != nil {
		return err
	}
	access := gardenAccess()
	if err := access.Reconcile(ctx, seedClient); err != nil {
		return fmt.Errorf("failed to create the Secret by which the extension reaches the virtual garden: %w", err)
	}
	if err := RequestGardenToken(ctx, gardenClient, seedClient, name); err != nil {
		return err
	}
	if err := gardenerutils.MutateObjectsInSecretData(data, NamespaceSeedExtension, []string{appsv1.GroupName},
		func(obj runtime.Object) error {
			return gardenerutils.InjectGenericGardenKubeconfig(obj, genericGardenKubeconfig, access.Secret.Name, gardenerutils.VolumeMountPathGenericGardenKubeconfig)
		},
		func(obj runtime.Object) error {
			return kubernetesutils.VisitPodSpec(obj, func(podSpec *corev1.PodSpec) {
				kubernetesutils.VisitContainers(podSpec, func(container *corev1.Container) {
					kubernetesutils.AddEnvVar(container, corev1.EnvVar{Name: v1beta1constants.EnvSeedName, Value: name}, true)
				})
			})
		},
	); err != nil {
		return fmt.Errorf("failed to inject the access to the virtual garden: %w", err)
	}
	if err := managedresources.Create(ctx, seedClient, Namespace, constants.ExtensionType, nil, false, v1beta1constants.SeedResourceManagerClass, data, nil, nil, nil); err != nil {
		return fmt.Errorf("failed to install the extension of class seed: %w", err)
	}
	return nil
}

// gardenerValues are the Helm values that gardenlet adds.
func (l *Landscape) gardenerValues(ctx context.Context, gardenClient client.Client, name string) (map[string]any, error) {
	seed := &gardencorev1beta1.Seed{}
	if err := gardenClient.Get(ctx, client.ObjectKey{Name: name}, seed); err != nil {
		return nil, fmt.Errorf("failed to read Seed %s: %w", name, err)
	}
	return map[string]any{"gardener": map[string]any{
		"version":   "v1.150.0",
		"garden":    map[string]any{"clusterIdentity": ClusterIdentity, "genericKubeconfigSecretName": genericGardenKubeconfig},
		"gardenlet": map[string]any{"featureGates": map[string]bool{}},
		"seed": map[string]any{
			"name":            seed.Name,
			"clusterIdentity": seed.Name,
			"annotations":     seed.Annotations,
			"labels":          seed.Labels,
			"provider":        seed.Spec.Provider.Type,
			"region":          seed.Spec.Provider.Region,
			"volumeProvider":  "",
			"protected":       false,
			"visible":         true,
			"taints":          seed.Spec.Taints,
			"networks":        seed.Spec.Networks,
			"blockCIDRs":      seed.Spec.Networks.BlockCIDRs,
			"ingressDomain":   seed.Spec.Ingress.Domain,
			"spec":            seed.Spec,
		},
	}}, nil
}

func (l *Landscape) deployGenericGardenKubeconfig(ctx context.Context, seedClient client.Client) error {
	kubeconfig, err := (&secretsutils.KubeconfigSecretConfig{
		Name:        v1beta1constants.SecretNameGenericGardenKubeconfig,
		ContextName: "garden",
		Cluster:     clientcmdv1.Cluster{Server: l.VirtualGarden.InsideURL(), CertificateAuthorityData: l.VirtualGarden.CABundle()},
		AuthInfo:    clientcmdv1.AuthInfo{TokenFile: gardenerutils.PathGardenToken},
	}).Generate()
	if err != nil {
		return fmt.Errorf("failed to generate the kubeconfig by which extensions reach the virtual garden: %w", err)
	}
	return apply(ctx, seedClient, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: genericGardenKubeconfig, Namespace: NamespaceSeedExtension},
		Data:       kubeconfig.SecretData(),
	})
}

func gardenAccess() *gardenerutils.AccessSecret {
	return gardenerutils.NewGardenAccessSecret("extension", NamespaceSeedExtension).WithServiceAccountName(seedServiceAccount)
}

// RequestGardenToken does what gardenlet's token requestor does for the extension: it puts a token for the virtual garden into the
// access Secret.
func RequestGardenToken(ctx context.Context, gardenClient, seedClient client.Client, name string) error {
	serviceAccount := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: seedServiceAccount, Namespace: gardenerutils.ComputeGardenNamespace(name)}}
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences:         []string{v1beta1constants.GardenerAudience},
		ExpirationSeconds: new(int64((12 * time.Hour).Seconds())),
	}}
	if err := gardenClient.SubResource("token").Create(ctx, serviceAccount, request); err != nil {
		return fmt.Errorf("failed to request a token for the extension of seed %s: %w", name, err)
	}
	secret := gardenAccess().Secret
	if err := seedClient.Get(ctx, client.ObjectKeyFromObject(secret), secret); err != nil {
		return fmt.Errorf("failed to read Secret %s: %w", client.ObjectKeyFromObject(secret), err)
	}
	patch := client.MergeFrom(secret.DeepCopy())
	secret.Data = map[string][]byte{resourcesv1alpha1.DataKeyToken: []byte(request.Status.Token)}
	if err := seedClient.Patch(ctx, secret, patch); err != nil {
		return fmt.Errorf("failed to write the token into Secret %s: %w", client.ObjectKeyFromObject(secret), err)
	}
	return nil
}
