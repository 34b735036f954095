// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var _ = Describe("Container", func() {
	DescribeTable("podPhase", func(policy corev1.RestartPolicy, initDone bool, expected corev1.PodPhase, containers ...*container) {
		pod := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: policy}}
		Expect(podPhase(pod, containers, initDone)).To(Equal(expected))
	},
		Entry("nothing started", corev1.RestartPolicyAlways, true, corev1.PodPending, &container{}),
		Entry("one not started", corev1.RestartPolicyAlways, true, corev1.PodPending, &container{}, running()),
		Entry("initializing", corev1.RestartPolicyAlways, false, corev1.PodPending, &container{init: true}, &container{}),
		Entry("running", corev1.RestartPolicyAlways, true, corev1.PodRunning, ended(0, true), running()),
		Entry("crash loop", corev1.RestartPolicyAlways, true, corev1.PodRunning, ended(1, false)),
		Entry("succeeded", corev1.RestartPolicyNever, true, corev1.PodSucceeded, ended(0, false), ended(0, false)),
		Entry("failed", corev1.RestartPolicyNever, true, corev1.PodFailed, ended(0, false), ended(1, false)),
		Entry("still running", corev1.RestartPolicyNever, true, corev1.PodRunning, ended(1, false), running()),
		Entry("retried", corev1.RestartPolicyOnFailure, true, corev1.PodRunning, ended(1, false)),
		Entry("succeeded at last", corev1.RestartPolicyOnFailure, true, corev1.PodSucceeded, ended(0, false)),
		Entry("init failed", corev1.RestartPolicyNever, false, corev1.PodFailed, ended(1, true), &container{}),
		Entry("init retried", corev1.RestartPolicyAlways, false, corev1.PodPending, ended(1, true), &container{}),
	)

	It("should back off from restarting", func() {
		c := &container{}
		var delays []time.Duration
		for range 6 {
			end(c, 3, time.Second)
			delays = append(delays, c.backoff)
		}
		Expect(delays).To(Equal([]time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 10 * time.Second, 10 * time.Second}))
		Expect(c.terminated).To(And(HaveField("ExitCode", int32(3)), HaveField("Reason", "Error")))
		end(c, 0, time.Minute)
		Expect(c.backoff).To(Equal(time.Second))
		Expect(c.terminated).To(And(HaveField("ExitCode", int32(0)), HaveField("Reason", "Completed")))
	})

	It("should treat containers of a previous daemon as dead", func() {
		pod := &corev1.Pod{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyAlways}}
		c := &container{spec: &corev1.Container{Name: "a"}}
		c.adopt(pod, []corev1.ContainerStatus{{Name: "b"}, {Name: "a", RestartCount: 4, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.Now()}}}})
		Expect(c.restarts).To(Equal(int32(4)))
		Expect(c.terminated).To(And(HaveField("ExitCode", int32(137)), HaveField("Reason", "ContainerStatusUnknown")))
		Expect(c.finished(pod)).To(BeFalse())
	})

	It("should build the mounts", func() {
		directory := GinkgoT().TempDir()
		volumes := map[string]volume{"config": {path: "/config", readOnly: true}, "data": {path: directory}}
		image := &Image{Binary: "/host/app", Path: "/bin/app"}
		c := &corev1.Container{VolumeMounts: []corev1.VolumeMount{
			{Name: "config", MountPath: "/etc/config"},
			{Name: "config", MountPath: "/etc/file", SubPath: "key"},
			{Name: "data", MountPath: "data", SubPathExpr: "$(POD)/x"},
			{Name: "data", MountPath: "/ro", ReadOnly: true},
		}}
		Expect(buildMounts(image, c, volumes, map[string]string{"POD": "pod-0"})).To(Equal([]sandboxMount{
			{Source: "/host/app", Target: "/bin/app", ReadOnly: true},
			{Source: "/config", Target: "/etc/config", ReadOnly: true},
			{Source: "/config/key", Target: "/etc/file", ReadOnly: true},
			{Source: filepath.Join(directory, "pod-0/x"), Target: "/data"},
			{Source: directory, Target: "/ro", ReadOnly: true},
		}))
		Expect(filepath.Join(directory, "pod-0/x")).To(BeADirectory())
	})

	It("should reject mounts that leave the volume or do not have one", func() {
		_, err := buildMounts(&Image{}, &corev1.Container{VolumeMounts: []corev1.VolumeMount{{Name: "a", SubPath: "../b"}}}, map[string]volume{"a": {}}, nil)
		Expect(err).To(MatchError(ContainSubstring("leaves the volume")))
		_, err = buildMounts(&Image{}, &corev1.Container{VolumeMounts: []corev1.VolumeMount{{Name: "b"}}}, nil, nil)
		Expect(err).To(MatchError(ContainSubstring(`no volume "b"`)))
	})

	It("should use addresses again as late as possible", func() {
		addresses := newPodAddresses(2)
		first, err := addresses.allocate()
		Expect(err).NotTo(HaveOccurred())
		Expect(first.String()).To(Equal("198.18.102.1"))
		addresses.release(first)
		for range 253 {
			_, err = addresses.allocate()
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(addresses.allocate()).To(Equal(first))
		_, err = addresses.allocate()
		Expect(err).To(MatchError(ContainSubstring("all 254 pod addresses of 198.18.102.0/24 are in use")))
	})
})

func running() *container { return &container{process: &process{}, everStarted: true} }

func ended(exitCode int32, init bool) *container {
	return &container{init: init, everStarted: true, terminated: &corev1.ContainerStateTerminated{ExitCode: exitCode}}
}

func end(c *container, exitCode int32, after time.Duration) {
	done := make(chan struct{})
	close(done)
	now := time.Now()
	c.process = &process{done: done, started: now, finished: now.Add(after), exitCode: exitCode}
	c.cancel = func() {}
	c.reap()
}
