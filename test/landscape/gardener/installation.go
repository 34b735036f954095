// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	chartloader "helm.sh/helm/v4/pkg/chart/v2/loader"
	chartutil "helm.sh/helm/v4/pkg/chart/v2/util"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/chartrenderer"
	"github.com/gardener/gardener/pkg/utils"
	"github.com/gardener/gardener/pkg/utils/gardener/operator"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
)

const (
	// GardenExtensionDeployment is the name of the extension's Deployment of class garden.
	GardenExtensionDeployment = "gardener-extension-otel-federation-runtime"
	// GardenExtensionReplicas is the number of its replicas.
	GardenExtensionReplicas = 2
	// SeedExtensionDeployment is the name of the extension's Deployment of class seed.
	SeedExtensionDeployment = "gardener-extension-otel-federation"

	chartDirectory = "charts/gardener-extension-otel-federation"
	// extensionManifest is what an operator installs the extension with.
	extensionManifest = "example/extension.yaml"
)

// landscapeValues are the Helm values by which the extension differs here.
var landscapeValues = map[string]any{"config": map[string]any{"healthCheckConfig": map[string]any{"syncPeriod": "5s"}}}

// packageChart packages the chart as `helm package` does.
func (l *Landscape) packageChart() ([]byte, error) {
	loaded, err := chartloader.LoadDir(filepath.Join(l.Root, chartDirectory))
	if err != nil {
		return nil, fmt.Errorf("failed to load the chart: %w", err)
	}
	directory, err := os.MkdirTemp("", "chart-")
	if err != nil {
		return nil, fmt.Errorf("failed to create a directory for the packaged chart: %w", err)
	}
	defer func() { _ = os.RemoveAll(directory) }()
	path, err := chartutil.Save(loaded, directory)
	if err != nil {
		return nil, fmt.Errorf("failed to package the chart: %w", err)
	}
	archive, err := os.ReadFile(path) // #nosec G304 -- The file that has just been written.
	if err != nil {
		return nil, fmt.Errorf("failed to read the packaged chart: %w", err)
	}
	return archive, nil
}

// operatorExtension returns the Extension of the examples, with the values of this landscape.
func (l *Landscape) operatorExtension() (*operatorv1alpha1.Extension, error) {
	data, err := os.ReadFile(filepath.Join(l.Root, extensionManifest)) // #nosec G304 -- A file of this repository.
	if err != nil {
		return nil, fmt.Errorf("failed to read the operator Extension: %w", err)
	}
	extension := &operatorv1alpha1.Extension{}
	if err := yaml.UnmarshalStrict(data, extension); err != nil {
		return nil, fmt.Errorf("failed to decode %s: %w", extensionManifest, err)
	}

	deployment := extension.Spec.Deployment.ExtensionDeployment
	for _, values := range []*[]byte{&deployment.Values.Raw, &deployment.RuntimeClusterValues.Raw} {
		decoded := map[string]any{}
		if err := json.Unmarshal(*values, &decoded); err != nil {
			return nil, fmt.Errorf("failed to decode the values of %s: %w", extensionManifest, err)
		}
		if *values, err = json.Marshal(utils.MergeMaps(decoded, landscapeValues)); err != nil {
			return nil, fmt.Errorf("failed to encode the values of %s: %w", extensionManifest, err)
		}
	}
	return extension, nil
}

// InstallGardenExtension installs the extension's deployment of class garden as gardener-operator does
// (pkg/operator/controller/extension/extension/runtime/runtime.go), and waits until it is healthy.
func (l *Landscape) InstallGardenExtension(ctx context.Context, runtimeClient client.Client) error {
	extension, err := l.operatorExtension()
	if err != nil {
		return err
	}
	if err := apply(ctx, runtimeClient, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name: NamespaceRuntimeExtension,
		Labels: map[string]string{
			v1beta1constants.GardenRole:                              v1beta1constants.GardenRoleExtension,
			resourcesv1alpha1.HighAvailabilityConfigConsider:         "true",
			v1beta1constants.LabelNetworkPolicyAccessTargetAPIServer: v1beta1constants.LabelNetworkPolicyAllowed,
		},
	}}); err != nil {
		return err
	}
	data, err := l.renderChart(l.Runtime, NamespaceRuntimeExtension, extension.Spec.Deployment.ExtensionDeployment.RuntimeClusterValues.Raw, map[string]any{
		"gardener": map[string]any{"runtimeCluster": map[string]any{
			"enabled":           "true",
			"priorityClassName": v1beta1constants.PriorityClassNameGardenSystem200,
		}},
	})
	if err != nil {
		return err
	}
	name := operator.ExtensionRuntimeManagedResourceName(extension.Name)
	if err := managedresources.CreateForSeed(ctx, runtimeClient, Namespace, name, false, data); err != nil {
		return fmt.Errorf("failed to install the extension of class garden: %w", err)
	}
	if err := managedresources.WaitUntilHealthyAndNotProgressing(ctx, runtimeClient, Namespace, name); err != nil {
		return fmt.Errorf("the extension of class garden does not become healthy: %w", err)
	}
	return nil
}

// renderChart renders the chart with Gardener's renderer, for a ManagedResource.
func (l *Landscape) renderChart(c *cluster.Cluster, namespace string, rawValues []byte, gardenerValues map[string]any) (map[string][]byte, error) {
	values := map[string]any{}
	if err := json.Unmarshal(rawValues, &values); err != nil {
		return nil, fmt.Errorf("failed to decode the values of %s: %w", extensionManifest, err)
	}
	archive, err := l.packageChart()
	if err != nil {
		return nil, err
	}
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	renderer, err := chartrenderer.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("failed to create a chart renderer for cluster %s: %w", c.Name, err)
	}
	release, err := renderer.RenderArchive(archive, constants.ExtensionType, namespace, utils.MergeMaps(values, gardenerValues))
	if err != nil {
		return nil, fmt.Errorf("failed to render the chart: %w", err)
	}
	return release.AsSecretData(), nil
}

// ScaleGardenExtension changes the number of replicas of the extension's Deployment of class garden.
func ScaleGardenExtension(ctx context.Context, runtimeClient client.Client, replicas int32) error {
	return scale(ctx, runtimeClient, operator.ExtensionRuntimeManagedResourceName(constants.ExtensionType),
		&appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: GardenExtensionDeployment, Namespace: NamespaceRuntimeExtension}}, replicas, GardenExtensionReplicas)
}

// RestartSeedExtension lets the extension of class seed start anew.
func RestartSeedExtension(ctx context.Context, seedClient client.Client) error {
	if err := seedClient.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(NamespaceSeedExtension), client.MatchingLabels{"app.kubernetes.io/name": SeedExtensionDeployment}); err != nil {
		return fmt.Errorf("failed to delete the pods of the extension of class seed: %w", err)
	}
	return nil
}
