// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package node stands in for the kubelet, the scheduler, the service proxy, the cluster DNS and the volume provisioner of one
// cluster of the local landscape. Containers are processes with namespaces of their own.
//
// It does not support: users (everything runs as root of its namespaces), resource limits, exec and gRPC probes, lifecycle
// hooks, affinities and taints, UDP services, and containers that need more of an image than one static binary.
package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	nodeName      = "node"
	clusterDomain = "cluster.local"
)

// Config configures the node of one cluster.
type Config struct {
	// Cluster is the name of the cluster.
	Cluster string
	// Index is the index of the cluster, from which its addresses are derived.
	Index int
	// RESTConfig must have the permissions of a cluster administrator.
	RESTConfig *rest.Config
	// StateDir is the directory for pods and volumes, LogDir the one for the logs of containers. Both get a subdirectory for
	// the cluster.
	StateDir, LogDir string
	// Images are the images that the node has. The first one that matches is used.
	Images []Image
	// ExternalHosts are names outside the cluster that its DNS resolves. A name that starts with `*.` stands for all names
	// with that suffix.
	ExternalHosts map[string]string
	// Logger is the logger of the node.
	Logger logr.Logger
}

// Image says what to run for an image.
type Image struct {
	// Match is a part of the image references that it stands for.
	Match string
	// Binary is the path of the static binary on the host, Path the one in the image.
	Binary, Path string
	// Entrypoint is the command line if the container has no command. It defaults to the path.
	Entrypoint []string
	// Flags, like `--name=value`, are added to the arguments of a container that does not set them itself.
	Flags []string
}

// ProcessInfo describes a running container.
type ProcessInfo struct {
	Namespace string    `json:"namespace"`
	Pod       string    `json:"pod"`
	Container string    `json:"container"`
	PID       int       `json:"pid"`
	Since     time.Time `json:"since"`
	Restarts  int32     `json:"restarts"`
}

// Node is the only node of a cluster.
type Node struct {
	config    Config
	log       logr.Logger
	cache     cache.Cache
	client    client.Client
	addresses *podAddresses
	proxy     *serviceProxy
	// provision wakes the volume provisioner.
	provision chan struct{}

	mu      sync.Mutex
	workers map[types.UID]*podWorker
	group   sync.WaitGroup
}

// New creates the node of a cluster.
func New(config Config) (*Node, error) {
	if config.Index < 0 || config.Index >= MaxClusters {
		return nil, fmt.Errorf("index %d of cluster %s must be between 0 and %d", config.Index, config.Cluster, MaxClusters-1)
	}
	for _, directory := range []*string{&config.StateDir, &config.LogDir} {
		absolute, err := filepath.Abs(*directory)
		if err != nil {
			return nil, fmt.Errorf("failed to determine the absolute path of %s: %w", *directory, err)
		}
		*directory = absolute
	}
	restConfig := rest.CopyConfig(config.RESTConfig)
	restConfig.QPS, restConfig.Burst = 200, 400

	n := &Node{
		config:    config,
		log:       config.Logger.WithName("node").WithValues("cluster", config.Cluster),
		addresses: newPodAddresses(config.Index),
		provision: make(chan struct{}, 1),
		workers:   map[types.UID]*podWorker{},
	}
	var err error
	if n.cache, err = cache.New(restConfig, cache.Options{Scheme: scheme.Scheme, DefaultTransform: cache.TransformStripManagedFields()}); err != nil {
		return nil, fmt.Errorf("failed to create the cache for cluster %s: %w", config.Cluster, err)
	}
	if n.client, err = client.New(restConfig, client.Options{Scheme: scheme.Scheme, Cache: &client.CacheOptions{Reader: n.cache}}); err != nil {
		return nil, fmt.Errorf("failed to create the client for cluster %s: %w", config.Cluster, err)
	}
	n.proxy = newServiceProxy(n.client, n.log)
	return n, nil
}

// Start runs the node until the context ends. Then it stops all containers and returns.
func (n *Node) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	if err := n.watch(ctx); err != nil {
		return err
	}
	group.Go(func() error { return n.cache.Start(ctx) })
	if !n.cache.WaitForCacheSync(ctx) {
		return fmt.Errorf("failed to read the objects of cluster %s: %w", n.config.Cluster, group.Wait())
	}
	if err := n.prepare(ctx); err != nil {
		return err
	}

	group.Go(func() error { return newDNSServer(n.client, n.config).run(ctx) })
	group.Go(func() error { n.proxy.run(ctx); return nil })
	group.Go(func() error { n.runProvisioner(ctx); return nil })
	group.Go(func() error { n.heartbeat(ctx); return nil })
	group.Go(func() error { return n.runPods(ctx) })
	return group.Wait()
}

// Processes returns the containers that are running.
func (n *Node) Processes() []ProcessInfo {
	n.mu.Lock()
	defer n.mu.Unlock()
	var processes []ProcessInfo
	for _, worker := range n.workers {
		if snapshot := worker.processes.Load(); snapshot != nil {
			processes = append(processes, *snapshot...)
		}
	}
	return processes
}

func (n *Node) hostIP() string  { return ControlPlaneIP(n.config.Index) }
func (n *Node) podsDir() string { return filepath.Join(n.config.StateDir, n.config.Cluster, "pods") }

// watch wakes whoever is concerned by a change.
func (n *Node) watch(ctx context.Context) error {
	wakeProvisioner := func() {
		select {
		case n.provision <- struct{}{}:
		default:
		}
	}
	for object, handle := range map[client.Object]func(client.Object){
		&corev1.ConfigMap{}: func(object client.Object) { n.wakePods(object.GetNamespace()) },
		&corev1.Secret{}:    func(object client.Object) { n.wakePods(object.GetNamespace()) },
		&corev1.PersistentVolumeClaim{}: func(object client.Object) {
			wakeProvisioner()
			n.wakePods(object.GetNamespace())
		},
		&corev1.PersistentVolume{}:   func(client.Object) { wakeProvisioner() },
		&storagev1.StorageClass{}:    func(client.Object) { wakeProvisioner() },
		&corev1.Service{}:            func(client.Object) { n.proxy.wake() },
		&discoveryv1.EndpointSlice{}: func(client.Object) { n.proxy.wake() },
	} {
		informer, err := n.cache.GetInformer(ctx, object, cache.BlockUntilSynced(false))
		if err != nil {
			return fmt.Errorf("failed to watch %T in cluster %s: %w", object, n.config.Cluster, err)
		}
		if _, err := informer.AddEventHandler(handler(handle)); err != nil {
			return fmt.Errorf("failed to watch %T in cluster %s: %w", object, n.config.Cluster, err)
		}
	}
	return nil
}

func handler(handle func(client.Object)) toolscache.ResourceEventHandler {
	each := func(object any) {
		if tombstone, ok := object.(toolscache.DeletedFinalStateUnknown); ok {
			object = tombstone.Obj
		}
		if object, ok := object.(client.Object); ok {
			handle(object)
		}
	}
	return toolscache.ResourceEventHandlerFuncs{AddFunc: each, UpdateFunc: func(_, object any) { each(object) }, DeleteFunc: each}
}

func (n *Node) wakePods(namespace string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, worker := range n.workers {
		if worker.key.Namespace == namespace {
			worker.wake()
		}
	}
}

// runPods starts or wakes the worker of every pod until the context ends, and then waits for the workers.
func (n *Node) runPods(ctx context.Context) error {
	defer n.group.Wait()
	informer, err := n.cache.GetInformer(ctx, &corev1.Pod{})
	if err != nil {
		return fmt.Errorf("failed to watch pods in cluster %s: %w", n.config.Cluster, err)
	}
	if _, err := informer.AddEventHandler(handler(func(object client.Object) {
		if pod, ok := object.(*corev1.Pod); ok {
			n.wakePod(ctx, pod)
		}
	})); err != nil {
		return fmt.Errorf("failed to watch pods in cluster %s: %w", n.config.Cluster, err)
	}
	<-ctx.Done()
	return nil
}

func (n *Node) wakePod(ctx context.Context, pod *corev1.Pod) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if worker := n.workers[pod.UID]; worker != nil {
		worker.wake()
		return
	}
	if ctx.Err() != nil || pod.Spec.NodeName != "" && pod.Spec.NodeName != nodeName {
		return
	}
	worker := newPodWorker(n, pod)
	n.workers[pod.UID] = worker
	n.group.Go(func() {
		worker.run(ctx)
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.workers, pod.UID)
	})
}

// prepare creates what must exist before the first pod is started, and removes what pods have left that are gone.
func (n *Node) prepare(ctx context.Context) error {
	if err := os.MkdirAll(n.podsDir(), 0o700); err != nil {
		return fmt.Errorf("failed to create the directory for pods: %w", err)
	}
	pods := &corev1.PodList{}
	if err := n.client.List(ctx, pods); err != nil {
		return fmt.Errorf("failed to list pods: %w", err)
	}
	known := map[string]bool{}
	for _, pod := range pods.Items {
		known[string(pod.UID)] = true
	}
	entries, err := os.ReadDir(n.podsDir())
	if err != nil {
		return fmt.Errorf("failed to list the directories of pods: %w", err)
	}
	for _, entry := range entries {
		if known[entry.Name()] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(n.podsDir(), entry.Name())); err != nil {
			return fmt.Errorf("failed to remove the directory of pod %s, which is gone: %w", entry.Name(), err)
		}
	}
	if err := n.ensureStorageClass(ctx); err != nil {
		return err
	}
	return n.ensureNode(ctx)
}

// serviceVariables returns the variables by which containers find the API server.
func (n *Node) serviceVariables(ctx context.Context) (map[string]string, error) {
	service := &corev1.Service{}
	if err := n.client.Get(ctx, types.NamespacedName{Namespace: metav1.NamespaceDefault, Name: "kubernetes"}, service); err != nil {
		return nil, fmt.Errorf("failed to find the service of the API server: %w", err)
	}
	port := strconv.Itoa(int(service.Spec.Ports[0].Port))
	return map[string]string{
		"KUBERNETES_SERVICE_HOST":       service.Spec.ClusterIP,
		"KUBERNETES_SERVICE_PORT":       port,
		"KUBERNETES_SERVICE_PORT_HTTPS": port,
	}, nil
}
