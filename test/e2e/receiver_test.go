// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	vpaautoscalingv1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1helper "github.com/gardener/gardener/pkg/api/core/v1beta1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

var _ = Describe("Receiver of the garden Prometheus", Ordered, func() {
	var (
		ctx    context.Context
		before map[string]string
	)

	// So that no seed is pulled for a while because this machine is slow.
	BeforeAll(func() {
		handOverAll(context.Background())
	})

	BeforeEach(func() {
		ctx = context.Background()
		before = gardenPrometheusWorkload(ctx)
	})

	It("stays as it is when gardener-resource-manager applies Gardener's Prometheus and its targets again", func() {
		expectPulled(ctx)
		// The first time only tells the API server that the fields which the hand-over has changed are gardener-resource-manager's, too.
		reapplyGardenPrometheus(ctx)
		expectApplied(ctx)
		scrapeConfigsBefore := scrapeConfigVersions(ctx)
		for range 3 {
			reapplyGardenPrometheus(ctx)
			expectApplied(ctx)
		}
		Expect(gardenPrometheusWorkload(ctx)).To(Equal(before))
		Expect(scrapeConfigVersions(ctx)).To(Equal(scrapeConfigsBefore))
	})

	It("survives that one webhook replica is down, and then both, without a roll and without a lost sample", func() {
		started := time.Now().Truncate(time.Second)
		scale := func(replicas int32) {
			GinkgoHelper()
			Expect(ls.ScaleGardenExtension(ctx, replicas)).To(Succeed())
			Eventually(func(g Gomega) {
				deployment := &appsv1.Deployment{}
				g.Expect(ls.Runtime().Get(ctx, client.ObjectKey{Namespace: gardener.NamespaceRuntimeExtension, Name: gardener.GardenExtensionDeployment}, deployment)).To(Succeed())
				g.Expect(deployment.Status.ReadyReplicas).To(Equal(replicas))
				pods := &corev1.PodList{}
				g.Expect(ls.Runtime().List(ctx, pods, client.InNamespace(gardener.NamespaceRuntimeExtension))).To(Succeed())
				g.Expect(pods.Items).To(HaveLen(int(replicas)))
			}).Should(Succeed())
		}
		DeferCleanup(func() {
			scale(gardener.GardenExtensionReplicas)
		})

		By("Stop one replica")
		scale(1)
		reapplyGardenPrometheus(ctx)
		expectApplied(ctx)
		Expect(gardenPrometheusWorkload(ctx)).To(Equal(before))

		By("Stop the other one")
		scale(0)
		reapplyGardenPrometheus(ctx)
		expectRefused(ctx)
		Expect(gardenPrometheusWorkload(ctx)).To(Equal(before))
		for _, seed := range []string{seedLocal, seedOther} {
			expectFederated(ctx, seed, time.Now())
		}

		By("Start both again")
		scale(gardener.GardenExtensionReplicas)
		expectApplied(ctx)
		Expect(gardenPrometheusWorkload(ctx)).To(Equal(before))
		// Without the webhook, gardener-resource-manager may have brought the targets back. That loses nothing.
		Eventually(func(g Gomega) {
			g.Expect(pulledTargets(ctx, g)).To(BeEmpty())
		}).Should(Succeed())

		By("Look for gaps")
		ended := time.Now().Add(-ls.ScrapeInterval).Truncate(time.Second)
		for _, replica := range landscape.GardenReplicas {
			for _, seed := range []string{seedLocal, seedOther} {
				// Twice the interval is what the samples of one scrape may be apart from those of the next but one.
				samples := rangeOf(ctx, replica, fmt.Sprintf(`count_over_time(up{job=%q,seed=%q}[%s])`, constants.JobPrometheusAggregate, seed, 2*ls.ScrapeInterval), started, ended, time.Second)
				Expect(samples).To(HaveLen(1))
				Expect(samples[0].Values).To(HaveEach(HaveField("Value", BeNumerically(">=", 1))), "samples of seed %s in %s", seed, replica)
				Expect(samples[0].Values).To(HaveLen(int(ended.Sub(started)/time.Second)+1), "samples of seed %s in %s", seed, replica)
			}
		}
		expectNoRejections(ctx)
	})
})

// scrapeConfigVersions identifies what is written of the ScrapeConfigs for the federation by pull.
func scrapeConfigVersions(ctx context.Context) map[string]string {
	versions := map[string]string{}
	for _, name := range handover.ScrapeConfigNames() {
		scrapeConfig := &monitoringv1alpha1.ScrapeConfig{}
		ExpectWithOffset(1, ls.Runtime().Get(ctx, client.ObjectKey{Namespace: gardenNamespace, Name: name}, scrapeConfig)).To(Succeed())
		versions[name] = scrapeConfig.ResourceVersion
	}
	return versions
}

// gardenPrometheusWorkload identifies what must not change if the garden Prometheus is not touched.
func gardenPrometheusWorkload(ctx context.Context) map[string]string {
	prometheus := &monitoringv1.Prometheus{}
	ExpectWithOffset(1, ls.Runtime().Get(ctx, gardenPrometheusKey(""), prometheus)).To(Succeed())
	ExpectWithOffset(1, receiver.Enabled(prometheus, receiver.DefaultOutOfOrderTimeWindow)).To(BeTrue())
	statefulSet := &appsv1.StatefulSet{}
	ExpectWithOffset(1, ls.Runtime().Get(ctx, gardenPrometheusKey("prometheus-"), statefulSet)).To(Succeed())

	workload := map[string]string{
		"generation of Prometheus":  fmt.Sprint(prometheus.Generation),
		"generation of StatefulSet": fmt.Sprint(statefulSet.Generation),
	}
	for _, replica := range landscape.GardenReplicas {
		pod := &corev1.Pod{}
		ExpectWithOffset(1, ls.Runtime().Get(ctx, client.ObjectKey{Namespace: gardenNamespace, Name: "prometheus-" + replica}, pod)).To(Succeed())
		workload[replica] = string(pod.UID)
		for _, status := range pod.Status.ContainerStatuses {
			workload["restarts of "+replica+"/"+status.Name] = fmt.Sprint(status.RestartCount)
		}
	}
	return workload
}

func gardenPrometheusKey(prefix string) client.ObjectKey {
	return client.ObjectKey{Namespace: gardenNamespace, Name: prefix + constants.GardenPrometheusName}
}

// reapplyGardenPrometheus lets gardener-resource-manager apply Gardener's Prometheus and what belongs to it again. To see it
// happen, the VerticalPodAutoscaler is changed before, which is applied after the Prometheus: kinds that are not Kubernetes' own
// come last, by their names (pkg/resourcemanager/controller/managedresource/sort.go).
func reapplyGardenPrometheus(ctx context.Context) {
	verticalPodAutoscaler := &vpaautoscalingv1.VerticalPodAutoscaler{}
	ExpectWithOffset(1, ls.Runtime().Get(ctx, gardenPrometheusKey("prometheus-"), verticalPodAutoscaler)).To(Succeed())
	ExpectWithOffset(1, ls.Runtime().Patch(ctx, verticalPodAutoscaler, client.RawPatch(types.MergePatchType, []byte(`{"spec":{"updatePolicy":{"updateMode":"Off"}}}`)))).To(Succeed())

	managedResource := &resourcesv1alpha1.ManagedResource{ObjectMeta: metav1.ObjectMeta{Namespace: gardenNamespace, Name: "prometheus-" + constants.GardenPrometheusName}}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1beta1constants.GardenerOperation, v1beta1constants.GardenerOperationReconcile)
	ExpectWithOffset(1, ls.Runtime().Patch(ctx, managedResource, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
}

// expectApplied waits until gardener-resource-manager has applied all that belongs to the garden Prometheus.
func expectApplied(ctx context.Context) {
	EventuallyWithOffset(1, func(g Gomega) {
		verticalPodAutoscaler := &vpaautoscalingv1.VerticalPodAutoscaler{}
		g.Expect(ls.Runtime().Get(ctx, gardenPrometheusKey("prometheus-"), verticalPodAutoscaler)).To(Succeed())
		g.Expect(*verticalPodAutoscaler.Spec.UpdatePolicy.UpdateMode).NotTo(Equal(vpaautoscalingv1.UpdateModeOff))
	}).Should(Succeed())
}

// expectRefused waits until gardener-resource-manager could not apply the garden Prometheus.
func expectRefused(ctx context.Context) {
	EventuallyWithOffset(1, func(g Gomega) {
		managedResource := &resourcesv1alpha1.ManagedResource{}
		g.Expect(ls.Runtime().Get(ctx, gardenPrometheusKey("prometheus-"), managedResource)).To(Succeed())
		condition := v1beta1helper.GetCondition(managedResource.Status.Conditions, resourcesv1alpha1.ResourcesApplied)
		g.Expect(condition).NotTo(BeNil())
		g.Expect(condition.Status).To(Equal(gardencorev1beta1.ConditionFalse))
		g.Expect(condition.Message).To(ContainSubstring("failed calling webhook"))
	}).Should(Succeed())
}
