// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/node"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// firstListenerFD is the first file descriptor that `landscape up` passes to the daemon.
const firstListenerFD = 3

// daemon runs the landscape in a network of its own.
type daemon struct {
	state      *landscape.State
	supervisor *process.Supervisor
	progress   *progress
	log        logr.Logger
	fail       context.CancelCauseFunc

	// parts guards nodes and gateways, which have the name of their cluster as key.
	parts    sync.Mutex
	nodes    map[string]*node.Node
	gateways map[string]*ingress.Proxy

	clusters  []*cluster.Cluster
	landscape *gardener.Landscape

	runtimeReady chan struct{}
	gardenReady  chan struct{}

	components sync.WaitGroup
}

func newRunCommand() *cobra.Command {
	var dir string
	command := &cobra.Command{
		Use:    "run",
		Short:  "Run the landscape; `up` starts this in the background",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return runDaemon(ctx, dir)
		},
	}
	command.Flags().StringVar(&dir, "dir", landscape.DefaultDir, "state directory")
	return command
}

func runDaemon(ctx context.Context, dir string) error {
	state, err := landscape.ReadState(dir)
	if err != nil {
		return err
	}
	listeners, err := inheritListeners(1 + len(state.Clusters) + len(state.Prometheis) + 1)
	if err != nil {
		return err
	}

	runCtx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	d := &daemon{
		state:        state,
		supervisor:   process.NewSupervisor(state.LogDir()),
		progress:     newProgress(),
		log:          zap.New(),
		fail:         fail,
		nodes:        map[string]*node.Node{},
		gateways:     map[string]*ingress.Proxy{},
		runtimeReady: make(chan struct{}),
		gardenReady:  make(chan struct{}),
	}
	logf.SetLogger(d.log)
	d.newClusters()
	go d.serveControl(ctx, listeners[0])

	err = d.start(runCtx, listeners[1:])
	d.progress.finish(err)
	if err == nil {
		d.supervisor.BeTolerant()
		<-runCtx.Done()
		if ctx.Err() == nil {
			err = context.Cause(runCtx)
		}
	} else {
		// `up` reads the reason from the control endpoint and then ends this process.
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
		}
	}

	fail(nil)
	d.waitForComponents()
	return errors.Join(err, d.supervisor.StopAll())
}

func inheritListeners(count int) ([]net.Listener, error) {
	listeners := make([]net.Listener, 0, count)
	for i := range count {
		file := os.NewFile(uintptr(firstListenerFD+i), fmt.Sprintf("listener-%d", i))
		listener, err := net.FileListener(file)
		if err != nil {
			return nil, fmt.Errorf("failed to use listener %d that `landscape up` has passed (do not call `run` yourself): %w", i, err)
		}
		_ = file.Close()
		listeners = append(listeners, listener)
	}
	return listeners, nil
}

func (d *daemon) newClusters() {
	binDir := filepath.Join(d.state.Root, "bin", "landscape")
	d.landscape = &gardener.Landscape{
		Root:           d.state.Root,
		BinDir:         binDir,
		GardenerDir:    d.state.GardenerDir,
		ScrapeInterval: d.state.ScrapeInterval,
	}
	for _, c := range d.state.Clusters {
		cl := &cluster.Cluster{
			Name: c.Name, Index: c.Index, Dir: filepath.Dir(c.Kubeconfig), BinDir: binDir, OutsideURL: c.URL, IsSeed: c.Seed != "",
		}
		d.clusters = append(d.clusters, cl)
		switch c.Index {
		case cluster.IndexRuntime:
			d.landscape.Runtime = cl
		case cluster.IndexVirtualGarden:
			d.landscape.VirtualGarden = cl
			cl.SeedAuthorizerURL = gardener.SeedAuthorizerURL(cl)
		}
	}
}

// start starts everything. It returns when the Extensions have been created.
func (d *daemon) start(ctx context.Context, listeners []net.Listener) error {
	if err := isolateMounts(); err != nil {
		return err
	}
	if err := node.SetUpNetwork(); err != nil {
		return err
	}
	d.forward(ctx, listeners)
	d.progress.step("network is there")

	startCtx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case failure := <-d.supervisor.Failures():
			cancel(failure)
		case <-startCtx.Done():
		}
	}()

	group, groupCtx := errgroup.WithContext(startCtx)
	for i := range d.clusters {
		group.Go(func() error { return d.startCluster(ctx, groupCtx, &d.state.Clusters[i], d.clusters[i]) })
	}
	group.Go(func() error { return d.startVirtualGardenResourceManager(groupCtx) })
	err := group.Wait()
	// The cause says more than the errors of those that it has interrupted.
	if cause := context.Cause(startCtx); cause != nil {
		return cause
	}
	return err
}

// isolateMounts makes the mounts of this process private and shows it the processes of its own namespace.
func isolateMounts() error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("failed to make the mounts private: %w", err)
	}
	// Where a user namespace does not allow that, /proc goes on to show the processes of the host.
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("failed to mount /proc: %w", err)
	}
	return nil
}

// forward connects the listeners outside with the API servers, the Prometheus pods and the gateways of the garden inside.
func (d *daemon) forward(ctx context.Context, listeners []net.Listener) {
	for i, c := range d.clusters {
		go forward(ctx, listeners[i], fixedTarget(strings.TrimPrefix(c.InsideURL(), "https://")))
	}
	for i, prometheus := range d.state.Prometheis {
		go forward(ctx, listeners[len(d.clusters)+i], func(ctx context.Context) (string, error) {
			return d.podAddress(ctx, prometheus.Cluster, prometheus.Pod, "9090")
		})
	}
	gateways := net.JoinHostPort(node.GatewayIP(cluster.IndexRuntime), strconv.Itoa(ingress.DefaultPort))
	go forward(ctx, listeners[len(listeners)-1], fixedTarget(gateways))
}

func (d *daemon) podAddress(ctx context.Context, clusterName, podName, port string) (string, error) {
	for _, c := range d.clusters {
		if c.Name != clusterName {
			continue
		}
		cl, err := c.Client(kubernetes.SeedScheme)
		if err != nil {
			return "", err
		}
		pods := &corev1.PodList{}
		if err := cl.List(ctx, pods, client.MatchingFields{metav1.ObjectNameField: podName}); err != nil {
			return "", err
		}
		if len(pods.Items) != 1 || pods.Items[0].Status.PodIP == "" {
			return "", fmt.Errorf("pod %s of cluster %s does not exist, or has no address yet", podName, clusterName)
		}
		return net.JoinHostPort(pods.Items[0].Status.PodIP, port), nil
	}
	return "", fmt.Errorf("there is no cluster %s", clusterName)
}

// background runs a component until the context ends. If it ends before, the landscape fails.
func (d *daemon) background(ctx context.Context, name string, run func(context.Context) error) {
	d.components.Go(func() {
		err := run(ctx)
		if ctx.Err() == nil {
			log.Printf("%s has ended: %v", name, err)
			d.fail(fmt.Errorf("%s has ended (log file: %s): %w", name, filepath.Join(d.state.LogDir(), "daemon.log"), err))
		}
	})
}

func (d *daemon) waitForComponents() {
	done := make(chan struct{})
	go func() {
		d.components.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(15 * time.Second):
		log.Print("components have not ended within 15s: going on without waiting for them")
	}
}
