// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package landscape

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// GardenReplicas are the names of the two replicas of the garden Prometheus.
var GardenReplicas = []string{"garden-0", "garden-1"}

// AggregateName is the name of a seed's aggregate Prometheus.
func AggregateName(seed string) string { return "aggregate-" + seed }

// Landscape is a running landscape.
type Landscape struct {
	*State

	clients    map[string]client.Client
	prometheis map[string]*Prometheus
}

// Load returns the landscape that runs with the given state directory.
func Load(dir string) (*Landscape, error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	state, err := ReadState(absolute)
	if err != nil {
		return nil, err
	}
	if !state.Running() {
		return nil, ErrNotRunning
	}
	return LoadState(state)
}

// LoadState returns the landscape with the given state.
func LoadState(state *State) (*Landscape, error) {
	l := &Landscape{State: state, clients: map[string]client.Client{}, prometheis: map[string]*Prometheus{}}
	for _, c := range state.Clusters {
		config, err := clientcmd.BuildConfigFromFlags("", c.Kubeconfig)
		if err != nil {
			return nil, fmt.Errorf("failed to read the kubeconfig of cluster %s: %w", c.Name, err)
		}
		config.QPS, config.Burst = 100, 200
		scheme := kubernetes.SeedScheme
		if c.Index == cluster.IndexVirtualGarden {
			scheme = kubernetes.GardenScheme
		}
		cl, err := client.New(config, client.Options{Scheme: scheme})
		if err != nil {
			return nil, fmt.Errorf("failed to create a client for cluster %s: %w", c.Name, err)
		}
		l.clients[c.Name] = cl
	}
	for _, p := range state.Prometheis {
		l.prometheis[p.Name] = &Prometheus{Name: p.Name, URL: p.URL}
	}
	return l, nil
}

// Client returns the client for a cluster, or nil if there is no such cluster.
func (l *Landscape) Client(name string) client.Client { return l.clients[name] }

// Runtime returns the client for the runtime cluster.
func (l *Landscape) Runtime() client.Client { return l.clients[cluster.NameRuntime] }

// VirtualGarden returns the client for the virtual garden.
func (l *Landscape) VirtualGarden() client.Client { return l.clients[cluster.NameVirtualGarden] }

// Seed returns the client for the cluster of a seed, or nil if there is no such seed.
func (l *Landscape) Seed(name string) client.Client {
	for _, c := range l.Clusters {
		if c.Seed == name && name != "" {
			return l.clients[c.Name]
		}
	}
	return nil
}

// Prometheus returns a Prometheus by its name (garden-0, garden-1, aggregate-<seed>, reference), or nil if there is none.
func (l *Landscape) Prometheus(name string) *Prometheus { return l.prometheis[name] }

// EnableSeed enables the extension in a seed. It does not wait.
func (l *Landscape) EnableSeed(ctx context.Context, seed string) error {
	return gardener.EnableSeed(ctx, l.VirtualGarden(), l.Seed(seed), seed, gardener.SeedProviderConfig(l.ScrapeInterval))
}

// DisableSeed disables the extension in a seed and waits until the Extension is gone.
func (l *Landscape) DisableSeed(ctx context.Context, seed string) error {
	return gardener.DisableSeed(ctx, l.VirtualGarden(), l.Seed(seed), seed)
}

// EnableGarden enables the extension in the Garden, with the mode of the hand-over that the landscape was started with. It does not
// wait.
func (l *Landscape) EnableGarden(ctx context.Context) error {
	return l.HandOverBy(ctx, l.HandOver)
}

// HandOverBy enables the extension in the Garden with a mode of the hand-over. It does not wait.
func (l *Landscape) HandOverBy(ctx context.Context, mode configv1alpha1.HandOverMode) error {
	return gardener.EnableGarden(ctx, l.Runtime(), gardener.GardenProviderConfig(l.ScrapeInterval, mode))
}

// FederationStatus returns the states of the seeds, which the extension of class garden writes down.
func (l *Landscape) FederationStatus(ctx context.Context) (*configv1alpha1.GardenFederationStatus, error) {
	ex := &extensionsv1alpha1.Extension{}
	if err := l.Runtime().Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: gardener.GardenExtensionName}, ex); err != nil {
		return nil, fmt.Errorf("failed to read the Extension of class garden: %w", err)
	}
	return loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
}

// DisableGarden disables the extension in the Garden and waits until the Extension is gone.
func (l *Landscape) DisableGarden(ctx context.Context) error {
	return gardener.DisableGarden(ctx, l.Runtime())
}

// AddSeed registers a seed in the virtual garden whose cluster is there. The seed's extension gets a new identity, so it is
// started again.
func (l *Landscape) AddSeed(ctx context.Context, seed string) error {
	for _, c := range l.Seeds() {
		if c.Seed != seed {
			continue
		}
		seedCluster := newCluster(&c)
		if err := gardener.RegisterSeed(ctx, l.VirtualGarden(), seed, seedCluster); err != nil {
			return err
		}
		if l.WithoutExtension {
			return nil
		}
		if err := gardener.RequestGardenToken(ctx, l.VirtualGarden(), l.Seed(seed), seed); err != nil {
			return err
		}
		return gardener.RestartSeedExtension(ctx, l.Seed(seed))
	}
	return fmt.Errorf("the landscape has no cluster for seed %s", seed)
}

func newCluster(state *ClusterState) *cluster.Cluster {
	return &cluster.Cluster{Name: state.Name, Index: state.Index, Dir: filepath.Dir(state.Kubeconfig), OutsideURL: state.URL, IsSeed: state.Seed != ""}
}

// RemoveSeed removes a seed from the virtual garden and waits until it is gone. Its cluster stays.
func (l *Landscape) RemoveSeed(ctx context.Context, seed string) error {
	return gardener.UnregisterSeed(ctx, l.VirtualGarden(), seed)
}

// ChangeCorpus changes what the corpus of a seed exposes, until the next change. It takes effect with the next scrape.
func (l *Landscape) ChangeCorpus(seed string, changes corpus.Changes) error {
	return changes.Write(l.CorpusChangesFile(seed))
}

// ScaleGardenExtension changes the number of replicas of the extension of class garden, which serve its webhook. It does not wait.
func (l *Landscape) ScaleGardenExtension(ctx context.Context, replicas int32) error {
	return gardener.ScaleGardenExtension(ctx, l.Runtime(), replicas)
}

// StopAggregate stops the aggregate Prometheus of a seed. It does not wait.
func (l *Landscape) StopAggregate(ctx context.Context, seed string) error {
	return gardener.StopAggregatePrometheus(ctx, l.Seed(seed))
}

// StartAggregate starts the aggregate Prometheus of a seed again. It does not wait.
func (l *Landscape) StartAggregate(ctx context.Context, seed string) error {
	return gardener.StartAggregatePrometheus(ctx, l.Seed(seed))
}

// StopSeedCollector stops the collector of a seed. It does not wait.
func (l *Landscape) StopSeedCollector(ctx context.Context, seed string) error {
	return gardener.StopSeedCollector(ctx, l.Seed(seed))
}

// StartSeedCollector starts the collector of a seed again. It does not wait.
func (l *Landscape) StartSeedCollector(ctx context.Context, seed string) error {
	return gardener.StartSeedCollector(ctx, l.Seed(seed))
}

// StopFanOut stops the collectors of the fan-out. It does not wait.
func (l *Landscape) StopFanOut(ctx context.Context) error {
	return gardener.StopFanOut(ctx, l.Runtime())
}

// StartFanOut starts the collectors of the fan-out again. It does not wait.
func (l *Landscape) StartFanOut(ctx context.Context) error {
	return gardener.StartFanOut(ctx, l.Runtime())
}

// MissingSamples says which samples are not where they belong yet. It returns an empty string if all are there.
func (l *Landscape) MissingSamples(ctx context.Context) string {
	var missing []string
	for _, c := range l.Seeds() {
		var names []string
		if l.Reference && !l.prometheis[gardener.ReferenceName].hasSamples(ctx, c.Seed) {
			names = append(names, gardener.ReferenceName)
		}
		if aggregate := l.prometheis[AggregateName(c.Seed)]; !aggregate.hasSamples(ctx, "") {
			names = append(names, aggregate.Name)
		}
		for _, replica := range GardenReplicas {
			garden := l.prometheis[replica]
			if l.WithoutExtension && garden.Ready(ctx) == nil || garden.isPushedTo(ctx, c.Seed) {
				continue
			}
			names = append(names, replica)
		}
		if len(names) > 0 {
			missing = append(missing, fmt.Sprintf("seed %s in %s", c.Seed, strings.Join(names, ", ")))
		}
	}
	return strings.Join(missing, "; ")
}

var errNoPrometheus = errors.New("there is no such Prometheus")
