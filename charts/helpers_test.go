// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package charts_test

import (
	"fmt"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	vpaautoscalingv1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/test/utils/charttest"
)

const (
	gardenNamespace  = "garden"
	seedNamespace    = charttest.SeedNamespace
	runtimeNamespace = charttest.RuntimeNamespace
)

var (
	seedValues    = charttest.SeedValues
	runtimeValues = charttest.RuntimeValues
)

// rendered are the objects of a rendered chart. Their keys are Kind/namespace/name.
type rendered map[string]client.Object

// render renders the chart as gardenlet and gardener-operator do, and decodes each object strictly.
func render(namespace string, values ...map[string]any) rendered {
	GinkgoHelper()

	manifests, err := charttest.Render(namespace, values...)
	Expect(err).NotTo(HaveOccurred())

	decoder := serializer.NewCodecFactory(kubernetes.SeedScheme, serializer.EnableStrict).UniversalDeserializer()
	objects := rendered{}
	for key, manifest := range manifests {
		obj, gvk, err := decoder.Decode(manifest, nil, nil)
		Expect(err).NotTo(HaveOccurred(), "%s:\n%s", key, manifest)
		object, ok := obj.(client.Object)
		Expect(ok).To(BeTrue(), key)
		objects[fmt.Sprintf("%s/%s/%s", gvk.Kind, object.GetNamespace(), object.GetName())] = object
	}
	return objects
}

func get[T client.Object](objects rendered, kind, namespace, name string) T {
	GinkgoHelper()
	key := fmt.Sprintf("%s/%s/%s", kind, namespace, name)
	Expect(objects).To(HaveKey(key))
	object, ok := objects[key].(T)
	Expect(ok).To(BeTrue(), "%s is a %T", key, objects[key])
	return object
}

func (r rendered) deployment(namespace, name string) *appsv1.Deployment {
	GinkgoHelper()
	return get[*appsv1.Deployment](r, "Deployment", namespace, name)
}

func (r rendered) service(namespace, name string) *corev1.Service {
	GinkgoHelper()
	return get[*corev1.Service](r, "Service", namespace, name)
}

func (r rendered) configMap(namespace, name string) *corev1.ConfigMap {
	GinkgoHelper()
	return get[*corev1.ConfigMap](r, "ConfigMap", namespace, name)
}

func (r rendered) podDisruptionBudget(namespace, name string) *policyv1.PodDisruptionBudget {
	GinkgoHelper()
	return get[*policyv1.PodDisruptionBudget](r, "PodDisruptionBudget", namespace, name)
}

func (r rendered) verticalPodAutoscaler(namespace, name string) *vpaautoscalingv1.VerticalPodAutoscaler {
	GinkgoHelper()
	return get[*vpaautoscalingv1.VerticalPodAutoscaler](r, "VerticalPodAutoscaler", namespace, name)
}

// permissions returns one line per rule of the Role in the given namespace, or of the ClusterRole if there is none.
func (r rendered) permissions(namespace, name string) []string {
	GinkgoHelper()

	var rules []rbacv1.PolicyRule
	if namespace == "" {
		rules = get[*rbacv1.ClusterRole](r, "ClusterRole", "", name).Rules
	} else {
		rules = get[*rbacv1.Role](r, "Role", namespace, name).Rules
	}

	lines := make([]string, 0, len(rules))
	for _, rule := range rules {
		Expect(rule.APIGroups).To(HaveLen(1))
		Expect(rule.Resources).To(HaveLen(1))

		resource := strings.Trim(rule.Resources[0]+"."+rule.APIGroups[0], ".")
		if len(rule.ResourceNames) > 0 {
			resource += "[" + strings.Join(rule.ResourceNames, ",") + "]"
		}
		lines = append(lines, resource+": "+strings.Join(slices.Sorted(slices.Values(rule.Verbs)), ","))
	}
	return lines
}

// expectBindings checks that the ServiceAccount of the given name, and nobody else, has the roles of that name.
func (r rendered) expectBindings(releaseNamespace, name string) {
	GinkgoHelper()

	subjects := []rbacv1.Subject{{Kind: "ServiceAccount", Name: name, Namespace: releaseNamespace}}
	for _, namespace := range []string{gardenNamespace, releaseNamespace} {
		binding := get[*rbacv1.RoleBinding](r, "RoleBinding", namespace, name)
		Expect(binding.RoleRef).To(Equal(rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "Role", Name: name}))
		Expect(binding.Subjects).To(Equal(subjects))
	}
	if _, ok := r["ClusterRoleBinding//"+name]; !ok {
		return
	}
	binding := get[*rbacv1.ClusterRoleBinding](r, "ClusterRoleBinding", "", name)
	Expect(binding.RoleRef).To(Equal(rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: name}))
	Expect(binding.Subjects).To(Equal(subjects))
}
