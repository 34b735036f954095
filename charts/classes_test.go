// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package charts_test

import (
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// class is what the deployments of the two classes differ in.
type class struct {
	name, namespace, extensionClass, priorityClassName string
	values                                             func() map[string]any
	args                                               []string
	env                                                []corev1.EnvVar
	objects                                            []string
	containerPorts                                     []corev1.ContainerPort
	volumes                                            []corev1.Volume
	volumeMounts                                       []corev1.VolumeMount
	availabilityType                                   string
	replicas                                           int32
	strategy                                           appsv1.DeploymentStrategy
}

// Only the garden part has a webhook, and permissions outside of namespaces. The specs list what they compare completely, so that nothing of it gets into the seed part.
var (
	seed = class{
		name: "gardener-extension-otel-federation", namespace: seedNamespace, extensionClass: "seed", priorityClassName: "gardener-system-900",
		values: seedValues,
		args:   []string{"--gardener-version=v1.150.0"},
		objects: []string{
			"NetworkPolicy/garden/prometheus-aggregate-to-gardener-extension-otel-federation",
			"NetworkPolicy/" + seedNamespace + "/gardener-extension-otel-federation-from-prometheus-aggregate",
		},
		availabilityType: "controller",
		replicas:         1,
	}
	garden = class{
		name: "gardener-extension-otel-federation-runtime", namespace: runtimeNamespace, extensionClass: "garden", priorityClassName: "gardener-garden-system-200",
		values: runtimeValues,
		args: []string{
			"--webhook-config-server-port=10250",
			"--webhook-config-service-port=443",
			"--webhook-config-cert-dir=/tmp/gardener-extensions-cert",
			"--webhook-config-mode=service",
			"--webhook-config-owner-namespace=" + runtimeNamespace,
		},
		env: []corev1.EnvVar{namespaceFromField("WEBHOOK_CONFIG_NAMESPACE")},
		objects: []string{
			"ClusterRole//gardener-extension-otel-federation-runtime",
			"ClusterRoleBinding//gardener-extension-otel-federation-runtime",
			"NetworkPolicy/garden/prometheus-garden-from-gardener-extension-otel-federation-runtime",
			"NetworkPolicy/" + runtimeNamespace + "/gardener-extension-otel-federation-runtime-to-prometheus-garden",
		},
		containerPorts: []corev1.ContainerPort{{Name: "webhook-server", ContainerPort: 10250, Protocol: corev1.ProtocolTCP}},
		volumes: []corev1.Volume{{Name: "webhook-cert", VolumeSource: corev1.VolumeSource{
			EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: new(resource.MustParse("1Mi"))},
		}}},
		volumeMounts:     []corev1.VolumeMount{{Name: "webhook-cert", MountPath: "/tmp/gardener-extensions-cert"}},
		availabilityType: "server",
		replicas:         2,
		strategy: appsv1.DeploymentStrategy{
			Type:          appsv1.RollingUpdateDeploymentStrategyType,
			RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: new(intstr.FromInt32(0)), MaxSurge: new(intstr.FromInt32(1))},
		},
	}

	metricsPort = corev1.ServicePort{Name: "metrics", Port: 8080, TargetPort: intstr.FromInt32(8080), Protocol: corev1.ProtocolTCP}
)

// namespaceFromField returns an environment variable with the namespace of the pod.
func namespaceFromField(name string) corev1.EnvVar {
	return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}}}
}
