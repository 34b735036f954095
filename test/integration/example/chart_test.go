// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package example_test

import (
	"context"
	"encoding/json"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"

	"github.com/gardener/gardener-extension-otel-federation/test/utils/charttest"
)

var _ = Describe("Chart", func() {
	DescribeTable("should be accepted by the API server as it is deployed with the example",
		func(ctx context.Context, namespace, exampleValues string, gardenerValues map[string]any) {
			extension := decode(read("extension.yaml"))[0]
			values := map[string]any{}
			Expect(json.Unmarshal(raw(extension.Object, "spec", "deployment", "extension", exampleValues).Raw, &values)).To(Succeed())
			manifests, err := charttest.Render(namespace, values, gardenerValues)
			Expect(err).NotTo(HaveOccurred())

			createNamespace(ctx, namespace, extension.GetAnnotations()[v1beta1constants.AnnotationPodSecurityEnforce])
			c := client.NewDryRunClient(strict(runtimeCluster.Client))
			deployments := 0
			for key, manifest := range manifests {
				objects := decode(manifest)
				Expect(objects).To(HaveLen(1), key)
				Expect(c.Create(ctx, objects[0].DeepCopy())).To(Succeed(), "%s:\n%s", key, manifest)
				if objects[0].GetKind() == "Deployment" {
					deployments++
					Expect(c.Create(ctx, podOf(objects[0]))).To(Succeed(), "the pods of %s:\n%s", key, manifest)
				}
			}
			Expect(deployments).To(Equal(1))
		},
		Entry("by gardener-operator", charttest.RuntimeNamespace, "runtimeClusterValues", charttest.RuntimeValues()),
		Entry("by gardenlet", charttest.SeedNamespace, "values", charttest.SeedValues()),
	)
})

// createNamespace creates a namespace with the level of pod security that the extension asks for.
func createNamespace(ctx context.Context, name, podSecurity string) {
	GinkgoHelper()
	Expect(podSecurity).NotTo(BeEmpty())
	Expect(runtimeCluster.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   name,
		Labels: map[string]string{"pod-security.kubernetes.io/enforce": podSecurity},
	}})).To(Succeed())
}

// podOf returns a pod of a Deployment. Its class of priority is one that Gardener creates, and there is no Gardener here.
func podOf(deployment *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	template, found, err := unstructured.NestedMap(deployment.Object, "spec", "template")
	Expect(err).NotTo(HaveOccurred())
	Expect(found).To(BeTrue())

	pod := &unstructured.Unstructured{Object: template}
	unstructured.RemoveNestedField(pod.Object, "spec", "priorityClassName")
	pod.SetAPIVersion("v1")
	pod.SetKind("Pod")
	pod.SetNamespace(deployment.GetNamespace())
	pod.SetName("test")
	return pod
}
