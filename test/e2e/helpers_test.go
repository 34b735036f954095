// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1helper "github.com/gardener/gardener/pkg/api/core/v1beta1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

const gardenNamespace = v1beta1constants.GardenNamespace

// expectFederated waits until both replicas of the garden Prometheus hold samples of the seed that were scraped after the
// given time.
func expectFederated(ctx context.Context, seed string, since time.Time) {
	for _, replica := range landscape.GardenReplicas {
		EventuallyWithOffset(1, func(g Gomega) {
			samples, err := ls.Prometheus(replica).Query(ctx, fmt.Sprintf(`timestamp(up{job=%q,seed=%q})`, constants.JobPrometheusAggregate, seed))
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(samples).To(HaveLen(1))
			g.Expect(float64(samples[0].Value)).To(BeNumerically(">", float64(since.UnixMilli())/1000), "newest sample of seed %s in %s", seed, replica)
		}).Should(Succeed())
	}
}

// expectNotFederated checks that neither replica gets samples of the seed any more.
func expectNotFederated(ctx context.Context, seed string, since time.Time) {
	for _, replica := range landscape.GardenReplicas {
		samples, err := ls.Prometheus(replica).Query(ctx, fmt.Sprintf(`max_over_time(timestamp(up{job=%q,seed=%q})[10m:1s])`, constants.JobPrometheusAggregate, seed))
		ExpectWithOffset(1, err).NotTo(HaveOccurred())
		ExpectWithOffset(1, samples).NotTo(BeEmpty(), "samples of seed %s in %s of before", seed, replica)
		for _, sample := range samples {
			ExpectWithOffset(1, float64(sample.Value)).To(BeNumerically("<=", float64(since.UnixMilli())/1000), "newest sample of seed %s in %s", seed, replica)
		}
	}
}

func extensionOf(ctx context.Context, g Gomega, c client.Client, class extensionsv1alpha1.ExtensionClass) *extensionsv1alpha1.Extension {
	list := &extensionsv1alpha1.ExtensionList{}
	g.Expect(c.List(ctx, list, client.InNamespace(gardenNamespace))).To(Succeed())
	for _, ex := range list.Items {
		if ex.Spec.Type == constants.ExtensionType && ex.Spec.Class != nil && *ex.Spec.Class == class {
			return &ex
		}
	}
	g.Expect(list.Items).To(ContainElement(HaveField("Spec.Class", HaveValue(Equal(class)))), "Extension of class %s", class)
	return nil
}

func expectSucceeded(ctx context.Context, c client.Client, class extensionsv1alpha1.ExtensionClass) {
	EventuallyWithOffset(1, func(g Gomega) {
		ex := extensionOf(ctx, g, c, class)
		g.Expect(ex.Status.ObservedGeneration).To(Equal(ex.Generation))
		g.Expect(ex.Annotations).NotTo(HaveKey(v1beta1constants.GardenerOperation))
		g.Expect(ex.Status.LastError).To(BeNil())
		g.Expect(ex.Status.LastOperation).NotTo(BeNil())
		g.Expect(ex.Status.LastOperation.State).To(Equal(gardencorev1beta1.LastOperationStateSucceeded))
	}).WithTimeout(30 * time.Second).Should(Succeed())
}

func expectCredentialsCondition(ctx context.Context, c client.Client, status gardencorev1beta1.ConditionStatus, message string) {
	EventuallyWithOffset(1, func(g Gomega) {
		condition := v1beta1helper.GetCondition(extensionOf(ctx, g, c, extensionsv1alpha1.ExtensionClassSeed).Status.Conditions, conditions.TypeCredentialsValid)
		g.Expect(condition).NotTo(BeNil())
		g.Expect(condition.Status).To(Equal(status))
		g.Expect(condition.Message).To(ContainSubstring(message))
	}).Should(Succeed())
}

// workloadOf identifies what must not change if a collector is not touched: for each of its objects the UID and the generation,
// and for the pods the number of restarts.
func workloadOf(ctx context.Context, c client.Client, name string) map[string]string {
	workload := map[string]string{}
	for _, list := range []client.ObjectList{&otelv1beta1.OpenTelemetryCollectorList{}, &appsv1.StatefulSetList{}, &corev1.PodList{}} {
		ExpectWithOffset(1, c.List(ctx, list, client.InNamespace(gardenNamespace), client.MatchingLabels{v1beta1constants.LabelApp: name})).To(Succeed())
		ExpectWithOffset(1, meta.LenList(list)).NotTo(BeZero(), "%T of %s", list, name)
		ExpectWithOffset(1, forEach(list, func(obj client.Object) {
			workload[fmt.Sprintf("%T %s", obj, obj.GetName())] = fmt.Sprintf("%s/%d", obj.GetUID(), obj.GetGeneration())
			if pod, ok := obj.(*corev1.Pod); ok {
				workload["restarts of "+pod.Name] = fmt.Sprint(pod.Status.ContainerStatuses[0].RestartCount)
			}
		})).To(Succeed())
	}
	return workload
}

// leftovers lists everything that belongs to the collector with the given name, and the objects of this extension that are
// known by name.
func leftovers(ctx context.Context, g Gomega, c client.Client, name string, others ...client.Object) []string {
	var found []string
	for kind, list := range map[string]client.ObjectList{
		"StatefulSet": &appsv1.StatefulSetList{},
		"Pod":         &corev1.PodList{},
		"PVC":         &corev1.PersistentVolumeClaimList{},
		"ConfigMap":   &corev1.ConfigMapList{},
		"Service":     &corev1.ServiceList{},
		"Collector":   &otelv1beta1.OpenTelemetryCollectorList{},
	} {
		g.Expect(c.List(ctx, list, client.InNamespace(gardenNamespace), client.MatchingLabels{v1beta1constants.LabelApp: name})).To(Succeed())
		if items := fmt.Sprint(namesIn(g, list)); items != "[]" {
			found = append(found, kind+" "+items)
		}
	}

	for _, obj := range append(others,
		&resourcesv1alpha1.ManagedResource{},
		&corev1.ServiceAccount{},
	) {
		key := client.ObjectKeyFromObject(obj)
		if key.Name == "" {
			key = client.ObjectKey{Namespace: gardenNamespace, Name: name}
		}
		err := c.Get(ctx, key, obj)
		if apierrors.IsNotFound(err) {
			continue
		}
		g.Expect(err).NotTo(HaveOccurred())
		found = append(found, fmt.Sprintf("%T %s", obj, key))
	}
	return found
}

func namesIn(g Gomega, list client.ObjectList) []string {
	var names []string
	g.Expect(forEach(list, func(obj client.Object) { names = append(names, obj.GetName()) })).To(Succeed())
	return names
}
