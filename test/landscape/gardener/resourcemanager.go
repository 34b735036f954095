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

	admissionv1 "k8s.io/api/admission/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	componentbaseconfigv1alpha1 "k8s.io/component-base/config/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	resourcemanagerconfigv1alpha1 "github.com/gardener/gardener/pkg/apis/config/resourcemanager/v1alpha1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/resourcemanager/webhook/projectedtokenmount"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// Ports of gardener-resource-manager.
const (
	PortResourceManagerMetrics = 8080
	portResourceManagerHealth  = 8081
	portResourceManagerWebhook = 9449
)

// ResourceManagerForSeed returns the gardener-resource-manager of the runtime cluster or of a further seed: it reads
// ManagedResources of class seed and creates their objects in the same cluster.
func ResourceManagerForSeed(c *cluster.Cluster) (process.Spec, error) {
	config := resourceManagerConfiguration(c)
	config.SourceClientConnection.Kubeconfig = c.KubeconfigInside()
	// It defaults to the configuration of a pod.
	config.TargetClientConnection = &resourcemanagerconfigv1alpha1.ClientConnection{}
	config.TargetClientConnection.Kubeconfig = c.KubeconfigInside()
	config.Controllers.ResourceClass = new(v1beta1constants.SeedResourceManagerClass)
	config.Controllers.GarbageCollector.Enabled = true
	config.Webhooks.ProjectedTokenMount = resourcemanagerconfigv1alpha1.ProjectedTokenMountWebhookConfig{Enabled: true, ExpirationSeconds: new(int64(43200))}
	return resourceManager(c, config)
}

// ResourceManagerForVirtualGarden returns the gardener-resource-manager of the virtual garden: it reads ManagedResources in
// the namespace garden of the runtime cluster and creates their objects in the virtual garden, for which it also requests
// tokens.
func ResourceManagerForVirtualGarden(runtimeCluster, virtualGarden *cluster.Cluster) (process.Spec, error) {
	config := resourceManagerConfiguration(virtualGarden)
	config.SourceClientConnection.Kubeconfig = runtimeCluster.KubeconfigInside()
	config.SourceClientConnection.Namespaces = []string{Namespace}
	config.TargetClientConnection = &resourcemanagerconfigv1alpha1.ClientConnection{}
	config.TargetClientConnection.Kubeconfig = virtualGarden.KubeconfigInside()
	config.Controllers.GarbageCollector.Enabled = true
	config.Controllers.TokenRequestor = resourcemanagerconfigv1alpha1.TokenRequestorControllerConfig{Enabled: true, ConcurrentSyncs: new(2)}
	return resourceManager(virtualGarden, config)
}

// resourceManagerConfiguration is what all have in common.
func resourceManagerConfiguration(c *cluster.Cluster) *resourcemanagerconfigv1alpha1.ResourceManagerConfiguration {
	resync := &metav1.Duration{Duration: time.Minute}
	config := &resourcemanagerconfigv1alpha1.ResourceManagerConfiguration{
		TypeMeta:       metav1.TypeMeta{APIVersion: resourcemanagerconfigv1alpha1.SchemeGroupVersion.String(), Kind: "ResourceManagerConfiguration"},
		LeaderElection: componentbaseconfigv1alpha1.LeaderElectionConfiguration{LeaderElect: new(false)},
		LogLevel:       "info",
		LogFormat:      "text",
		Controllers: resourcemanagerconfigv1alpha1.ResourceManagerControllerConfiguration{
			GarbageCollector: resourcemanagerconfigv1alpha1.GarbageCollectorControllerConfig{SyncPeriod: resync},
			Health:           resourcemanagerconfigv1alpha1.HealthControllerConfig{ConcurrentSyncs: new(5), SyncPeriod: resync},
			ManagedResource:  resourcemanagerconfigv1alpha1.ManagedResourceControllerConfig{ConcurrentSyncs: new(5), SyncPeriod: resync},
		},
	}
	config.Server.HealthProbes = &resourcemanagerconfigv1alpha1.Server{BindAddress: c.Address(), Port: portResourceManagerHealth}
	config.Server.Metrics = &resourcemanagerconfigv1alpha1.Server{BindAddress: c.Address(), Port: PortResourceManagerMetrics}
	config.Server.Webhooks.Server = resourcemanagerconfigv1alpha1.Server{BindAddress: c.Address(), Port: portResourceManagerWebhook}
	return config
}

// resourceManager writes the configuration and returns the process. It belongs to the target cluster.
func resourceManager(target *cluster.Cluster, config *resourcemanagerconfigv1alpha1.ResourceManagerConfiguration) (process.Spec, error) {
	certDir, err := target.CreateServingCertificate("gardener-resource-manager", nil, target.Address())
	if err != nil {
		return process.Spec{}, err
	}
	config.Server.Webhooks.TLS.ServerCertDir = certDir

	data, err := yaml.Marshal(config)
	if err != nil {
		return process.Spec{}, err
	}
	path := filepath.Join(target.Dir, "gardener-resource-manager.yaml")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return process.Spec{}, err
	}
	return process.Spec{
		Name: target.Name + "-gardener-resource-manager",
		Path: filepath.Join(target.BinDir, "gardener-resource-manager"),
		Args: []string{"--config=" + path},
	}, nil
}

// RegisterProjectedTokenMount registers the webhook of gardener-resource-manager which mounts a token into pods whose
// ServiceAccount asks for none: Gardener's Prometheis discover their targets with it.
func RegisterProjectedTokenMount(ctx context.Context, c client.Client, seed *cluster.Cluster) error {
	url := "https://" + seed.HostPort(portResourceManagerWebhook) + projectedtokenmount.WebhookPath
	return apply(ctx, c, &admissionregistrationv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: "gardener-resource-manager"},
		Webhooks: []admissionregistrationv1.MutatingWebhook{{
			Name: "projected-token-mount.resources.gardener.cloud",
			Rules: []admissionregistrationv1.RuleWithOperations{{
				Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
				Rule: admissionregistrationv1.Rule{
					APIGroups:   []string{corev1.GroupName},
					APIVersions: []string{corev1.SchemeGroupVersion.Version},
					Resources:   []string{"pods"},
				},
			}},
			NamespaceSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: v1beta1constants.GardenRole, Operator: metav1.LabelSelectorOpExists},
				{Key: corev1.LabelMetadataName, Operator: metav1.LabelSelectorOpNotIn, Values: []string{metav1.NamespaceSystem}},
			}},
			ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: resourcesv1alpha1.ProjectedTokenSkip, Operator: metav1.LabelSelectorOpDoesNotExist},
			}},
			ClientConfig:            admissionregistrationv1.WebhookClientConfig{URL: &url, CABundle: seed.CABundle()},
			AdmissionReviewVersions: []string{admissionv1.SchemeGroupVersion.Version},
			FailurePolicy:           new(admissionregistrationv1.Fail),
			MatchPolicy:             new(admissionregistrationv1.Exact),
			SideEffects:             new(admissionregistrationv1.SideEffectClassNone),
			TimeoutSeconds:          new(int32(10)),
		}},
	})
}

// WaitForResourceManager waits until gardener-resource-manager is ready: before that no pod can be created.
func WaitForResourceManager(ctx context.Context, c *cluster.Cluster) error {
	if err := waitForHTTP(ctx, "http://"+c.HostPort(portResourceManagerHealth)+"/readyz"); err != nil {
		return fmt.Errorf("gardener-resource-manager of cluster %s is not ready: %w", c.Name, err)
	}
	return nil
}
