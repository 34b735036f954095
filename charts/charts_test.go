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
	"k8s.io/apimachinery/pkg/util/intstr"
	vpaautoscalingv1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
)

var _ = Describe("Chart", func() {
	type class struct {
		name, namespace, extensionClass, priorityClassName string
		values                                             func() map[string]any
		args                                               []string
	}

	var (
		seed = class{
			name: "gardener-extension-otel-federation", namespace: seedNamespace, extensionClass: "seed", priorityClassName: "gardener-system-900",
			values: seedValues, args: []string{"--gardener-version=v1.150.0"},
		}
		garden = class{
			name: "gardener-extension-otel-federation-runtime", namespace: runtimeNamespace, extensionClass: "garden", priorityClassName: "gardener-garden-system-200",
			values: runtimeValues,
		}
	)

	for _, c := range []class{seed, garden} {
		Describe("class "+c.extensionClass, func() {
			var (
				objects    rendered
				deployment *appsv1.Deployment
				pod        corev1.PodSpec
				container  corev1.Container
			)

			BeforeEach(func() {
				objects = render(c.namespace, c.values())
				deployment = objects.deployment(c.namespace, c.name)
				pod = deployment.Spec.Template.Spec
				Expect(pod.Containers).To(HaveLen(1))
				container = pod.Containers[0]
			})

			It("should render exactly these objects", func() {
				var keys []string
				for key := range objects {
					keys = append(keys, key)
				}
				Expect(keys).To(ConsistOf(
					"ClusterRole//"+c.name,
					"ClusterRoleBinding//"+c.name,
					"ConfigMap/"+c.namespace+"/"+c.name+"-config",
					"Deployment/"+c.namespace+"/"+c.name,
					"PodDisruptionBudget/"+c.namespace+"/"+c.name,
					"Role/"+c.namespace+"/"+c.name,
					"Role/garden/"+c.name,
					"RoleBinding/"+c.namespace+"/"+c.name,
					"RoleBinding/garden/"+c.name,
					"Service/"+c.namespace+"/"+c.name,
					"ServiceAccount/"+c.namespace+"/"+c.name,
					"VerticalPodAutoscaler/"+c.namespace+"/"+c.name,
				))
			})

			It("should start the controllers of the class", func() {
				Expect(container.Args).To(ConsistOf(append(slices.Clone(c.args),
					"--config=/etc/gardener-extension-otel-federation/config.yaml",
					"--extension-classes="+c.extensionClass,
					"--max-concurrent-reconciles=5",
					"--ignore-operation-annotation=false",
					"--heartbeat-namespace="+c.namespace,
					"--heartbeat-renew-interval-seconds=30",
					"--leader-election-id="+c.name+"-leader-election",
					"--metrics-bind-address=:8080",
					"--health-bind-address=:8081",
					"--log-level=info",
					"--log-format=json",
				)))
				Expect(container.Env).To(Equal([]corev1.EnvVar{{
					Name:      "LEADER_ELECTION_NAMESPACE",
					ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.namespace"}},
				}}))
				Expect(container.Image).To(HavePrefix("europe-docker.pkg.dev/gardener-project/"))
				Expect(container.Resources.Requests).NotTo(BeEmpty())
			})

			It("should mount a valid configuration", func() {
				configMap := objects.configMap(c.namespace, c.name+"-config")
				_, err := loader.DecodeControllerConfiguration([]byte(configMap.Data["config.yaml"]))
				Expect(err).NotTo(HaveOccurred())
				Expect(pod.Volumes).To(HaveLen(1))
				Expect(pod.Volumes[0].ConfigMap.Name).To(Equal(configMap.Name))
				Expect(container.VolumeMounts).To(ConsistOf(corev1.VolumeMount{Name: pod.Volumes[0].Name, MountPath: "/etc/gardener-extension-otel-federation", ReadOnly: true}))
			})

			It("should roll the pods when the configuration changes", func() {
				other := render(c.namespace, c.values(), map[string]any{"config": map[string]any{"healthCheckConfig": map[string]any{"syncPeriod": "10s"}}})
				Expect(other.configMap(c.namespace, c.name+"-config").Data["config.yaml"]).To(ContainSubstring("syncPeriod: 10s"))

				const checksum = "checksum/configmap-config"
				Expect(deployment.Spec.Template.Annotations[checksum]).To(HaveLen(64))
				Expect(other.deployment(c.namespace, c.name).Spec.Template.Annotations[checksum]).NotTo(Equal(deployment.Spec.Template.Annotations[checksum]))
			})

			It("should run with few privileges", func() {
				Expect(pod.SecurityContext).To(Equal(&corev1.PodSecurityContext{
					RunAsNonRoot:   new(true),
					RunAsUser:      new(int64(65532)),
					RunAsGroup:     new(int64(65532)),
					FSGroup:        new(int64(65532)),
					SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
				}))
				Expect(container.SecurityContext).To(Equal(&corev1.SecurityContext{
					AllowPrivilegeEscalation: new(false),
					ReadOnlyRootFilesystem:   new(true),
					Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
				}))
				Expect(pod.ServiceAccountName).To(Equal(c.name))
				serviceAccount := get[*corev1.ServiceAccount](objects, "ServiceAccount", c.namespace, c.name)
				Expect(serviceAccount.AutomountServiceAccountToken).To(HaveValue(BeFalse()))
			})

			It("should be available", func() {
				Expect(deployment.Labels).To(HaveKeyWithValue("high-availability-config.resources.gardener.cloud/type", "controller"))
				Expect(deployment.Spec.Replicas).To(HaveValue(Equal(int32(1))))
				Expect(deployment.Spec.RevisionHistoryLimit).To(HaveValue(Equal(int32(2))))
				Expect(pod.PriorityClassName).To(Equal(c.priorityClassName))
				Expect(container.LivenessProbe.HTTPGet).To(Equal(&corev1.HTTPGetAction{Path: "/healthz", Port: intstr.FromInt32(8081), Scheme: corev1.URISchemeHTTP}))
				Expect(container.ReadinessProbe.HTTPGet).To(Equal(&corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromInt32(8081), Scheme: corev1.URISchemeHTTP}))

				budget := objects.podDisruptionBudget(c.namespace, c.name)
				Expect(budget.Spec.MaxUnavailable).To(HaveValue(Equal(intstr.FromInt32(1))))
				Expect(budget.Spec.UnhealthyPodEvictionPolicy).To(HaveValue(Equal(policyv1.AlwaysAllow)))

				vpa := objects.verticalPodAutoscaler(c.namespace, c.name)
				Expect(vpa.Spec.TargetRef.Name).To(Equal(c.name))
				Expect(vpa.Spec.UpdatePolicy.UpdateMode).To(HaveValue(Equal(vpaautoscalingv1.UpdateModeInPlaceOrRecreate)))
				Expect(vpa.Spec.ResourcePolicy.ContainerPolicies[0].ContainerName).To(Equal(container.Name))
			})

			It("should select its own pods only", func() {
				labels := map[string]string{"app.kubernetes.io/name": c.name, "app.kubernetes.io/instance": "otel-federation"}
				Expect(deployment.Spec.Selector.MatchLabels).To(Equal(labels))
				Expect(objects.service(c.namespace, c.name).Spec.Selector).To(Equal(labels))
				Expect(objects.podDisruptionBudget(c.namespace, c.name).Spec.Selector.MatchLabels).To(Equal(labels))
				for key, value := range labels {
					Expect(deployment.Spec.Template.Labels).To(HaveKeyWithValue(key, value))
				}
			})

			It("should use the images of the overwrite", func() {
				overwrite := map[string]any{"images": []any{map[string]any{"name": "opentelemetry-collector", "repository": "registry.example.com/collector", "tag": "v1.2.3"}}}
				objects := render(c.namespace, c.values(), map[string]any{"imageVectorOverwrite": overwrite})

				configMap := objects.configMap(c.namespace, c.name+"-imagevector-overwrite")
				Expect(configMap.Data).To(HaveKeyWithValue("images_overwrite.yaml", ContainSubstring("repository: registry.example.com/collector")))
				template := objects.deployment(c.namespace, c.name).Spec.Template
				Expect(template.Annotations).To(HaveKey("checksum/configmap-imagevector-overwrite"))
				Expect(template.Spec.Containers[0].Env).To(ContainElement(corev1.EnvVar{Name: "IMAGEVECTOR_OVERWRITE", Value: "/imagevector_overwrite/images_overwrite.yaml"}))
				Expect(template.Spec.Containers[0].VolumeMounts).To(ContainElement(corev1.VolumeMount{Name: "imagevector-overwrite", MountPath: "/imagevector_overwrite", ReadOnly: true}))
				Expect(template.Spec.Volumes).To(ContainElement(HaveField("ConfigMap.Name", configMap.Name)))
			})

			It("should bind its roles to its own ServiceAccount", func() {
				objects.expectBindings(c.namespace, c.name)
			})

			It("should work in its own namespace with few permissions", func() {
				Expect(objects.permissions(c.namespace, c.name)).To(ConsistOf(
					"leases.coordination.k8s.io: create",
					"leases.coordination.k8s.io["+c.name+"-leader-election]: get,update",
					"leases.coordination.k8s.io[gardener-extension-heartbeat]: get,patch",
					"events: create,patch",
				))
			})
		})
	}

	It("should give the seed part these permissions", func() {
		objects := render(seedNamespace, seedValues())

		Expect(objects.permissions("", seed.name)).To(ConsistOf("gardens.operator.gardener.cloud: list"))
		Expect(objects.permissions(gardenNamespace, seed.name)).To(ConsistOf(
			"extensions.extensions.gardener.cloud: get,list,patch,watch",
			"extensions/status.extensions.gardener.cloud: patch",
			"namespaces[garden]: get",
			"managedresources.resources.gardener.cloud: create,get,list,watch",
			"managedresources.resources.gardener.cloud[otel-federation-seed]: delete,update",
			"opentelemetrycollectors.opentelemetry.io: list",
			"opentelemetrycollectors.opentelemetry.io[otel-federation-seed]: get",
			"statefulsets.apps: list",
			"pods: list",
			"persistentvolumeclaims: create,deletecollection,list",
			"persistentvolumeclaims[otel-federation-seed-queue]: get,patch",
			"secrets: create,delete,get,patch,update",
			"secrets[otel-federation]: list,watch",
		))
	})

	It("should give the garden part these permissions", func() {
		objects := render(runtimeNamespace, runtimeValues())

		// As many as the configuration allows replicas.
		var claims []string
		for i := range 20 {
			claims = append(claims, fmt.Sprintf("otel-federation-garden-%d-queue", i))
		}

		Expect(objects.permissions("", garden.name)).To(ConsistOf("gardens.operator.gardener.cloud: get,list,watch"))
		Expect(objects.permissions(gardenNamespace, garden.name)).To(ConsistOf(
			"extensions.extensions.gardener.cloud: get,list,patch,watch",
			"extensions/status.extensions.gardener.cloud: patch",
			"namespaces[garden]: get",
			"managedresources.resources.gardener.cloud: create,get,list,watch",
			"managedresources.resources.gardener.cloud[otel-federation-garden,otel-federation-garden-access]: delete,update",
			"opentelemetrycollectors.opentelemetry.io: list",
			"statefulsets.apps: list",
			"pods: list",
			"persistentvolumeclaims: create,deletecollection,list",
			"persistentvolumeclaims["+strings.Join(claims, ",")+"]: get,patch",
			"secrets: create,delete,get,list,patch,update,watch",
			"configmaps: create",
			"configmaps[otel-federation-issuer]: delete,get,list,update,watch",
			"gateways.networking.istio.io[virtual-garden-prometheus-garden]: get",
			"virtualservices.networking.istio.io[virtual-garden-prometheus-garden,prometheus-aggregate]: get",
		))
	})

	It("should let the seed part reach the virtual garden wherever it is, and the seed's Prometheus scrape it", func() {
		objects := render(seedNamespace, seedValues())

		template := objects.deployment(seedNamespace, seed.name).Spec.Template
		Expect(allowed(template.Labels)).To(ConsistOf(
			"networking.gardener.cloud/to-dns",
			"networking.gardener.cloud/to-runtime-apiserver",
			"networking.gardener.cloud/to-public-networks",
			"networking.gardener.cloud/to-private-networks",
			"networking.resources.gardener.cloud/to-garden-virtual-garden-kube-apiserver-tcp-443",
			"networking.resources.gardener.cloud/to-all-istio-ingresses-istio-ingressgateway-tcp-9443",
		))
		Expect(template.Annotations).To(And(HaveKeyWithValue("prometheus.io/scrape", "true"), HaveKeyWithValue("prometheus.io/port", "8080"), HaveKeyWithValue("prometheus.io/name", seed.name)))
		annotations := objects.service(seedNamespace, seed.name).Annotations
		Expect(annotations).To(HaveKeyWithValue("networking.resources.gardener.cloud/from-all-seed-scrape-targets-allowed-ports", `[{"port":8080,"protocol":"TCP"}]`))
		Expect(annotations).NotTo(HaveKey("networking.resources.gardener.cloud/from-all-garden-scrape-targets-allowed-ports"))
	})

	It("should let the garden part reach the virtual garden in its own cluster, and the garden Prometheus scrape it", func() {
		objects := render(runtimeNamespace, runtimeValues())

		template := objects.deployment(runtimeNamespace, garden.name).Spec.Template
		Expect(allowed(template.Labels)).To(ConsistOf(
			"networking.gardener.cloud/to-dns",
			"networking.gardener.cloud/to-runtime-apiserver",
			"networking.resources.gardener.cloud/to-garden-virtual-garden-kube-apiserver-tcp-443",
			"networking.resources.gardener.cloud/to-all-istio-ingresses-istio-ingressgateway-tcp-9443",
		))
		Expect(template.Annotations).NotTo(HaveKey("prometheus.io/scrape"))
		annotations := objects.service(runtimeNamespace, garden.name).Annotations
		Expect(annotations).To(HaveKeyWithValue("networking.resources.gardener.cloud/from-all-garden-scrape-targets-allowed-ports", `[{"port":8080,"protocol":"TCP"}]`))
		Expect(annotations).NotTo(HaveKey("networking.resources.gardener.cloud/from-all-seed-scrape-targets-allowed-ports"))
	})
})

// allowed returns the keys of the labels that admit traffic.
func allowed(labels map[string]string) []string {
	var keys []string
	for key, value := range labels {
		if value == "allowed" {
			keys = append(keys, key)
		}
	}
	return keys
}
