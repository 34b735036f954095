// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	"github.com/gardener/gardener/pkg/utils/gardener/operator"
	kubernetesutils "github.com/gardener/gardener/pkg/utils/kubernetes"
	"github.com/gardener/gardener/pkg/utils/retry"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
)

// seedServiceAccount is the identity of the extension in the virtual garden, which gardenlet creates for real.
const seedServiceAccount = v1beta1constants.ExtensionGardenServiceAccountPrefix + constants.ExtensionType

// dnsSecretName is the name of the credentials for the domains of the Seeds. Nobody uses them here.
const dnsSecretName = "dns"

// RegisterControllers creates the ControllerRegistrations without which a Seed is refused: one for the provider of the
// landscape, and that of this extension, which gardener-operator makes of its Extension.
func (l *Landscape) RegisterControllers(ctx context.Context, gardenClient client.Client) error {
	extension, err := l.operatorExtension()
	if err != nil {
		return err
	}
	registration, deployment := operator.ControllerRegistrationForExtension(extension)
	for _, object := range []client.Object{
		// gardener-controller-manager computes what a Seed needs only if it finds the credentials for its domains.
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Namespace}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: dnsSecretName, Namespace: Namespace}},
		&gardencorev1beta1.ControllerRegistration{
			ObjectMeta: metav1.ObjectMeta{Name: "provider-local"},
			Spec: gardencorev1beta1.ControllerRegistrationSpec{Resources: []gardencorev1beta1.ControllerResource{
				{Kind: extensionsv1alpha1.ControlPlaneResource, Type: "local"},
				{Kind: extensionsv1alpha1.DNSRecordResource, Type: "local"},
				{Kind: extensionsv1alpha1.InfrastructureResource, Type: "local"},
				{Kind: extensionsv1alpha1.WorkerResource, Type: "local"},
			}},
		},
		deployment,
		registration,
	} {
		if err := apply(ctx, gardenClient, object); err != nil {
			return err
		}
	}
	return nil
}

// RegisterSeed creates the Seed in the virtual garden, waits until gardener-controller-manager has created its namespace, and creates
// the identity of the seed's extension, as gardenlet does.
func RegisterSeed(ctx context.Context, gardenClient client.Client, name string, seed *cluster.Cluster) error {
	if err := apply(ctx, gardenClient, seedObject(name, seed)); err != nil {
		return err
	}

	namespace := gardenerutils.ComputeGardenNamespace(name)
	if err := retry.UntilTimeout(ctx, 200*time.Millisecond, time.Minute, func(ctx context.Context) (bool, error) {
		if err := gardenClient.Get(ctx, client.ObjectKey{Name: namespace}, &corev1.Namespace{}); err != nil {
			return retry.MinorError(err)
		}
		return retry.Ok()
	}); err != nil {
		return fmt.Errorf("gardener-controller-manager has not created namespace %s: %w", namespace, err)
	}
	return apply(ctx, gardenClient, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: seedServiceAccount, Namespace: namespace}})
}

// UnregisterSeed deletes the Seed, and waits until it and its namespace are gone. The latter is deleted by
// gardener-controller-manager.
func UnregisterSeed(ctx context.Context, gardenClient client.Client, name string) error {
	seed := &gardencorev1beta1.Seed{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := client.IgnoreNotFound(gardenClient.Delete(ctx, seed)); err != nil {
		return fmt.Errorf("failed to delete Seed %s: %w", name, err)
	}
	timeoutCtx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, object := range []client.Object{seed, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: gardenerutils.ComputeGardenNamespace(name)}}} {
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
					CredentialsRef: &corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Name: dnsSecretName, Namespace: Namespace},
				},
				Internal: &gardencorev1beta1.SeedDNSProviderConfig{
					Type:           "local",
					Domain:         "internal." + name + ".local",
					CredentialsRef: corev1.ObjectReference{APIVersion: "v1", Kind: "Secret", Name: dnsSecretName, Namespace: Namespace},
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
