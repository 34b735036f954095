// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"os"
	"path/filepath"
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// Ports of the extension's processes.
const (
	portGardenExtensionMetrics = 8100
	portGardenExtensionHealth  = 8101
	portSeedExtensionMetrics   = 8110
	portSeedExtensionHealth    = 8111
)

const controllerConfiguration = `apiVersion: ` + configAPIVersion + `
kind: ControllerConfiguration
healthCheckConfig:
  syncPeriod: 5s
`

// ExtensionProcess is the name of the extension's process of a class in a cluster.
func ExtensionProcess(clusterName, class string) string { return clusterName + "-extension-" + class }

// GardenExtension returns the process of the extension's deployment of class garden.
func (l *Landscape) GardenExtension() (process.Spec, error) {
	return l.extension(l.Runtime, "garden", NamespaceRuntimeExtension, portGardenExtensionMetrics, portGardenExtensionHealth)
}

// SeedExtension returns the process of the extension's deployment of class seed.
func (l *Landscape) SeedExtension(ctx context.Context, gardenClient client.Client, name string, seed *cluster.Cluster) (process.Spec, error) {
	spec, err := l.extension(seed, "seed", NamespaceSeedExtension, portSeedExtensionMetrics, portSeedExtensionHealth)
	if err != nil {
		return process.Spec{}, err
	}
	if err := WriteSeedGardenKubeconfig(ctx, gardenClient, l.VirtualGarden, name, seed); err != nil {
		return process.Spec{}, err
	}
	spec.Env = append(spec.Env, "GARDEN_KUBECONFIG="+SeedGardenKubeconfig(seed), "SEED_NAME="+name)
	return spec, nil
}

func (l *Landscape) extension(c *cluster.Cluster, class, namespace string, metricsPort, healthPort int) (process.Spec, error) {
	config := filepath.Join(c.Dir, "extension-"+class+".yaml")
	if err := os.WriteFile(config, []byte(controllerConfiguration), 0o600); err != nil {
		return process.Spec{}, err
	}
	return process.Spec{
		Name: ExtensionProcess(c.Name, class),
		Path: l.ExtensionBinary,
		Args: []string{
			"--kubeconfig=" + c.KubeconfigInside(),
			"--config=" + config,
			"--extension-classes=" + class,
			"--leader-election=true",
			"--leader-election-id=extension-otel-federation-" + class + "-leader-election",
			"--leader-election-namespace=" + namespace,
			"--metrics-bind-address=" + c.Address() + ":" + strconv.Itoa(metricsPort),
			"--health-bind-address=" + c.Address() + ":" + strconv.Itoa(healthPort),
			"--log-level=info",
			"--log-format=json",
		},
		Env: []string{"LEADER_ELECTION_NAMESPACE=" + namespace},
	}, nil
}
