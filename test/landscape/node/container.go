// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	minBackoff = time.Second
	maxBackoff = 10 * time.Second
	// steadyAfter is the time after which a container's end no longer counts as part of a crash loop.
	steadyAfter = 2 * maxBackoff

	reasonCreating     = "ContainerCreating"
	reasonInitializing = "PodInitializing"
	reasonBackOff      = "CrashLoopBackOff"
	reasonImage        = "ErrImagePull"
	reasonConfig       = "CreateContainerConfigError"
	reasonStart        = "RunContainerError"
)

// errNoImage is wrapped by errors about images that the node does not have.
var errNoImage = errors.New("the landscape has no binary for the image")

// container is the state of one container of a pod. It belongs to the pod's worker.
type container struct {
	spec *corev1.Container
	init bool
	// sidecar is an init container that keeps running.
	sidecar bool

	process  *process
	health   *containerHealth
	cancel   context.CancelFunc
	restarts int32
	// everStarted is set as soon as the container has been started once, also by a previous daemon.
	everStarted bool
	// terminated is set while the container has ended and has not been started again.
	terminated *corev1.ContainerStateTerminated
	last       *corev1.ContainerStateTerminated
	waiting    corev1.ContainerStateWaiting
	backoff    time.Duration
	notBefore  time.Time
	// failing is the reason for which the node itself has stopped the container.
	failing string
}

func (c *container) running() bool { return c.process != nil }

// started tells whether the container runs and its startup probe has succeeded.
func (c *container) started() bool {
	if !c.running() {
		return false
	}
	started, _, _ := c.health.get()
	return started
}

func (c *container) ready() bool {
	if !c.running() {
		return false
	}
	_, ready, _ := c.health.get()
	return ready
}

func (c *container) wait(reason, message string) {
	c.waiting = corev1.ContainerStateWaiting{Reason: reason, Message: message}
}

// restartPolicy returns the policy that applies to the container.
func (c *container) restartPolicy(pod *corev1.Pod) corev1.RestartPolicy {
	if c.sidecar {
		return corev1.RestartPolicyAlways
	}
	if c.init && pod.Spec.RestartPolicy == corev1.RestartPolicyAlways {
		return corev1.RestartPolicyOnFailure
	}
	return pod.Spec.RestartPolicy
}

// finished tells whether the container has ended for good.
func (c *container) finished(pod *corev1.Pod) bool {
	if c.running() || c.terminated == nil {
		return false
	}
	switch c.restartPolicy(pod) {
	case corev1.RestartPolicyNever:
		return true
	case corev1.RestartPolicyOnFailure:
		return c.terminated.ExitCode == 0
	}
	return false
}

// reap notices that the container's process has ended.
func (c *container) reap() {
	if c.process == nil || c.process.running() {
		return
	}
	p := c.process
	c.cancel()
	c.process = nil

	c.terminated = &corev1.ContainerStateTerminated{
		ExitCode:   p.exitCode,
		Signal:     p.signal,
		Reason:     "Error",
		Message:    c.failing,
		StartedAt:  metav1.NewTime(p.started),
		FinishedAt: metav1.NewTime(p.finished),
	}
	if p.exitCode == 0 {
		c.terminated.Reason = "Completed"
	}
	c.failing = ""

	if p.finished.Sub(p.started) >= steadyAfter || c.backoff == 0 {
		c.backoff = minBackoff
	} else {
		c.backoff = min(2*c.backoff, maxBackoff)
	}
	c.notBefore = p.finished.Add(c.backoff)
}

// ensureRunning starts the container unless it runs, has finished or must wait.
func (w *podWorker) ensureRunning(ctx context.Context, pod *corev1.Pod, c *container, volumes map[string]volume) {
	if c.running() {
		if _, _, unhealthy := c.health.get(); unhealthy != "" && c.failing == "" {
			c.failing = unhealthy
			w.event(ctx, pod, corev1.EventTypeWarning, "Unhealthy", fmt.Sprintf("Restarting container %s: %s", c.spec.Name, unhealthy))
			c.process.stop(gracePeriod(pod.Spec.TerminationGracePeriodSeconds))
		}
		return
	}
	if c.finished(pod) {
		return
	}
	if delay := time.Until(c.notBefore); delay > 0 {
		w.wakeIn(delay)
		if c.terminated != nil {
			c.wait(reasonBackOff, fmt.Sprintf("back-off %s restarting failed container", c.backoff))
		}
		return
	}

	if err := w.start(ctx, pod, c, volumes); err != nil {
		reason := reasonConfig
		var start *startError
		switch {
		case errors.Is(err, errNoImage):
			reason = reasonImage
		case errors.As(err, &start):
			reason = reasonStart
		}
		c.wait(reason, err.Error())
		c.notBefore = time.Now().Add(2 * time.Second)
		w.wakeIn(2 * time.Second)
		w.event(ctx, pod, corev1.EventTypeWarning, "Failed", fmt.Sprintf("Failed to start container %s: %v", c.spec.Name, err))
	}
}

// startError says that a container's command could not be executed.
type startError struct{ error }

func (w *podWorker) start(ctx context.Context, pod *corev1.Pod, c *container, volumes map[string]volume) error {
	spec, err := w.sandboxSpec(ctx, pod, c, volumes)
	if err != nil {
		return err
	}
	log, err := openLog(filepath.Join(w.node.config.LogDir, w.node.config.Cluster, fmt.Sprintf("%s_%s_%s.log", pod.Namespace, pod.Name, c.spec.Name)))
	if err != nil {
		return err
	}
	p, err := launch(spec, w.namespace, log)
	if err != nil {
		return &startError{err}
	}

	if c.everStarted {
		c.restarts++
	}
	if c.terminated != nil {
		c.last = c.terminated
	}
	c.everStarted, c.terminated, c.failing = true, nil, ""
	c.process, c.health = p, &containerHealth{}
	probeContext, cancel := context.WithCancel(ctx)
	c.cancel = cancel
	probes := &prober{container: c.spec, podIP: w.address(), health: c.health, changed: w.wake}
	go probes.run(probeContext)
	go func() {
		<-p.done
		w.wake()
	}()
	w.log.Info("Started container", "container", c.spec.Name, "pid", p.pid, "restarts", c.restarts)
	return nil
}

func (w *podWorker) sandboxSpec(ctx context.Context, pod *corev1.Pod, c *container, volumes map[string]volume) (*sandboxSpec, error) {
	if err := checkProbes(c.spec); err != nil {
		return nil, err
	}
	image := findImage(w.node.config.Images, c.spec.Image)
	if image == nil {
		return nil, fmt.Errorf("failed to find image %s: %w", c.spec.Image, errNoImage)
	}
	base, err := w.node.serviceVariables(ctx)
	if err != nil {
		return nil, err
	}
	environment := &environment{reader: w.node.client, pod: pod, hostIP: w.node.hostIP(), podIP: w.address(), capacity: nodeCapacity()}
	variables, err := environment.build(ctx, c.spec, base)
	if err != nil {
		return nil, err
	}
	mounts, err := buildMounts(image, c.spec, volumes, variables)
	if err != nil {
		return nil, err
	}
	rootfs := filepath.Join(w.directory, "containers", c.spec.Name, "rootfs")
	if err := os.MkdirAll(rootfs, 0o755); err != nil { // #nosec G301 -- A mount point.
		return nil, fmt.Errorf("failed to create the container's directory: %w", err)
	}

	spec := &sandboxSpec{
		Rootfs:      rootfs,
		JoinNetwork: w.namespace != nil,
		Hostname:    podHostname(pod),
		Mounts:      mounts,
		Files:       imageFiles(pod, w.address(), DNSIP(w.node.config.Index)),
		Args:        buildArgs(image, c.spec, variables),
		WorkingDir:  "/",
	}
	if c.spec.WorkingDir != "" {
		spec.WorkingDir = c.spec.WorkingDir
	}
	if security := c.spec.SecurityContext; security != nil {
		spec.ReadOnly = isTrue(security.ReadOnlyRootFilesystem)
	}
	all := map[string]string{"PATH": defaultPath, "HOME": "/", "HOSTNAME": spec.Hostname}
	maps.Copy(all, variables)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		spec.Env = append(spec.Env, name+"="+all[name])
	}
	return spec, nil
}

func findImage(images []Image, reference string) *Image {
	for i := range images {
		if strings.Contains(reference, images[i].Match) {
			return &images[i]
		}
	}
	return nil
}

func buildMounts(image *Image, c *corev1.Container, volumes map[string]volume, variables map[string]string) ([]sandboxMount, error) {
	mounts := []sandboxMount{{Source: image.Binary, Target: image.Path, ReadOnly: true}}
	for _, mount := range c.VolumeMounts {
		source, ok := volumes[mount.Name]
		if !ok {
			return nil, fmt.Errorf("the pod has no volume %q", mount.Name)
		}
		subPath := mount.SubPath
		if mount.SubPathExpr != "" {
			subPath = expand(mount.SubPathExpr, variables)
		}
		host := source.path
		if subPath != "" {
			if !filepath.IsLocal(subPath) {
				return nil, fmt.Errorf("subPath %q of volume %s leaves the volume", subPath, mount.Name)
			}
			host = filepath.Join(host, subPath)
			if _, err := os.Stat(host); errors.Is(err, os.ErrNotExist) && !source.readOnly {
				if err := os.MkdirAll(host, 0o777); err != nil { // #nosec G301 -- As kubelet does.
					return nil, fmt.Errorf("failed to create subPath %q of volume %s: %w", subPath, mount.Name, err)
				}
			}
		}
		mounts = append(mounts, sandboxMount{Source: host, Target: path.Join("/", mount.MountPath), ReadOnly: mount.ReadOnly || source.readOnly})
	}
	return mounts, nil
}

// imageFiles returns the files that container runtimes and distroless images provide.
func imageFiles(pod *corev1.Pod, podIP, dnsIP string) []sandboxFile {
	hostname := podHostname(pod)
	name := hostname
	if pod.Spec.Subdomain != "" {
		name = fmt.Sprintf("%s.%s.%s.svc.%s\t%s", hostname, pod.Spec.Subdomain, pod.Namespace, clusterDomain, hostname)
	}
	hosts := []string{"127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback", podIP + "\t" + name}
	for _, alias := range pod.Spec.HostAliases {
		hosts = append(hosts, alias.IP+"\t"+strings.Join(alias.Hostnames, " "))
	}
	return []sandboxFile{
		{Path: "/etc/hosts", Content: strings.Join(hosts, "\n") + "\n"},
		{Path: "/etc/hostname", Content: hostname + "\n"},
		{Path: "/etc/resolv.conf", Content: fmt.Sprintf("search %[1]s.svc.%[2]s svc.%[2]s %[2]s\nnameserver %[3]s\noptions ndots:5\n", pod.Namespace, clusterDomain, dnsIP)},
		{Path: "/etc/nsswitch.conf", Content: "hosts: files dns\n"},
		{Path: "/etc/passwd", Content: "root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"},
		{Path: "/etc/group", Content: "root:x:0:\nnobody:x:65534:\nnonroot:x:65532:\n"},
	}
}

func podHostname(pod *corev1.Pod) string {
	hostname := pod.Spec.Hostname
	if hostname == "" {
		hostname = pod.Name
	}
	if len(hostname) > 63 {
		hostname = strings.TrimRight(hostname[:63], "-.")
	}
	return hostname
}

func gracePeriod(value *int64) time.Duration {
	if value == nil {
		return 30 * time.Second
	}
	return time.Duration(*value) * time.Second
}

// unknownState is the end of a container that a previous daemon has started and that died with it.
func unknownState(running *corev1.ContainerStateRunning) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{
		ExitCode:   128 + int32(syscall.SIGKILL),
		Reason:     "ContainerStatusUnknown",
		Message:    "the landscape has been stopped",
		StartedAt:  running.StartedAt,
		FinishedAt: metav1.Now(),
	}
}
