// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package charttest renders the chart as gardener-operator and gardenlet do.
package charttest

import (
	"fmt"

	"k8s.io/apimachinery/pkg/version"

	"github.com/gardener/gardener/pkg/chartrenderer"
	"github.com/gardener/gardener/pkg/utils"

	"github.com/gardener/gardener-extension-otel-federation/charts"
)

const (
	// SeedNamespace is the namespace of the extension in a seed.
	SeedNamespace = "extension-otel-federation"
	// RuntimeNamespace is the namespace of the extension in the garden runtime cluster.
	RuntimeNamespace = "runtime-extension-otel-federation"

	releaseName = "otel-federation"
)

// SeedValues are what gardenlet adds to the values of a ControllerDeployment
// (pkg/gardenlet/controller/controllerinstallation/controllerinstallation/reconciler.go), as far as charts use them.
func SeedValues() map[string]any {
	return map[string]any{"gardener": map[string]any{
		"version":   "v1.150.0",
		"garden":    map[string]any{"clusterIdentity": "garden-identity", "genericKubeconfigSecretName": "generic-garden-kubeconfig-12345678"},
		"gardenlet": map[string]any{"featureGates": map[string]any{"SomeFeature": true}},
		"seed": map[string]any{
			"name":            "seed",
			"clusterIdentity": "seed-identity",
			"annotations":     map[string]any{},
			"labels":          map[string]any{"name": "seed"},
			"provider":        "local",
			"region":          "local",
			"volumeProvider":  "",
			"volumeProviders": []any{},
			"protected":       false,
			"visible":         true,
			"taints":          []any{},
			"networks":        map[string]any{"pods": "10.1.0.0/16", "services": "10.2.0.0/16"},
			"blockCIDRs":      []any{},
			"ingressDomain":   "ingress.seed.example.com",
			"spec":            map[string]any{},
		},
	}}
}

// RuntimeValues are what gardener-operator adds to the runtimeClusterValues of an operator Extension
// (pkg/operator/controller/extension/extension/runtime/runtime.go).
func RuntimeValues() map[string]any {
	return map[string]any{"gardener": map[string]any{
		"runtimeCluster": map[string]any{"enabled": "true", "priorityClassName": "gardener-garden-system-200"},
	}}
}

// Render renders the chart and returns its manifests. Later values win.
func Render(namespace string, values ...map[string]any) (map[string][]byte, error) {
	merged := map[string]any{}
	for _, v := range values {
		merged = utils.MergeMaps(merged, v)
	}
	release, err := chartrenderer.NewWithServerVersion(&version.Info{GitVersion: "v1.36.0", Major: "1", Minor: "36"}).
		RenderEmbeddedFS(charts.Chart, charts.Name, releaseName, namespace, merged)
	if err != nil {
		return nil, fmt.Errorf("failed to render the chart: %w", err)
	}
	return release.AsSecretData(), nil
}
