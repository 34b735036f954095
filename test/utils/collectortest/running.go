// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collectortest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Pod returns a pod of the given component that is ready and has the given address.
func Pod(name, component, ip string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name, Labels: PodSelector(component)},
		Status:     corev1.PodStatus{PodIP: ip, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
}

// CrashingPod returns the pod of a collector of the given component that crashes again and again, at last at the given time, and the claim that its
// queue is in.
func CrashingPod(name, component string, now time.Time) (*corev1.Pod, *corev1.PersistentVolumeClaim) {
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: Namespace, Name: name + "-queue"}}
	pod := Pod(name+"-collector-0", component, "10.0.0.1")
	pod.Spec.InitContainers = []corev1.Container{{Name: "check-queue"}}
	pod.Spec.Volumes = []corev1.Volume{{Name: "queue", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim.Name},
	}}}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name:         "otc-container",
		RestartCount: 3,
		State:        corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
			ExitCode: 2, StartedAt: metav1.NewTime(now.Add(-20 * time.Second)), FinishedAt: metav1.NewTime(now.Add(-19 * time.Second)),
		}},
	}}
	return pod, claim
}

// Collectors plays the collectors that tell how much is in their queues.
type Collectors struct {
	mutex  sync.Mutex
	queues map[string]string
	asked  int
}

// Set lets the collector with the given address tell the sizes of its queues and the number of requests in flight.
func (c *Collectors) Set(ip string, inFlight int, sizes ...int) {
	var answer strings.Builder
	for i, size := range sizes {
		_, _ = fmt.Fprintf(&answer, "otelcol_exporter_queue_capacity{exporter=\"otlp_http/%d\"} 1000\n", i)
		_, _ = fmt.Fprintf(&answer, "otelcol_exporter_queue_size{exporter=\"otlp_http/%d\"} %d\n", i, size)
		_, _ = fmt.Fprintf(&answer, "otelcol_exporter_in_flight_requests{exporter=\"otlp_http/%d\"} %d\n", i, inFlight)
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.queues == nil {
		c.queues = map[string]string{}
	}
	c.queues[ip] = answer.String()
}

// Asked returns how often a collector was asked.
func (c *Collectors) Asked() int {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.asked
}

// HTTPClient returns a client that reaches the collectors. The connection to any other address is refused.
func (c *Collectors) HTTPClient() *http.Client { return &http.Client{Transport: c} }

// RoundTrip implements http.RoundTripper.
func (c *Collectors) RoundTrip(request *http.Request) (*http.Response, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.asked++
	answer, runs := c.queues[request.URL.Hostname()]
	if !runs || request.URL.Port() != "8888" {
		return nil, errors.New("connection refused")
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), Request: request}, nil
}
