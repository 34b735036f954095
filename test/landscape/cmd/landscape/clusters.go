// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/node"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// installTimeout is for the start of the extension's two replicas of class garden.
const installTimeout = 2 * time.Minute

// startCluster starts a cluster and everything that belongs to it. What runs in this process runs until runCtx ends.
func (d *daemon) startCluster(runCtx, ctx context.Context, state *landscape.ClusterState, c *cluster.Cluster) error {
	if err := c.Prepare(ctx); err != nil {
		return err
	}
	if err := c.Start(ctx, d.supervisor); err != nil {
		return err
	}
	d.progress.step("cluster %s: control plane is ready", c.Name)

	if state.Seed == "" {
		return d.startGarden(ctx, c)
	}
	return d.startSeed(runCtx, ctx, state, c)
}

// startGarden starts what belongs to the virtual garden.
func (d *daemon) startGarden(ctx context.Context, c *cluster.Cluster) error {
	gardenClient, err := c.Client(kubernetes.GardenScheme)
	if err != nil {
		return err
	}
	spec, err := gardener.GardenerAPIServer(c)
	if err != nil {
		return err
	}
	if err := d.supervisor.Start(spec); err != nil {
		return err
	}
	if err := gardener.RegisterGardenerAPIs(ctx, gardenClient, c); err != nil {
		return fmt.Errorf("%w (log file: %s)", err, d.supervisor.LogFile(spec.Name))
	}
	if err := d.startGardenerControlPlane(ctx, c, gardenClient); err != nil {
		return err
	}
	if err := d.landscape.RegisterControllers(ctx, gardenClient); err != nil {
		return err
	}
	for i, state := range d.state.Clusters {
		if state.Seed == "" {
			continue
		}
		if err := gardener.RegisterSeed(ctx, gardenClient, state.Seed, d.clusters[i]); err != nil {
			return err
		}
	}
	d.progress.step("cluster %s: Gardener's APIs and Seeds are there", c.Name)
	close(d.gardenReady)
	return nil
}

// startGardenerControlPlane starts what decides and does for the seeds in the virtual garden.
func (d *daemon) startGardenerControlPlane(ctx context.Context, c *cluster.Cluster, gardenClient client.Client) error {
	admissionController, err := gardener.AdmissionController(c)
	if err != nil {
		return err
	}
	controllerManager, err := gardener.ControllerManager(c)
	if err != nil {
		return err
	}
	for _, spec := range []process.Spec{admissionController, controllerManager} {
		if err := d.supervisor.Start(spec); err != nil {
			return err
		}
	}
	if err := gardener.WaitForAdmissionController(ctx, c); err != nil {
		return fmt.Errorf("%w (log file: %s)", err, d.supervisor.LogFile(admissionController.Name))
	}
	return gardener.RegisterAdmissionWebhooks(ctx, gardenClient, c)
}

// startSeed starts what belongs to a seed, and to the runtime cluster.
func (d *daemon) startSeed(runCtx, ctx context.Context, state *landscape.ClusterState, c *cluster.Cluster) error {
	isRuntime := c.Index == cluster.IndexRuntime
	seedClient, err := c.Client(kubernetes.SeedScheme)
	if err != nil {
		return err
	}

	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error { return gardener.DeployCRDs(groupCtx, seedClient, d.state.GardenerDir, isRuntime) })
	group.Go(func() error { return gardener.DeployFoundation(groupCtx, seedClient, isRuntime) })
	if err := group.Wait(); err != nil {
		return fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	d.progress.step("cluster %s: custom resources are there", c.Name)
	if isRuntime {
		if err := d.landscape.DeployGarden(ctx, seedClient); err != nil {
			return err
		}
		close(d.runtimeReady)
	}

	if err := d.startOperators(c); err != nil {
		return err
	}
	if err := d.startCorpus(state, c); err != nil {
		return err
	}
	if err := d.startNode(runCtx, c); err != nil {
		return err
	}
	if err := gardener.WaitForResourceManager(ctx, c); err != nil {
		return err
	}
	if err := gardener.RegisterProjectedTokenMount(ctx, seedClient, c); err != nil {
		return err
	}
	if err := d.landscape.DeployAggregatePrometheus(ctx, seedClient, state.Seed, c); err != nil {
		return err
	}
	if isRuntime && !d.state.WithoutExtension {
		if err := d.startGardenExtension(ctx, c, seedClient); err != nil {
			return err
		}
	}
	if isRuntime {
		if err := d.startGardenPrometheis(ctx, c, seedClient); err != nil {
			return err
		}
	}
	d.progress.step("cluster %s: operators run, Prometheis are created", c.Name)
	if err := gardener.WaitForPrometheis(ctx, seedClient, d.prometheusPods(c)...); err != nil {
		return fmt.Errorf("cluster %s: %w (log files: %s)", c.Name, err, filepath.Join(d.state.LogDir(), "pods", c.Name))
	}
	d.progress.step("cluster %s: Prometheis are ready", c.Name)

	if d.state.WithoutExtension {
		return nil
	}
	return d.startSeedExtension(ctx, state, c, seedClient)
}

// startGardenPrometheis starts the Prometheis that hold the metrics of the whole landscape.
func (d *daemon) startGardenPrometheis(ctx context.Context, c *cluster.Cluster, runtimeClient client.Client) error {
	var (
		names []string
		seeds []gardener.ScrapedSeed
	)
	for _, state := range d.state.Seeds() {
		names = append(names, state.Seed)
		seeds = append(seeds, gardener.ScrapedSeed{Name: state.Seed, IsRuntime: state.Index == cluster.IndexRuntime})
	}

	if err := d.supervisor.Start(process.Spec{
		Name: c.Name + "-gardener-metrics-exporter",
		Path: filepath.Join(c.BinDir, "corpus"),
		Args: []string{
			"--listen=" + c.HostPort(gardener.PortGardenMetricsExporter),
			"--garden-seeds=" + strings.Join(names, ","),
		},
	}); err != nil {
		return err
	}
	if err := d.landscape.DeployGardenPrometheus(ctx, runtimeClient, seeds, !d.state.WithoutExtension); err != nil {
		return err
	}
	if !d.state.Reference {
		return nil
	}
	return d.landscape.DeployReferencePrometheus(ctx, runtimeClient, seeds)
}

func (d *daemon) startOperators(c *cluster.Cluster) error {
	resourceManager, err := gardener.ResourceManagerForSeed(c)
	if err != nil {
		return err
	}
	prometheusOperator, err := gardener.PrometheusOperator(c)
	if err != nil {
		return err
	}
	for _, spec := range []process.Spec{resourceManager, prometheusOperator, gardener.OpenTelemetryOperator(c)} {
		if err := d.supervisor.Start(spec); err != nil {
			return err
		}
	}
	return nil
}

func (d *daemon) startCorpus(state *landscape.ClusterState, c *cluster.Cluster) error {
	return d.supervisor.Start(process.Spec{
		Name: c.Name + "-corpus",
		Path: filepath.Join(c.BinDir, "corpus"),
		Args: []string{
			"--listen=" + c.HostPort(gardener.PortCorpus),
			"--seed=" + state.Seed,
			"--series=" + strconv.Itoa(d.state.CorpusSeries),
			"--utf8-names",
			"--changing=" + strconv.FormatBool(d.state.Rising),
			"--changes=" + d.state.CorpusChangesFile(state.Seed),
		},
	})
}

// startNode starts the node and the ingress gateways of a cluster in this process.
func (d *daemon) startNode(runCtx context.Context, c *cluster.Cluster) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	n, err := node.New(node.Config{
		Cluster:       c.Name,
		Index:         c.Index,
		RESTConfig:    config,
		StateDir:      filepath.Join(d.state.Dir, "nodes"),
		LogDir:        filepath.Join(d.state.LogDir(), "pods"),
		Images:        d.images(c.BinDir),
		ExternalHosts: d.externalHosts(),
		Logger:        d.log,
	})
	if err != nil {
		return err
	}
	d.background(runCtx, "node of cluster "+c.Name, n.Start)

	gateways := []ingress.GatewayWorkload{{Namespace: gardener.NamespaceSeedIstioIngress, Labels: gardener.SeedIstioLabels()}}
	if c.Index == cluster.IndexRuntime {
		gateways = append(gateways, ingress.GatewayWorkload{Namespace: gardener.NamespaceGardenIstioIngress, Labels: gardener.GardenIstioLabels()})
	}
	proxy, err := ingress.New(ingress.Config{
		RESTConfig:      config,
		Address:         net.JoinHostPort(c.IngressAddress(), strconv.Itoa(ingress.DefaultPort)),
		Gateways:        gateways,
		DefaultExportTo: []string{ingress.ExportToNone},
		Logger:          d.log.WithName("ingress").WithValues("cluster", c.Name),
	})
	if err != nil {
		return err
	}
	d.background(runCtx, "ingress of cluster "+c.Name, proxy.Start)

	d.parts.Lock()
	defer d.parts.Unlock()
	d.nodes[c.Name], d.gateways[c.Name] = n, proxy
	return nil
}

// images says which binary stands for which image.
func (d *daemon) images(binDir string) []node.Image {
	return []node.Image{
		{
			Match: "prometheus-config-reloader", Binary: filepath.Join(binDir, "prometheus-config-reloader"), Path: "/bin/prometheus-config-reloader",
			Flags: []string{"--watch-interval=" + gardener.ReloadInterval(d.state.ScrapeInterval).String()},
		},
		{Match: "prometheus/prometheus", Binary: filepath.Join(binDir, "prometheus"), Path: "/bin/prometheus"},
		{
			Match: "extensions/otel-federation", Binary: filepath.Join(d.state.Root, "bin", "gardener-extension-otel-federation"),
			Path: "/gardener-extension-otel-federation",
		},
		{Match: "opentelemetry-collector", Binary: filepath.Join(binDir, "otelcol"), Path: "/bin/otelcol"},
	}
}

// externalHosts are the names under which the ingress gateways can be reached from everywhere.
func (d *daemon) externalHosts() map[string]string {
	hosts := map[string]string{"*." + gardener.GardenIngressDomain: d.landscape.Runtime.IngressAddress()}
	for i, state := range d.state.Clusters {
		if state.Seed != "" {
			hosts["*."+gardener.SeedIngressDomain(state.Seed)] = d.clusters[i].IngressAddress()
		}
	}
	return hosts
}

// prometheusPods are the Prometheus pods of a cluster.
func (d *daemon) prometheusPods(c *cluster.Cluster) []string {
	var pods []string
	for _, prometheus := range d.state.Prometheis {
		if prometheus.Cluster == c.Name {
			pods = append(pods, prometheus.Pod)
		}
	}
	return pods
}

// startVirtualGardenResourceManager starts the resource manager that reads from the runtime cluster and writes to the
// virtual garden, when both are there.
func (d *daemon) startVirtualGardenResourceManager(ctx context.Context) error {
	if err := waitFor(ctx, d.runtimeReady, d.gardenReady); err != nil {
		return err
	}
	spec, err := gardener.ResourceManagerForVirtualGarden(d.landscape.Runtime, d.landscape.VirtualGarden)
	if err != nil {
		return err
	}
	return d.supervisor.Start(spec)
}

func waitFor(ctx context.Context, channels ...<-chan struct{}) error {
	for _, channel := range channels {
		select {
		case <-channel:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// startGardenExtension installs the extension of class garden, creates the Extension, and waits until the webhook can be called: without it
// the API server refuses the garden Prometheus.
func (d *daemon) startGardenExtension(ctx context.Context, c *cluster.Cluster, runtimeClient client.Client) error {
	podLogs := filepath.Join(d.state.LogDir(), "pods", c.Name)
	installCtx, cancel := context.WithTimeout(ctx, installTimeout)
	defer cancel()
	if err := d.landscape.InstallGardenExtension(installCtx, runtimeClient); err != nil {
		return fmt.Errorf("cluster %s: %w (log files: %s)", c.Name, err, podLogs)
	}
	if err := gardener.EnableGarden(ctx, runtimeClient, gardener.GardenProviderConfig(d.state.ScrapeInterval, d.state.HandOver)); err != nil {
		return err
	}
	if err := gardener.WaitForGardenWebhook(ctx, runtimeClient); err != nil {
		return fmt.Errorf("%w (log files: %s)", err, podLogs)
	}
	d.progress.step("cluster %s: the extension's webhook is ready", c.Name)
	return nil
}

// startSeedExtension installs the extension of class seed in a cluster, and creates the Extension.
func (d *daemon) startSeedExtension(ctx context.Context, state *landscape.ClusterState, c *cluster.Cluster, seedClient client.Client) error {
	if err := waitFor(ctx, d.gardenReady); err != nil {
		return err
	}
	gardenClient, err := d.landscape.VirtualGarden.Client(kubernetes.GardenScheme)
	if err != nil {
		return err
	}
	if err := d.landscape.InstallSeedExtension(ctx, gardenClient, seedClient, state.Seed, c); err != nil {
		return err
	}
	if err := gardener.EnableSeed(ctx, gardenClient, seedClient, state.Seed, gardener.SeedProviderConfig(d.state.ScrapeInterval)); err != nil {
		return err
	}
	d.progress.step("cluster %s: the extension is installed", c.Name)
	return nil
}
