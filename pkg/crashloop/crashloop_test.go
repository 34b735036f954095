// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package crashloop_test

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/pkg/client/kubernetes"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/crashloop"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

const annotation = "otel-federation.extensions.gardener.cloud/pod-replaced"

var _ = Describe("Replacer", func() {
	var (
		ctx       = context.Background()
		clock     *testclock.FakeClock
		c         client.Client
		pod       *corev1.Pod
		claim     *corev1.PersistentVolumeClaim
		deleteErr error
		patchErr  error
	)

	BeforeEach(func() {
		clock = testclock.NewFakeClock(time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC))
		deleteErr, patchErr = nil, nil
		pod, claim = collectortest.CrashingPod("foo-0", "foo", clock.Now())
	})

	JustBeforeEach(func() {
		c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(claim, pod).WithInterceptorFuncs(interceptor.Funcs{
			Delete: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.DeleteOption) error {
				if deleteErr != nil {
					return deleteErr
				}
				return c.Delete(ctx, obj, opts...)
			},
			Patch: func(ctx context.Context, c client.WithWatch, obj client.Object, patch client.Patch, opts ...client.PatchOption) error {
				if patchErr != nil {
					return patchErr
				}
				return c.Patch(ctx, obj, patch, opts...)
			},
		}).Build()
	})

	replace := func() error {
		return (&Replacer{Client: c, Reader: c, Clock: clock}).Replace(ctx, logr.Discard(), "garden", "foo")
	}
	getPod := func() error { return c.Get(ctx, client.ObjectKeyFromObject(pod), &corev1.Pod{}) }
	noted := func() string {
		GinkgoHelper()
		Expect(c.Get(ctx, client.ObjectKeyFromObject(claim), claim)).To(Succeed())
		return claim.Annotations[annotation]
	}

	It("should replace a pod whose collector crashes again and again, but not more than once in ten minutes", func() {
		Expect(replace()).To(Succeed())
		Expect(getPod()).To(BeNotFoundError())
		Expect(noted()).To(Equal("2026-01-01T12:00:00Z"))

		By("the next one does not do better")
		pod.ResourceVersion = ""
		Expect(c.Create(ctx, pod)).To(Succeed())
		clock.Step(10*time.Minute - time.Second)
		Expect(replace()).To(Succeed())
		Expect(getPod()).To(Succeed())

		clock.Step(time.Second)
		Expect(replace()).To(Succeed())
		Expect(getPod()).To(BeNotFoundError())
		Expect(noted()).To(Equal("2026-01-01T12:10:00Z"))
	})

	Context("between an end and the next wait", func() {
		BeforeEach(func() {
			status := &pod.Status.ContainerStatuses[0]
			status.State, status.LastTerminationState = status.LastTerminationState, corev1.ContainerState{}
		})

		It("should replace it, too", func() {
			Expect(replace()).To(Succeed())
			Expect(getPod()).To(BeNotFoundError())
		})
	})

	DescribeTable("should leave a pod alone", func(change func(*corev1.Pod, *corev1.ContainerStatus)) {
		Expect(c.Delete(ctx, pod)).To(Succeed())
		pod.ResourceVersion = ""
		change(pod, &pod.Status.ContainerStatuses[0])
		Expect(c.Create(ctx, pod)).To(Succeed())
		Expect(replace()).To(Succeed())
		Expect(getPod()).To(Succeed())
		Expect(noted()).To(BeEmpty())
	},
		Entry("that has been started again twice", func(_ *corev1.Pod, status *corev1.ContainerStatus) { status.RestartCount = 2 }),
		Entry("that runs again", func(_ *corev1.Pod, status *corev1.ContainerStatus) {
			status.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
		}),
		Entry("that waits for something else", func(_ *corev1.Pod, status *corev1.ContainerStatus) { status.State.Waiting.Reason = "ErrImagePull" }),
		Entry("that has run for long", func(_ *corev1.Pod, status *corev1.ContainerStatus) {
			status.LastTerminationState.Terminated.StartedAt = metav1.NewTime(clock.Now().Add(-3 * time.Minute))
		}),
		Entry("that has ended without an error", func(_ *corev1.Pod, status *corev1.ContainerStatus) {
			status.LastTerminationState.Terminated.ExitCode = 0
		}),
		Entry("of which another container crashes", func(_ *corev1.Pod, status *corev1.ContainerStatus) { status.Name = "other" }),
		Entry("that does not check its queue", func(pod *corev1.Pod, _ *corev1.ContainerStatus) { pod.Spec.InitContainers = nil }),
		Entry("whose queue would go with it", func(pod *corev1.Pod, _ *corev1.ContainerStatus) {
			pod.Spec.Volumes[0].VolumeSource = corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
		}),
		Entry("of another component", func(pod *corev1.Pod, _ *corev1.ContainerStatus) { pod.Labels["app"] = "bar" }),
	)

	It("should leave a pod alone whose claim is gone", func() {
		Expect(c.Delete(ctx, claim)).To(Succeed())
		Expect(replace()).To(Succeed())
		Expect(getPod()).To(Succeed())
	})

	It("should not replace what it cannot note", func() {
		patchErr = errors.New("no permission")
		Expect(replace()).To(MatchError(And(ContainSubstring("PersistentVolumeClaim garden/foo-0-queue"), ContainSubstring("no permission"))))
		Expect(getPod()).To(Succeed())
	})

	It("should say which pod it cannot replace", func() {
		deleteErr = errors.New("no permission")
		Expect(replace()).To(MatchError(And(ContainSubstring("pod garden/foo-0-collector-0"), ContainSubstring("no permission"), ContainSubstring("delete it"))))
	})
})
