// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package landscape gives tests and commands access to a running local landscape.
package landscape

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

const (
	// DefaultDir is the default of the state directory.
	DefaultDir = ".landscape"
	// SeedRuntime is the name of the seed that is the runtime cluster.
	SeedRuntime = "local"

	stateFile = "landscape.json"
)

// State describes a landscape. `landscape up` writes it into the state directory.
type State struct {
	// Dir is the state directory.
	Dir string `json:"dir"`
	// Root is the root directory of the repository.
	Root string `json:"root"`
	// GardenerDir is the directory of the gardener module.
	GardenerDir string `json:"gardenerDir"`
	// PID is the process ID of the daemon.
	PID int `json:"pid"`
	// StartTime is the daemon's start time in clock ticks after boot. Together with PID it identifies the daemon.
	StartTime uint64 `json:"startTime"`
	// ControlURL is the URL of the daemon's control endpoint.
	ControlURL string `json:"controlURL"`
	// GardenIngressURL is the URL at which the ingress gateways of the runtime cluster are reached from outside the landscape's network,
	// whatever the name of the host.
	GardenIngressURL string `json:"gardenIngressURL"`
	// ScrapeInterval is the interval at which everything in the landscape is scraped and evaluated.
	ScrapeInterval time.Duration `json:"scrapeInterval"`
	// CorpusSeries is the number of series that each seed's corpus exporter exposes.
	CorpusSeries int `json:"corpusSeries"`
	// Rising says that some series of the corpus rise by one per second. Otherwise all values are constant.
	Rising bool `json:"rising"`
	// Reference says that a Prometheus which pulls from the seeds runs beside the garden Prometheus.
	Reference bool `json:"reference"`
	// WithoutExtension says that neither the extension's processes nor its Extension objects are there.
	WithoutExtension bool `json:"withoutExtension"`
	// HandOver is the mode of the hand-over from pull to push.
	HandOver configv1alpha1.HandOverMode `json:"handOver"`
	// Clusters are the control planes.
	Clusters []ClusterState `json:"clusters"`
	// Prometheis are the Prometheus pods.
	Prometheis []PrometheusState `json:"prometheis"`
}

// ClusterState describes a control plane.
type ClusterState struct {
	// Name is the name of the cluster.
	Name string `json:"name"`
	// Index is the index of the cluster, which determines its addresses.
	Index int `json:"index"`
	// Seed is the name of the seed that the cluster is. It is empty for the virtual garden.
	Seed string `json:"seed,omitempty"`
	// URL is the URL of the API server for users and tests.
	URL string `json:"url"`
	// Kubeconfig is the path of the kubeconfig for users and tests.
	Kubeconfig string `json:"kubeconfig"`
}

// PrometheusState describes a Prometheus pod.
type PrometheusState struct {
	// Name is the name by which the landscape calls it: garden-0, garden-1, aggregate-<seed> or reference.
	Name string `json:"name"`
	// Cluster is the name of its cluster.
	Cluster string `json:"cluster"`
	// Pod is the name of the pod in the namespace garden.
	Pod string `json:"pod"`
	// URL is the URL for users and tests.
	URL string `json:"url"`
}

// ErrNotRunning says that no landscape runs.
var ErrNotRunning = errors.New("no landscape runs: start one with `make up`")

// ReadState reads the state of a landscape from its state directory.
func ReadState(dir string) (*State, error) {
	data, err := os.ReadFile(filepath.Join(dir, stateFile)) // #nosec G304 -- The state directory of the landscape.
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotRunning
	}
	if err != nil {
		return nil, fmt.Errorf("failed to read the state of the landscape: %w", err)
	}
	state := &State{}
	if err := json.Unmarshal(data, state); err != nil {
		return nil, fmt.Errorf("failed to decode the state of the landscape in %s (remove the directory): %w", dir, err)
	}
	return state, nil
}

// Write writes the state into the state directory.
func (s *State) Write() error {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(s.Dir, stateFile)
	if err := os.WriteFile(path+".tmp", append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("failed to write the state of the landscape: %w", err)
	}
	return os.Rename(path+".tmp", path)
}

// Running says whether the daemon runs: whether a process with its ID and start time is there.
func (s *State) Running() bool {
	if s.PID == 0 {
		return false
	}
	startTime, err := StartTime(s.PID)
	return err == nil && startTime == s.StartTime
}

// LogDir is the directory of the log files.
func (s *State) LogDir() string { return filepath.Join(s.Dir, "logs") }

// Lookback is for how long the Prometheis show a series of which they have no newer sample.
func (s *State) Lookback() time.Duration { return gardener.Lookback(s.ScrapeInterval) }

// Kubeconfig is the path of a kubeconfig with a context for each cluster, by its name. The runtime cluster is the current one.
func (s *State) Kubeconfig() string { return filepath.Join(s.Dir, "kubeconfig.yaml") }

// WriteKubeconfig writes the kubeconfig with all clusters.
func (s *State) WriteKubeconfig() error {
	merged := clientcmdapi.NewConfig()
	for _, c := range s.Clusters {
		config, err := clientcmd.LoadFromFile(c.Kubeconfig)
		if err != nil {
			return fmt.Errorf("failed to read the kubeconfig of cluster %s: %w", c.Name, err)
		}
		maps.Copy(merged.Clusters, config.Clusters)
		maps.Copy(merged.AuthInfos, config.AuthInfos)
		maps.Copy(merged.Contexts, config.Contexts)
	}
	merged.CurrentContext = cluster.NameRuntime
	if err := clientcmd.WriteToFile(*merged, s.Kubeconfig()); err != nil {
		return fmt.Errorf("failed to write the kubeconfig with all clusters: %w", err)
	}
	return nil
}

// CorpusChangesFile is the file with the changes of a seed's corpus.
func (s *State) CorpusChangesFile(seed string) string {
	return filepath.Join(s.Dir, "corpus-"+seed+".json")
}

// Cluster returns the cluster with the given name.
func (s *State) Cluster(name string) (*ClusterState, error) {
	for i := range s.Clusters {
		if s.Clusters[i].Name == name {
			return &s.Clusters[i], nil
		}
	}
	return nil, fmt.Errorf("the landscape has no cluster %s", name)
}

// Seeds returns the clusters that are seeds.
func (s *State) Seeds() []ClusterState {
	var seeds []ClusterState
	for _, cluster := range s.Clusters {
		if cluster.Seed != "" {
			seeds = append(seeds, cluster)
		}
	}
	return seeds
}

// StartTime returns the start time of a process in clock ticks after boot. A process that has ended but has not been waited
// for is treated as gone.
func StartTime(pid int) (uint64, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The second field is the command in parentheses and may contain anything.
	fields := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
	if len(fields) < 20 {
		return 0, fmt.Errorf("unexpected content of /proc/%d/stat", pid)
	}
	if fields[0] == "Z" || fields[0] == "X" {
		return 0, syscall.ESRCH
	}
	return strconv.ParseUint(fields[19], 10, 64)
}
