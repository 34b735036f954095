// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// resyncPeriod bounds how long a pod can be wrong because of a missed event.
	resyncPeriod = 10 * time.Second
	retryPeriod  = time.Second
	// shutdownGrace is the time that containers get to end when the landscape is stopped.
	shutdownGrace = 5 * time.Second
)

// podWorker makes one pod happen. All of its fields belong to the goroutine that runs it, except where noted.
type podWorker struct {
	node      *Node
	log       logr.Logger
	key       types.NamespacedName
	uid       types.UID
	directory string
	// kick wakes the worker. Anybody may write to it.
	kick chan struct{}
	// processes is a snapshot for anybody.
	processes atomic.Pointer[[]ProcessInfo]

	adopted    bool
	initDone   bool
	ip         netip.Addr
	namespace  *os.File
	containers []*container
	tokens     map[string]*serviceAccountToken
	// blocked says why no container can be started yet.
	blocked   string
	deleted   bool
	startTime metav1.Time
	nextWake  time.Duration
	events    map[string]string
}

func newPodWorker(node *Node, pod *corev1.Pod) *podWorker {
	return &podWorker{
		node:      node,
		log:       node.log.WithValues("pod", client.ObjectKeyFromObject(pod).String()),
		key:       client.ObjectKeyFromObject(pod),
		uid:       pod.UID,
		directory: filepath.Join(node.podsDir(), string(pod.UID)),
		kick:      make(chan struct{}, 1),
		tokens:    map[string]*serviceAccountToken{},
		events:    map[string]string{},
		startTime: metav1.Now().Rfc3339Copy(),
	}
}

// wake makes the worker look at its pod again.
func (w *podWorker) wake() {
	select {
	case w.kick <- struct{}{}:
	default:
	}
}

func (w *podWorker) wakeIn(delay time.Duration) {
	w.nextWake = min(w.nextWake, max(delay, 0))
}

func (w *podWorker) run(ctx context.Context) {
	for {
		w.nextWake = resyncPeriod
		done := w.sync(ctx)
		w.publish()
		if done {
			return
		}
		timer := time.NewTimer(w.nextWake)
		select {
		case <-ctx.Done():
			timer.Stop()
			w.stopAll(shutdownGrace)
			w.awaitAll()
			w.releaseNetwork()
			return
		case <-w.kick:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// sync brings the pod's containers and status closer to what they should be. It returns true when the pod is gone.
func (w *podWorker) sync(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	pod := &corev1.Pod{}
	err := w.node.client.Get(ctx, w.key, pod)
	if apierrors.IsNotFound(err) || err == nil && (pod.UID != w.uid || pod.Spec.NodeName != "" && pod.Spec.NodeName != nodeName) {
		w.log.Info("Pod is gone")
		w.stopAll(0)
		w.awaitAll()
		w.cleanUp()
		return true
	}
	if err != nil {
		w.retry(err, "Failed to read pod")
		return false
	}

	if pod.Spec.NodeName == "" {
		w.bind(ctx, pod)
		return false
	}
	w.adopt(pod)
	for _, c := range w.containers {
		c.reap()
	}
	switch {
	case pod.DeletionTimestamp != nil:
		w.terminate(ctx, pod)
	case isTerminal(pod.Status.Phase):
		w.stopAll(gracePeriod(pod.Spec.TerminationGracePeriodSeconds))
		if !slices.ContainsFunc(w.containers, (*container).running) {
			w.releaseNetwork()
		}
	default:
		w.advance(ctx, pod)
		if err := w.updateStatus(ctx, pod); err != nil {
			w.retry(err, "Failed to update status")
		}
	}
	return false
}

func (w *podWorker) retry(err error, message string) {
	w.wakeIn(retryPeriod)
	if !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
		w.log.Error(err, message)
	}
}

// bind is all there is of a scheduler.
func (w *podWorker) bind(ctx context.Context, pod *corev1.Pod) {
	if len(pod.Spec.SchedulingGates) > 0 || pod.DeletionTimestamp != nil {
		return
	}
	binding := &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, UID: pod.UID},
		Target:     corev1.ObjectReference{Kind: "Node", Name: nodeName},
	}
	if err := w.node.client.SubResource("binding").Create(ctx, pod, binding); err != nil {
		w.retry(err, "Failed to bind pod")
	}
}

// adopt creates the state of the pod's containers. What a previous daemon has started has died with it.
func (w *podWorker) adopt(pod *corev1.Pod) {
	if w.adopted {
		return
	}
	w.adopted = true
	if pod.Status.StartTime != nil {
		w.startTime = *pod.Status.StartTime
	}
	for i := range pod.Spec.InitContainers {
		spec := &pod.Spec.InitContainers[i]
		sidecar := spec.RestartPolicy != nil && *spec.RestartPolicy == corev1.ContainerRestartPolicyAlways
		c := &container{spec: spec, init: true, sidecar: sidecar}
		c.adopt(pod, pod.Status.InitContainerStatuses)
		w.containers = append(w.containers, c)
	}
	for i := range pod.Spec.Containers {
		c := &container{spec: &pod.Spec.Containers[i]}
		c.adopt(pod, pod.Status.ContainerStatuses)
		w.containers = append(w.containers, c)
	}
}

func (c *container) adopt(pod *corev1.Pod, statuses []corev1.ContainerStatus) {
	index := slices.IndexFunc(statuses, func(status corev1.ContainerStatus) bool { return status.Name == c.spec.Name })
	if index < 0 {
		return
	}
	status := statuses[index]
	c.restarts = status.RestartCount
	c.last = status.LastTerminationState.Terminated
	switch {
	case status.State.Running != nil:
		c.everStarted = true
		c.terminated = unknownState(status.State.Running)
	case status.State.Terminated != nil:
		c.everStarted = true
		c.terminated = status.State.Terminated
	case c.last != nil:
		c.everStarted = true
		c.terminated = c.last
	}
	// The network of the pod is a new one, init containers that set it up must run again. As in kubelet.
	if c.init && pod.Spec.RestartPolicy == corev1.RestartPolicyAlways && c.terminated != nil {
		c.last, c.terminated = c.terminated, nil
	}
}

// advance starts what can be started.
func (w *podWorker) advance(ctx context.Context, pod *corev1.Pod) {
	volumes, err := w.setUp(ctx, pod)
	w.blocked = ""
	if err != nil {
		w.blocked = err.Error()
		w.wakeIn(retryPeriod)
		w.event(ctx, pod, corev1.EventTypeWarning, "FailedMount", w.blocked)
	}

	w.initDone = true
	for _, c := range w.containers {
		if !c.init && !w.initDone {
			c.wait(reasonInitializing, "")
			continue
		}
		if c.init && !c.sidecar && c.terminated != nil && c.terminated.ExitCode == 0 {
			continue
		}
		switch {
		case c.init && !w.initDone:
			c.wait(reasonInitializing, "")
		case w.blocked != "" && !c.running():
			if !c.finished(pod) {
				c.wait(reasonCreating, w.blocked)
			}
		default:
			w.ensureRunning(ctx, pod, c, volumes)
		}
		if c.init && !(c.sidecar && c.started()) {
			w.initDone = false
		}
	}
}

// setUp creates the pod's network, unless it uses the host's, and its volumes.
func (w *podWorker) setUp(ctx context.Context, pod *corev1.Pod) (map[string]volume, error) {
	if !w.ip.IsValid() && !pod.Spec.HostNetwork {
		ip, err := w.node.addresses.allocate()
		if err != nil {
			return nil, err
		}
		namespace, err := newPodNetwork(ip)
		if err != nil {
			w.node.addresses.release(ip)
			return nil, err
		}
		w.ip, w.namespace = ip, namespace
	}
	volumes := &podVolumes{client: w.node.client, pod: pod, directory: w.directory, podIP: w.address(), hostIP: w.node.hostIP(), tokens: w.tokens}
	return volumes.prepare(ctx)
}

// address returns the pod's address.
func (w *podWorker) address() string {
	if w.ip.IsValid() {
		return w.ip.String()
	}
	return w.node.hostIP()
}

// terminate ends a pod that is being deleted and confirms the deletion when nothing runs any more.
func (w *podWorker) terminate(ctx context.Context, pod *corev1.Pod) {
	if w.deleted {
		return
	}
	w.stopAll(gracePeriod(pod.DeletionGracePeriodSeconds))
	if err := w.updateStatus(ctx, pod); err != nil {
		w.retry(err, "Failed to update status")
	}
	if slices.ContainsFunc(w.containers, (*container).running) {
		return
	}
	w.releaseNetwork()
	err := w.node.client.Delete(ctx, pod, client.GracePeriodSeconds(0), client.Preconditions{UID: &w.uid})
	if client.IgnoreNotFound(err) != nil {
		w.retry(err, "Failed to confirm the deletion of pod")
		return
	}
	w.deleted = true
}

func (w *podWorker) stopAll(grace time.Duration) {
	for _, c := range w.containers {
		if c.process == nil {
			continue
		}
		if grace > 0 {
			c.process.stop(grace)
		} else {
			c.process.kill()
		}
	}
}

func (w *podWorker) awaitAll() {
	for _, c := range w.containers {
		if c.process != nil {
			<-c.process.done
			c.reap()
		}
	}
}

func (w *podWorker) releaseNetwork() {
	if w.namespace == nil {
		return
	}
	if err := w.namespace.Close(); err != nil {
		w.log.Error(err, "Failed to close the network namespace")
	}
	w.node.addresses.release(w.ip)
	w.namespace, w.ip = nil, netip.Addr{}
}

func (w *podWorker) cleanUp() {
	w.releaseNetwork()
	if err := os.RemoveAll(w.directory); err != nil {
		w.log.Error(err, "Failed to remove the pod's directory")
	}
}

// publish takes the snapshot of the pod's processes.
func (w *podWorker) publish() {
	processes := []ProcessInfo{}
	for _, c := range w.containers {
		if c.process != nil && c.process.running() {
			processes = append(processes, ProcessInfo{
				Namespace: w.key.Namespace,
				Pod:       w.key.Name,
				Container: c.spec.Name,
				PID:       c.process.pid,
				Since:     c.process.started,
				Restarts:  c.restarts,
			})
		}
	}
	w.processes.Store(&processes)
}

// event records an event unless it repeats the last one with its reason.
func (w *podWorker) event(ctx context.Context, pod *corev1.Pod, eventType, reason, message string) {
	if w.events[reason] == message {
		return
	}
	w.events[reason] = message
	w.log.Info("Event", "reason", reason, "message", message)
	now := metav1.Now()
	event := &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: fmt.Sprintf("%s.%x", pod.Name, now.UnixNano())},
		InvolvedObject: corev1.ObjectReference{
			APIVersion: "v1", Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name, UID: pod.UID, ResourceVersion: pod.ResourceVersion,
		},
		Type: eventType, Reason: reason, Message: message, Count: 1, FirstTimestamp: now, LastTimestamp: now,
		Source: corev1.EventSource{Component: "landscape-node", Host: nodeName},
	}
	if err := w.node.client.Create(ctx, event); err != nil {
		w.log.Error(err, "Failed to record event", "reason", reason)
	}
}

func isTerminal(phase corev1.PodPhase) bool {
	return phase == corev1.PodSucceeded || phase == corev1.PodFailed
}
