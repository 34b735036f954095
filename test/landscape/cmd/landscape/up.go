// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/node"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

type upOptions struct {
	dir              string
	root             string
	seeds            int
	scrapeInterval   time.Duration
	corpusSeries     int
	rising           bool
	reference        bool
	withoutExtension bool
	handOver         string
	timeout          time.Duration
}

func newUpCommand() *cobra.Command {
	o := &upOptions{}
	command := &cobra.Command{
		Use:   "up",
		Short: "Start the landscape in the background and wait until the seeds' samples are in both garden Prometheis",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGTERM, syscall.SIGINT)
			defer stop()
			return o.run(ctx)
		},
	}
	flags := command.Flags()
	flags.StringVar(&o.dir, "dir", landscape.DefaultDir, "state directory")
	flags.StringVar(&o.root, "root", ".", "root directory of the repository")
	flags.IntVar(&o.seeds, "seeds", 2, "number of seeds; the first one is the runtime cluster")
	flags.DurationVar(&o.scrapeInterval, "scrape-interval", 5*time.Second, "interval at which everything is scraped and evaluated")
	flags.IntVar(&o.corpusSeries, "corpus-series", 2000, "number of series that the corpus exporter of each seed exposes")
	flags.BoolVar(&o.rising, "rising", false, "let some series of the corpus rise by one per second instead of being constant")
	flags.BoolVar(&o.reference, "reference", false, "also run a Prometheus that pulls from the seeds, as the garden Prometheus does without this extension")
	flags.BoolVar(&o.withoutExtension, "without-extension", false, "start neither the extension nor create its Extension objects")
	flags.StringVar(&o.handOver, "hand-over", string(configv1alpha1.HandOverModeAutomatic), "mode in which the extension replaces pull by push: Automatic, Shadow or Push")
	flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait for the samples")
	return command
}

func (o *upOptions) run(ctx context.Context) error {
	state, err := o.newState()
	if err != nil {
		return err
	}
	if old, err := landscape.ReadState(state.Dir); err == nil && old.Running() {
		fmt.Println("The landscape is already running.")
		return show(ctx, old)
	}
	if err := prepareStateDir(state); err != nil {
		return err
	}
	if state.GardenerDir, err = moduleDir(ctx, state.Root, "github.com/gardener/gardener"); err != nil {
		return err
	}

	start := time.Now()
	daemonProcess, err := startDaemon(state)
	if err != nil {
		return err
	}
	if err := o.wait(ctx, state, daemonProcess); err != nil {
		if stopErr := stopDaemon(state); stopErr != nil {
			err = errors.Join(err, stopErr)
		}
		return err
	}
	if err := state.WriteKubeconfig(); err != nil {
		return err
	}
	fmt.Printf("The landscape is up after %.0f seconds.\n\n", time.Since(start).Seconds())
	return show(ctx, state)
}

// newState lays out the landscape. URLs are added when listeners have been opened.
func (o *upOptions) newState() (*landscape.State, error) {
	if o.seeds < 1 || o.seeds > node.MaxClusters-1 {
		return nil, fmt.Errorf("--seeds must be between 1 and %d", node.MaxClusters-1)
	}
	if o.scrapeInterval < time.Second {
		return nil, errors.New("--scrape-interval must be at least 1s")
	}
	modes := []string{string(configv1alpha1.HandOverModeAutomatic), string(configv1alpha1.HandOverModeShadow), string(configv1alpha1.HandOverModePush)}
	if !slices.Contains(modes, o.handOver) {
		return nil, fmt.Errorf("--hand-over must be one of %s", strings.Join(modes, ", "))
	}
	dir, err := filepath.Abs(o.dir)
	if err != nil {
		return nil, err
	}
	root, err := filepath.Abs(o.root)
	if err != nil {
		return nil, err
	}

	state := &landscape.State{
		Dir: dir, Root: root, ScrapeInterval: o.scrapeInterval, CorpusSeries: o.corpusSeries, Rising: o.rising, Reference: o.reference,
		WithoutExtension: o.withoutExtension, HandOver: configv1alpha1.HandOverMode(o.handOver),
	}
	addCluster := func(name string, index int, seed string) {
		state.Clusters = append(state.Clusters, landscape.ClusterState{
			Name: name, Index: index, Seed: seed, Kubeconfig: filepath.Join(dir, "clusters", name, "kubeconfig.yaml"),
		})
		if seed != "" {
			state.Prometheis = append(state.Prometheis, landscape.PrometheusState{
				Name: landscape.AggregateName(seed), Cluster: name, Pod: "prometheus-aggregate-0",
			})
		}
	}
	for _, replica := range landscape.GardenReplicas {
		state.Prometheis = append(state.Prometheis, landscape.PrometheusState{Name: replica, Cluster: cluster.NameRuntime, Pod: "prometheus-" + replica})
	}
	if o.reference {
		state.Prometheis = append(state.Prometheis, landscape.PrometheusState{Name: gardener.ReferenceName, Cluster: cluster.NameRuntime, Pod: "prometheus-" + gardener.ReferenceName + "-0"})
	}
	addCluster(cluster.NameRuntime, cluster.IndexRuntime, landscape.SeedRuntime)
	addCluster(cluster.NameVirtualGarden, cluster.IndexVirtualGarden, "")
	for i := 2; i <= o.seeds; i++ {
		seed := fmt.Sprintf("seed-%d", i)
		addCluster(seed, i, seed)
	}
	return state, nil
}

// prepareStateDir removes what an earlier landscape has left in the state directory.
func prepareStateDir(state *landscape.State) error {
	leftovers := []string{"clusters", "nodes", "logs", "landscape.json"}
	for _, seed := range state.Seeds() {
		leftovers = append(leftovers, filepath.Base(state.CorpusChangesFile(seed.Seed)))
	}
	for _, name := range leftovers {
		if err := os.RemoveAll(filepath.Join(state.Dir, name)); err != nil {
			return fmt.Errorf("failed to remove what an earlier landscape has left: %w", err)
		}
	}
	directories := []string{state.LogDir()}
	for _, c := range state.Clusters {
		directories = append(directories, filepath.Dir(c.Kubeconfig))
	}
	for _, directory := range directories {
		if err := os.MkdirAll(directory, 0o700); err != nil {
			return fmt.Errorf("failed to create the state directory: %w", err)
		}
	}
	return nil
}

// moduleDir returns the directory of a Go module.
func moduleDir(ctx context.Context, root, module string) (string, error) {
	command := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", module) // #nosec G204 -- Constant arguments.
	command.Dir = root
	output, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("failed to find the directory of module %s (run this in the repository): %w", module, err)
	}
	dir := strings.TrimSpace(string(output))
	if dir == "" {
		return "", fmt.Errorf("module %s has not been downloaded: run `go mod download %s`", module, module)
	}
	return dir, nil
}

// listen opens the listeners through which the landscape is reached from outside its network, and enters their URLs.
func listen(state *landscape.State) ([]*os.File, error) {
	var files []*os.File
	open := func(scheme string, url *string) error {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return fmt.Errorf("failed to open a port: %w", err)
		}
		defer func() { _ = listener.Close() }()
		*url = scheme + "://" + listener.Addr().String()
		file, err := listener.(*net.TCPListener).File()
		if err != nil {
			return err
		}
		files = append(files, file)
		return nil
	}

	if err := open("http", &state.ControlURL); err != nil {
		return files, err
	}
	for i := range state.Clusters {
		if err := open("https", &state.Clusters[i].URL); err != nil {
			return files, err
		}
	}
	for i := range state.Prometheis {
		if err := open("http", &state.Prometheis[i].URL); err != nil {
			return files, err
		}
	}
	return files, open("https", &state.GardenIngressURL)
}

// daemonHandle says when the daemon has ended.
type daemonHandle struct {
	ended chan struct{}
}

// startDaemon starts the daemon with a session, a network, mounts and process IDs of its own: when it ends nothing can stay.
func startDaemon(state *landscape.State) (*daemonHandle, error) {
	files, err := listen(state)
	defer func() {
		for _, file := range files {
			_ = file.Close()
		}
	}()
	if err != nil {
		return nil, err
	}
	if err := state.Write(); err != nil {
		return nil, err
	}

	executable, err := os.Executable()
	if err != nil {
		return nil, err
	}
	logFile, err := os.OpenFile(daemonLog(state), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = logFile.Close() }()

	command := exec.Command(executable, "run", "--dir="+state.Dir) // #nosec G204 -- This very program.
	command.Stdout, command.Stderr = logFile, logFile
	command.ExtraFiles = files
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + state.Dir}
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID}
	if os.Geteuid() != 0 {
		command.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("failed to start the daemon of the landscape (it needs to be root, or user namespaces must be allowed): %w", err)
	}
	handle := &daemonHandle{ended: make(chan struct{})}
	go func() {
		_ = command.Wait()
		close(handle.ended)
	}()

	state.PID = command.Process.Pid
	if state.StartTime, err = landscape.StartTime(state.PID); err != nil {
		return nil, fmt.Errorf("the daemon of the landscape has ended at once; last lines of %s:\n%s", daemonLog(state), process.Tail(daemonLog(state), 15))
	}
	return handle, state.Write()
}

func daemonLog(state *landscape.State) string { return filepath.Join(state.LogDir(), "daemon.log") }

// wait shows the progress until the samples of all seeds are in both garden Prometheis.
func (o *upOptions) wait(ctx context.Context, state *landscape.State, daemonProcess *daemonHandle) error {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()

	shown, started := 0, false
	for {
		report, err := state.Report(ctx)
		if err == nil {
			for _, step := range report.Steps[shown:] {
				fmt.Printf("%6.1fs %s\n", step.Elapsed.Seconds(), step.Text)
			}
			shown = len(report.Steps)
			if report.Error != "" {
				return errors.New(report.Error)
			}
			started = report.Done
		}
		if started {
			return waitForSamples(ctx, state)
		}

		select {
		case <-daemonProcess.ended:
			return fmt.Errorf("the daemon of the landscape has ended; last lines of %s:\n%s", daemonLog(state), process.Tail(daemonLog(state), 15))
		case <-ctx.Done():
			return fmt.Errorf("the landscape has not started within %s (log files: %s)", o.timeout, state.LogDir())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// waitForSamples waits until samples are where they belong, and says what it is waiting for.
func waitForSamples(ctx context.Context, state *landscape.State) error {
	l, err := landscape.LoadState(state)
	if err != nil {
		return err
	}
	last := ""
	for {
		missing := l.MissingSamples(ctx)
		if missing == "" {
			return nil
		}
		if missing != last {
			fmt.Printf("        waiting for samples of %s\n", missing)
			last = missing
		}
		if err := failedProcesses(ctx, state); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting for samples of %s (log files: %s)", missing, state.LogDir())
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// failedProcesses returns an error if a process has died since the start.
func failedProcesses(ctx context.Context, state *landscape.State) error {
	report, err := state.Report(ctx)
	if err != nil {
		return err
	}
	for _, status := range report.Processes {
		if status.Restarts > 0 || status.State == process.StateRestarting {
			return &process.ExitError{Name: status.Name, LogFile: status.LogFile, Reason: status.LastExit}
		}
	}
	return nil
}
