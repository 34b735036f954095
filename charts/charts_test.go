// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package charts_test

import (
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	vpaautoscalingv1 "k8s.io/autoscaler/vertical-pod-autoscaler/pkg/apis/autoscaling.k8s.io/v1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
)

var _ = Describe("Chart", func() {
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
				Expect(keys).To(ConsistOf(append(slices.Clone(c.objects),
					"ConfigMap/"+c.namespace+"/"+c.name+"-config",
					"Deployment/"+c.namespace+"/"+c.name,
					"NetworkPolicy/"+c.namespace+"/"+c.name+"-to-collectors",
					"NetworkPolicy/garden/otel-federation-"+c.extensionClass+"-from-"+c.name,
					"PodDisruptionBudget/"+c.namespace+"/"+c.name,
					"Role/"+c.namespace+"/"+c.name,
					"Role/garden/"+c.name,
					"RoleBinding/"+c.namespace+"/"+c.name,
					"RoleBinding/garden/"+c.name,
					"Service/"+c.namespace+"/"+c.name,
					"ServiceAccount/"+c.namespace+"/"+c.name,
					"ServiceMonitor/"+c.namespace+"/"+c.name,
					"VerticalPodAutoscaler/"+c.namespace+"/"+c.name,
				)))
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
				Expect(container.Env).To(ConsistOf(append(slices.Clone(c.env), namespaceFromField("LEADER_ELECTION_NAMESPACE"), corev1.EnvVar{Name: "IMAGE", Value: container.Image})))
				Expect(container.Ports).To(ConsistOf(append(slices.Clone(c.containerPorts),
					corev1.ContainerPort{Name: "metrics", ContainerPort: 8080, Protocol: corev1.ProtocolTCP},
					corev1.ContainerPort{Name: "health", ContainerPort: 8081, Protocol: corev1.ProtocolTCP},
				)))
				Expect(container.Image).To(HavePrefix("europe-docker.pkg.dev/gardener-project/"))
				Expect(container.Resources.Requests).NotTo(BeEmpty())
			})

			It("should mount a valid configuration", func() {
				configMap := objects.configMap(c.namespace, c.name+"-config")
				_, err := loader.DecodeControllerConfiguration([]byte(configMap.Data["config.yaml"]))
				Expect(err).NotTo(HaveOccurred())
				Expect(pod.Volumes).To(ConsistOf(append(slices.Clone(c.volumes), corev1.Volume{Name: "config", VolumeSource: corev1.VolumeSource{
					ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: configMap.Name}},
				}})))
				Expect(container.VolumeMounts).To(ConsistOf(append(slices.Clone(c.volumeMounts),
					corev1.VolumeMount{Name: "config", MountPath: "/etc/gardener-extension-otel-federation", ReadOnly: true},
				)))
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

			It("should be scraped by the Prometheus that scrapes the collectors", func() {
				monitor := get[*monitoringv1.ServiceMonitor](objects, "ServiceMonitor", c.namespace, c.name)
				Expect(monitor.Labels).To(HaveKeyWithValue("prometheus", map[string]string{"garden": "garden", "seed": "aggregate"}[c.extensionClass]))
				Expect(monitor.Spec.Selector.MatchLabels).To(Equal(get[*corev1.Service](objects, "Service", c.namespace, c.name).Spec.Selector))
				Expect(monitor.Spec.Endpoints).To(ConsistOf(HaveField("Port", "metrics")))

				off := render(c.namespace, c.values(), map[string]any{"metrics": map[string]any{"enableScraping": false}})
				Expect(off).NotTo(HaveKey(HavePrefix("ServiceMonitor/")))
			})

			It("should be available", func() {
				Expect(deployment.Labels).To(HaveKeyWithValue("high-availability-config.resources.gardener.cloud/type", c.availabilityType))
				Expect(deployment.Spec.Replicas).To(HaveValue(Equal(c.replicas)))
				Expect(deployment.Spec.Strategy).To(Equal(c.strategy))
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

			It("should have as many replicas as configured", func() {
				for _, replicas := range []int32{0, 1, 3} {
					objects := render(c.namespace, c.values(), map[string]any{"replicaCount": replicas})
					Expect(objects.deployment(c.namespace, c.name).Spec.Replicas).To(HaveValue(Equal(replicas)))
				}
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
		})
	}

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
		service := objects.service(seedNamespace, seed.name)
		Expect(service.Annotations).To(Equal(map[string]string{
			"networking.resources.gardener.cloud/from-all-seed-scrape-targets-allowed-ports": `[{"port":8080,"protocol":"TCP"}]`,
			"networking.resources.gardener.cloud/namespace-selectors":                        `[{"matchLabels":{"kubernetes.io/metadata.name":"garden"}}]`,
			"networking.resources.gardener.cloud/pod-label-selector-namespace-alias":         "extensions",
		}))
		Expect(service.Spec.Ports).To(ConsistOf(metricsPort))
	})

	It("should let the garden part reach the virtual garden in its own cluster, the garden Prometheus scrape it, and the API server call its webhook", func() {
		objects := render(runtimeNamespace, runtimeValues())

		template := objects.deployment(runtimeNamespace, garden.name).Spec.Template
		Expect(allowed(template.Labels)).To(ConsistOf(
			"networking.gardener.cloud/to-dns",
			"networking.gardener.cloud/to-runtime-apiserver",
			"networking.resources.gardener.cloud/to-garden-virtual-garden-kube-apiserver-tcp-443",
			"networking.resources.gardener.cloud/to-all-istio-ingresses-istio-ingressgateway-tcp-9443",
		))
		Expect(template.Annotations).NotTo(HaveKey("prometheus.io/scrape"))
		service := objects.service(runtimeNamespace, garden.name)
		Expect(service.Annotations).To(Equal(map[string]string{
			"networking.resources.gardener.cloud/from-all-garden-scrape-targets-allowed-ports": `[{"port":8080,"protocol":"TCP"}]`,
			"networking.resources.gardener.cloud/from-world-to-ports":                          `[{"protocol":"TCP","port":10250}]`,
			"networking.resources.gardener.cloud/namespace-selectors":                          `[{"matchLabels":{"kubernetes.io/metadata.name":"garden"}}]`,
			"networking.resources.gardener.cloud/pod-label-selector-namespace-alias":           "extensions",
		}))
		Expect(service.Spec.Ports).To(ConsistOf(metricsPort,
			corev1.ServicePort{Name: "webhook-server", Port: 443, TargetPort: intstr.FromInt32(10250), Protocol: corev1.ProtocolTCP},
		))
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
