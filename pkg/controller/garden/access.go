// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/gardener/gardener/pkg/client/kubernetes"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	kubernetesutils "github.com/gardener/gardener/pkg/utils/kubernetes"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	credentialscontroller "github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

const (
	// gardenAccessManagedResource is the name of the ManagedResource with the permissions in the virtual garden.
	gardenAccessManagedResource = "otel-federation-garden-access"

	timeoutGardenAccess = time.Minute
)

func endpoint(host string) string {
	return "https://" + host
}

// deployGardenAccess gives the credentials controller an identity in the virtual garden. gardener-resource-manager creates the
// ServiceAccount and keeps its token in the access Secret fresh.
func (a *actuator) deployGardenAccess(ctx context.Context, namespace string) error {
	if err := gardenerutils.NewShootAccessSecret(constants.GardenAccessName, namespace).Reconcile(ctx, a.client); err != nil {
		return fmt.Errorf("failed to deploy the access Secret for the virtual garden: %w", err)
	}

	data, err := managedresources.
		NewRegistry(kubernetes.ShootScheme, kubernetes.ShootCodec, kubernetes.ShootSerializer).
		AddAllAndSerialize(credentialscontroller.VirtualGardenObjects()...)
	if err != nil {
		return fmt.Errorf("failed to serialize the permissions in the virtual garden: %w", err)
	}

	if err := managedresources.CreateForShoot(ctx, a.client, namespace, gardenAccessManagedResource, constants.ExtensionType, false, data); err != nil {
		return fmt.Errorf("failed to deploy the permissions in the virtual garden: %w", err)
	}
	return nil
}

// destroyGardenAccess deletes the access Secret first, because the ServiceAccount is created again for it.
func (a *actuator) destroyGardenAccess(ctx context.Context, namespace string, wait bool) error {
	accessSecret := gardenerutils.NewShootAccessSecret(constants.GardenAccessName, namespace).Secret
	if err := kubernetesutils.DeleteObject(ctx, a.client, accessSecret); err != nil {
		return fmt.Errorf("failed to delete the access Secret %s/%s: %w", accessSecret.Namespace, accessSecret.Name, err)
	}

	if err := managedresources.DeleteForShoot(ctx, a.client, namespace, gardenAccessManagedResource); err != nil {
		return fmt.Errorf("failed to delete the permissions in the virtual garden: %w", err)
	}

	if wait {
		timeoutCtx, cancel := context.WithTimeout(ctx, timeoutGardenAccess)
		defer cancel()

		if err := managedresources.WaitUntilDeleted(timeoutCtx, a.client, namespace, gardenAccessManagedResource); err != nil {
			return fmt.Errorf("failed to wait until the permissions in the virtual garden are deleted: %w", err)
		}
	}

	return nil
}

// publishIssuerConfig tells the credentials controller how to issue credentials.
func (a *actuator) publishIssuerConfig(ctx context.Context, namespace string, cfg *config.GardenFederationConfig, host, signingKey string, certificates *certificates, receiverReady bool) error {
	if !receiverReady {
		// No seed gets its first credentials while the garden Prometheus would refuse its samples. But nobody loses credentials
		// because a replica is being replaced.
		configMap := &corev1.ConfigMap{}
		if exists, err := a.get(ctx, namespace, constants.IssuerConfigMapName, configMap); err != nil || !exists {
			return err
		}
	}

	aggregateHost, err := a.aggregatePrometheusHost(ctx, namespace)
	if err != nil {
		return err
	}

	desired := (&credentials.IssuerConfig{
		Endpoint:                endpoint(host),
		CABundle:                string(certificates.bundle),
		SigningKeySecretName:    signingKey,
		TokenValidity:           *cfg.Token.Validity,
		TokenRenewAfter:         *cfg.Token.RenewAfter,
		SeedSelector:            cfg.SeedSelector,
		DeniedSeeds:             cfg.DeniedSeeds,
		AggregatePrometheusHost: aggregateHost,
	}).ConfigMap(namespace)

	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: desired.Namespace, Name: desired.Name}}
	if _, err := controllerutil.CreateOrUpdate(ctx, a.client, configMap, func() error {
		configMap.Labels = desired.Labels
		configMap.Data = desired.Data
		return nil
	}); err != nil {
		return fmt.Errorf("failed to publish the issuer configuration in ConfigMap %s/%s: %w", configMap.Namespace, configMap.Name, err)
	}
	return nil
}

// withdrawCredentials deletes the credentials of all seeds, which needs the access to the virtual garden.
func (a *actuator) withdrawCredentials(ctx context.Context, log logr.Logger, namespace string) error {
	if err := credentialscontroller.Cleanup(ctx, log, a.client, namespace); err != nil {
		return fmt.Errorf("failed to withdraw the credentials of the seeds: %w", err)
	}
	return nil
}

// deleteIssuerConfig stops the issuing of credentials, for deletions that leave the virtual garden alone.
func (a *actuator) deleteIssuerConfig(ctx context.Context, namespace string) error {
	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: constants.IssuerConfigMapName}}
	if err := kubernetesutils.DeleteObject(ctx, a.client, configMap); err != nil {
		return fmt.Errorf("failed to delete the issuer configuration in ConfigMap %s/%s: %w", configMap.Namespace, configMap.Name, err)
	}
	return nil
}
