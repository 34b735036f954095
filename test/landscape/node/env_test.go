// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
)

var _ = Describe("Environment", func() {
	DescribeTable("expand", func(input, expected string) {
		Expect(expand(input, map[string]string{"A": "1", "EMPTY": "", "NESTED": "$(A)"})).To(Equal(expected))
	},
		Entry("plain", "text", "text"),
		Entry("reference", "x$(A)y$(A)", "x1y1"),
		Entry("empty value", "x$(EMPTY)y", "xy"),
		Entry("unknown", "$(B)", "$(B)"),
		Entry("escaped", "$$(A)", "$(A)"),
		Entry("escaped twice", "$$$(A)", "$1"),
		Entry("not nested", "$(NESTED)", "$(A)"),
		Entry("shell syntax", "$A ${A}", "$A ${A}"),
		Entry("unclosed", "$(A", "$(A"),
		Entry("trailing", "A$", "A$"),
	)

	Describe("buildArgs", func() {
		image := &Image{Path: "/bin/app", Entrypoint: []string{"/bin/app", "run"}}
		variables := map[string]string{"A": "1"}

		It("should use the entrypoint", func() {
			Expect(buildArgs(image, &corev1.Container{Args: []string{"--a=$(A)"}}, variables)).To(Equal([]string{"/bin/app", "run", "--a=1"}))
		})
		It("should use the path without an entrypoint", func() {
			Expect(buildArgs(&Image{Path: "/bin/app"}, &corev1.Container{}, variables)).To(Equal([]string{"/bin/app"}))
		})
		It("should add flags that the container does not set", func() {
			image := &Image{Path: "/bin/app", Flags: []string{"--a=1", "--b=2", "--ab=3"}}
			container := &corev1.Container{Args: []string{"--ab=4", "--b", "5"}}
			Expect(buildArgs(image, container, variables)).To(Equal([]string{"/bin/app", "--ab=4", "--b", "5", "--a=1"}))
		})
		It("should prefer the command", func() {
			Expect(buildArgs(image, &corev1.Container{Command: []string{"other", "$(A)"}}, variables)).To(Equal([]string{"other", "1"}))
		})
	})

	Describe("build", func() {
		var (
			ctx       = context.Background()
			container *corev1.Container
			builder   *environment
		)

		BeforeEach(func() {
			container = &corev1.Container{Name: "app", Resources: corev1.ResourceRequirements{
				Limits:   corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("100Mi")},
				Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1500m")},
			}}
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "pod", UID: "uid", Labels: map[string]string{"b": "2", "a": "1"}},
				Spec:       corev1.PodSpec{NodeName: "node", ServiceAccountName: "sa", Containers: []corev1.Container{*container}},
			}
			builder = &environment{
				reader: fake.NewClientBuilder().WithObjects(
					&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "config"}, Data: map[string]string{"a": "1"}},
					&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "secret"}, Data: map[string][]byte{"b": []byte("2")}},
				).Build(),
				pod: pod, hostIP: "192.0.2.1", podIP: "192.0.2.2",
				capacity: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")},
			}
		})

		It("should combine all sources, the later ones first", func() {
			container.EnvFrom = []corev1.EnvFromSource{
				{Prefix: "C_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "config"}}},
				{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "secret"}}},
				{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "none"}, Optional: new(true)}},
			}
			container.Env = []corev1.EnvVar{{Name: "BOTH", Value: "$(C_a)$(b)$(BASE)$(LATER)"}, {Name: "LATER", Value: "x"}, {Name: "BASE", Value: "over"}}
			Expect(builder.build(ctx, container, map[string]string{"BASE": "0"})).To(Equal(map[string]string{
				"BASE": "over", "C_a": "1", "b": "2", "BOTH": "120$(LATER)", "LATER": "x",
			}))
		})

		DescribeTable("should resolve references", func(source corev1.EnvVarSource, expected string) {
			container.Env = []corev1.EnvVar{{Name: "X", ValueFrom: &source}}
			Expect(builder.build(ctx, container, nil)).To(Equal(map[string]string{"X": expected}))
		},
			Entry("name", field("metadata.name"), "pod"),
			Entry("namespace", field("metadata.namespace"), "ns"),
			Entry("uid", field("metadata.uid"), "uid"),
			Entry("label", field("metadata.labels['a']"), "1"),
			Entry("labels", field("metadata.labels"), "a=\"1\"\nb=\"2\""),
			Entry("node", field("spec.nodeName"), "node"),
			Entry("service account", field("spec.serviceAccountName"), "sa"),
			Entry("pod IP", field("status.podIP"), "192.0.2.2"),
			Entry("host IP", field("status.hostIP"), "192.0.2.1"),
			Entry("memory limit", resourceField("limits.memory", ""), "104857600"),
			Entry("memory limit in MiB", resourceField("limits.memory", "1Mi"), "100"),
			Entry("CPU request, rounded up", resourceField("requests.cpu", ""), "2"),
			Entry("CPU request in m", resourceField("requests.cpu", "1m"), "1500"),
			Entry("CPU limit of the node", resourceField("limits.cpu", ""), "2"),
			Entry("key", secretKey("secret", "b", false), "2"),
		)

		DescribeTable("should fail", func(source corev1.EnvVarSource, message string) {
			container.Env = []corev1.EnvVar{{Name: "X", ValueFrom: &source}}
			_, err := builder.build(ctx, container, nil)
			Expect(err).To(MatchError(And(ContainSubstring("environment variable X"), ContainSubstring(message))))
		},
			Entry("missing Secret", secretKey("none", "b", false), "not found"),
			Entry("missing key", secretKey("secret", "c", false), `Secret secret has no key "c"`),
			Entry("unsupported field", field("status.phase"), "not supported"),
			Entry("unsupported source", corev1.EnvVarSource{}, "not supported"),
		)

		It("should leave out optional keys", func() {
			container.Env = []corev1.EnvVar{
				{Name: "X", ValueFrom: new(secretKey("none", "b", true))},
				{Name: "Y", ValueFrom: new(secretKey("secret", "c", true))},
			}
			Expect(builder.build(ctx, container, nil)).To(BeEmpty())
		})
	})
})

func field(path string) corev1.EnvVarSource {
	return corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
}

func resourceField(name, divisor string) corev1.EnvVarSource {
	selector := &corev1.ResourceFieldSelector{Resource: name}
	if divisor != "" {
		selector.Divisor = resource.MustParse(divisor)
	}
	return corev1.EnvVarSource{ResourceFieldRef: selector}
}

func secretKey(name, key string, optional bool) corev1.EnvVarSource {
	return corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key, Optional: new(optional),
	}}
}
