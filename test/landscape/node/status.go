// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// updateStatus writes the pod's status if it differs.
func (w *podWorker) updateStatus(ctx context.Context, pod *corev1.Pod) error {
	desired := pod.DeepCopy()
	w.fillStatus(desired)
	if equality.Semantic.DeepEqual(pod.Status, desired.Status) {
		return nil
	}
	return w.node.client.Status().Patch(ctx, desired, client.MergeFromWithOptions(pod, client.MergeFromWithOptimisticLock{}))
}

func (w *podWorker) fillStatus(pod *corev1.Pod) {
	status := &pod.Status
	status.ObservedGeneration = pod.Generation
	status.StartTime = &w.startTime
	status.HostIP = w.node.hostIP()
	status.HostIPs = []corev1.HostIP{{IP: status.HostIP}}
	if w.ip.IsValid() || pod.Spec.HostNetwork {
		status.PodIP = w.address()
		status.PodIPs = []corev1.PodIP{{IP: status.PodIP}}
	}

	status.InitContainerStatuses, status.ContainerStatuses = nil, nil
	for _, c := range w.containers {
		if c.init {
			status.InitContainerStatuses = append(status.InitContainerStatuses, w.containerStatus(pod, c))
		} else {
			status.ContainerStatuses = append(status.ContainerStatuses, w.containerStatus(pod, c))
		}
	}
	status.Phase = podPhase(pod, w.containers, w.initDone)
	w.fillConditions(pod)
}

func (w *podWorker) containerStatus(pod *corev1.Pod, c *container) corev1.ContainerStatus {
	status := corev1.ContainerStatus{
		Name:         c.spec.Name,
		Image:        c.spec.Image,
		RestartCount: c.restarts,
		Ready:        c.ready(),
		Started:      new(c.started()),
	}
	if image := findImage(w.node.config.Images, c.spec.Image); image != nil {
		status.ImageID = "landscape://" + filepath.Base(image.Binary)
	}
	if c.everStarted {
		status.ContainerID = fmt.Sprintf("landscape://%s-%s-%d", w.uid, c.spec.Name, c.restarts)
	}
	if c.last != nil {
		status.LastTerminationState.Terminated = c.last
	}

	switch {
	case c.running():
		status.State.Running = &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(c.process.started).Rfc3339Copy()}
	case c.terminated != nil && (c.finished(pod) || c.init && !c.sidecar && c.terminated.ExitCode == 0 || pod.DeletionTimestamp != nil):
		status.State.Terminated = rounded(c.terminated)
		// An init container is ready when it has succeeded.
		status.Ready = c.init && c.terminated.ExitCode == 0
	default:
		waiting := c.waiting
		if waiting.Reason == "" {
			waiting.Reason = reasonCreating
		}
		status.State.Waiting = &waiting
		if c.terminated != nil {
			status.LastTerminationState.Terminated = c.terminated
		}
	}
	status.LastTerminationState.Terminated = rounded(status.LastTerminationState.Terminated)
	return status
}

// rounded cuts off what the API does not store, so that a status does not differ for ever.
func rounded(state *corev1.ContainerStateTerminated) *corev1.ContainerStateTerminated {
	if state == nil {
		return nil
	}
	state = state.DeepCopy()
	state.StartedAt, state.FinishedAt = state.StartedAt.Rfc3339Copy(), state.FinishedAt.Rfc3339Copy()
	return state
}

// podPhase derives the phase as kubelet does.
func podPhase(pod *corev1.Pod, containers []*container, initDone bool) corev1.PodPhase {
	var neverStarted, finished, failed, total int
	for _, c := range containers {
		if c.init {
			if !c.sidecar && c.finished(pod) && c.terminated.ExitCode != 0 {
				return corev1.PodFailed
			}
			continue
		}
		total++
		switch {
		case c.finished(pod):
			finished++
			if c.terminated.ExitCode != 0 {
				failed++
			}
		case !c.running() && !c.everStarted:
			neverStarted++
		}
	}
	switch {
	case finished == total && failed > 0:
		return corev1.PodFailed
	case finished == total:
		return corev1.PodSucceeded
	case !initDone || neverStarted > 0:
		return corev1.PodPending
	}
	return corev1.PodRunning
}

func (w *podWorker) fillConditions(pod *corev1.Pod) {
	var (
		unready     []string
		terminal    = isTerminal(pod.Status.Phase)
		initialized = w.initDone || pod.Status.Phase == corev1.PodSucceeded
	)
	for _, c := range w.containers {
		if (!c.init || c.sidecar) && !c.ready() {
			unready = append(unready, c.spec.Name)
		}
	}
	message := ""
	if len(unready) > 0 {
		message = fmt.Sprintf("containers with unready status: [%s]", strings.Join(unready, " "))
	}
	reason := "ContainersNotReady"
	if terminal {
		reason, message = "Pod"+string(pod.Status.Phase), ""
		if pod.Status.Phase == corev1.PodSucceeded {
			reason = "PodCompleted"
		}
	}

	setCondition(pod, corev1.PodReadyToStartContainers, w.ip.IsValid() || pod.Spec.HostNetwork, "", "")
	setCondition(pod, corev1.PodInitialized, initialized, "ContainersNotInitialized", "")
	setCondition(pod, corev1.ContainersReady, len(unready) == 0 && !terminal, reason, message)

	ready := len(unready) == 0 && !terminal
	for _, gate := range pod.Spec.ReadinessGates {
		if ready && !hasCondition(pod, gate.ConditionType) {
			ready, reason, message = false, "ReadinessGatesNotReady", fmt.Sprintf("condition %s is not True", gate.ConditionType)
		}
	}
	setCondition(pod, corev1.PodReady, ready, reason, message)
	setCondition(pod, corev1.PodScheduled, true, "", "")
}

func hasCondition(pod *corev1.Pod, conditionType corev1.PodConditionType) bool {
	for _, condition := range pod.Status.Conditions {
		if condition.Type == conditionType {
			return condition.Status == corev1.ConditionTrue
		}
	}
	return false
}

// setCondition sets a condition. Reason and message are only used if it is false.
func setCondition(pod *corev1.Pod, conditionType corev1.PodConditionType, value bool, reason, message string) {
	desired := corev1.PodCondition{
		Type:               conditionType,
		Status:             corev1.ConditionFalse,
		Reason:             reason,
		Message:            message,
		LastTransitionTime: metav1.Now().Rfc3339Copy(),
		ObservedGeneration: pod.Generation,
	}
	if value {
		desired.Status, desired.Reason, desired.Message = corev1.ConditionTrue, "", ""
	}
	for i, condition := range pod.Status.Conditions {
		if condition.Type != conditionType {
			continue
		}
		if condition.Status == desired.Status {
			desired.LastTransitionTime = condition.LastTransitionTime
		}
		pod.Status.Conditions[i] = desired
		return
	}
	pod.Status.Conditions = append(pod.Status.Conditions, desired)
}
