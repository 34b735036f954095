// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionswebhook "github.com/gardener/gardener/extensions/pkg/webhook"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// GardenExtensionReplicas is the number of the extension's processes of class garden. For real they are the pods of a Deployment.
const GardenExtensionReplicas = 2

// Ports of the extension's processes.
const (
	portGardenExtensionMetrics = 8100
	portGardenExtensionHealth  = 8101
	portGardenExtensionWebhook = 10250
	portSeedExtensionMetrics   = 8110
	portSeedExtensionHealth    = 8111
)

const controllerConfiguration = `apiVersion: ` + configAPIVersion + `
kind: ControllerConfiguration
healthCheckConfig:
  syncPeriod: 5s
`

// GardenExtensionProcess is the name of a replica of the extension of class garden.
func GardenExtensionProcess(replica int) string {
	return cluster.NameRuntime + "-extension-garden-" + strconv.Itoa(replica)
}

// SeedExtensionProcess is the name of the extension's process of class seed in a cluster.
func SeedExtensionProcess(clusterName string) string { return clusterName + "-extension-seed" }

// GardenExtension returns the process of a replica of the extension's deployment of class garden. All replicas serve the webhook.
func (l *Landscape) GardenExtension(replica int) (process.Spec, error) {
	address := l.Runtime.ReplicaAddress(replica)
	spec, err := l.extension(extensionProcess{
		name: GardenExtensionProcess(replica), cluster: l.Runtime, class: "garden", namespace: NamespaceRuntimeExtension,
		address: address, metricsPort: portGardenExtensionMetrics, healthPort: portGardenExtensionHealth,
	})
	if err != nil {
		return process.Spec{}, err
	}
	spec.Args = append(spec.Args,
		"--webhook-config-server-host="+address,
		"--webhook-config-server-port="+strconv.Itoa(portGardenExtensionWebhook),
		"--webhook-config-cert-dir="+filepath.Join(l.Runtime.Dir, spec.Name+"-webhook-certs"),
		"--webhook-config-mode="+extensionswebhook.ModeService,
		"--webhook-config-service-port="+strconv.Itoa(portGardenWebhook),
		"--webhook-config-namespace="+NamespaceRuntimeExtension,
		"--webhook-config-owner-namespace="+NamespaceRuntimeExtension,
	)
	spec.Env = append(spec.Env, "WEBHOOK_CONFIG_NAMESPACE="+NamespaceRuntimeExtension)
	return spec, nil
}

// SeedExtension returns the process of the extension's deployment of class seed.
func (l *Landscape) SeedExtension(ctx context.Context, gardenClient client.Client, name string, seed *cluster.Cluster) (process.Spec, error) {
	spec, err := l.extension(extensionProcess{
		name: SeedExtensionProcess(seed.Name), cluster: seed, class: "seed", namespace: NamespaceSeedExtension,
		address: seed.Address(), metricsPort: portSeedExtensionMetrics, healthPort: portSeedExtensionHealth,
	})
	if err != nil {
		return process.Spec{}, err
	}
	if err := WriteSeedGardenKubeconfig(ctx, gardenClient, l.VirtualGarden, name, seed); err != nil {
		return process.Spec{}, err
	}
	spec.Env = append(spec.Env, "GARDEN_KUBECONFIG="+SeedGardenKubeconfig(seed), "SEED_NAME="+name)
	return spec, nil
}

// extensionProcess says in what the extension's processes differ.
type extensionProcess struct {
	name             string
	cluster          *cluster.Cluster
	class, namespace string

	address                 string
	metricsPort, healthPort int
}

func (l *Landscape) extension(p extensionProcess) (process.Spec, error) {
	// Each process has a file of its own: a replica could read one that is just being written for the next.
	config := filepath.Join(p.cluster.Dir, p.name+".yaml")
	if err := os.WriteFile(config, []byte(controllerConfiguration), 0o600); err != nil {
		return process.Spec{}, fmt.Errorf("failed to write the configuration of process %s: %w", p.name, err)
	}
	return process.Spec{
		Name: p.name,
		Path: l.ExtensionBinary,
		Args: []string{
			"--kubeconfig=" + p.cluster.KubeconfigInside(),
			"--config=" + config,
			"--extension-classes=" + p.class,
			"--leader-election=true",
			"--leader-election-id=extension-otel-federation-" + p.class + "-leader-election",
			"--leader-election-namespace=" + p.namespace,
			"--metrics-bind-address=" + net.JoinHostPort(p.address, strconv.Itoa(p.metricsPort)),
			"--health-bind-address=" + net.JoinHostPort(p.address, strconv.Itoa(p.healthPort)),
			"--log-level=info",
			"--log-format=json",
		},
		Env: []string{"LEADER_ELECTION_NAMESPACE=" + p.namespace},
	}, nil
}
