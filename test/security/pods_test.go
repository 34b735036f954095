// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"slices"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// podGroup is a group of pods of the extension.
type podGroup struct {
	name, cluster, namespace string
	selector                 client.MatchingLabels
	// writable are the volumes that the pods may write to. Everything else is read-only.
	writable []string
}

func (g podGroup) pods(ctx context.Context) []corev1.Pod {
	return selectedPods(ctx, g.cluster, g.namespace, g.selector)
}

func deployedBy(name string) client.MatchingLabels {
	return client.MatchingLabels{"app.kubernetes.io/name": name}
}

func collectorsOf(component string) client.MatchingLabels {
	return client.MatchingLabels{v1beta1constants.LabelApp: component, "app.kubernetes.io/component": "opentelemetry-collector"}
}

// podGroups are all pods of the extension.
var podGroups = []podGroup{
	{"the deployment in the runtime cluster", cluster.NameRuntime, gardener.NamespaceRuntimeExtension, deployedBy(gardener.GardenExtensionDeployment), []string{"webhook-cert"}},
	{"the fan-out", cluster.NameRuntime, nsGarden, collectorsOf(constants.GardenCollectorName), []string{"queue"}},
	{"the deployment of the seed that is the runtime cluster", cluster.NameRuntime, gardener.NamespaceSeedExtension, deployedBy(gardener.SeedExtensionDeployment), nil},
	{"the collector of the seed that is the runtime cluster", cluster.NameRuntime, nsGarden, collectorsOf(constants.SeedCollectorName), []string{"queue"}},
	{"the deployment of the other seed", secondSeed, gardener.NamespaceSeedExtension, deployedBy(gardener.SeedExtensionDeployment), nil},
	{"the collector of the other seed", secondSeed, nsGarden, collectorsOf(constants.SeedCollectorName), []string{"queue"}},
}

var _ = Describe("Pods", func() {
	for _, group := range podGroups {
		Context("of "+group.name, func() {
			It("should be admitted at the Pod Security level restricted", func(ctx SpecContext) {
				namespace := restrictedNamespace(ctx, ls.Client(group.cluster))
				for _, pod := range group.pods(ctx) {
					Expect(admit(ctx, ls.Client(group.cluster), namespace, pod.Spec)).To(Succeed(), "pod %s", pod.Name)

					// Proves that the level is enforced.
					spec := *pod.Spec.DeepCopy()
					spec.Containers[0].SecurityContext.AllowPrivilegeEscalation = new(true)
					Expect(admit(ctx, ls.Client(group.cluster), namespace, spec)).To(And(
						MatchError(apierrors.IsForbidden, "IsForbidden"), MatchError(ContainSubstring("allowPrivilegeEscalation"))))
				}
			})

			It("should run as nobody, on a root that cannot be written to", func(ctx SpecContext) {
				for _, pod := range group.pods(ctx) {
					Expect(pod.Spec.SecurityContext.RunAsNonRoot).To(HaveValue(BeTrue()))
					Expect(pod.Spec.SecurityContext.RunAsUser).To(HaveValue(BeNumerically(">", 0)))
					Expect(pod.Spec.SecurityContext.SeccompProfile).To(HaveValue(HaveField("Type", corev1.SeccompProfileTypeRuntimeDefault)))
					Expect([]bool{pod.Spec.HostNetwork, pod.Spec.HostPID, pod.Spec.HostIPC}).To(HaveEach(false))

					for _, container := range append(slices.Clone(pod.Spec.InitContainers), pod.Spec.Containers...) {
						Expect(container.SecurityContext.ReadOnlyRootFilesystem).To(HaveValue(BeTrue()), "container %s", container.Name)
						Expect(container.SecurityContext.AllowPrivilegeEscalation).To(HaveValue(BeFalse()), "container %s", container.Name)
						Expect(container.SecurityContext.Privileged).To(Or(BeNil(), HaveValue(BeFalse())), "container %s", container.Name)
						Expect(container.SecurityContext.Capabilities.Drop).To(ConsistOf(corev1.Capability("ALL")), "container %s", container.Name)
						Expect(container.SecurityContext.Capabilities.Add).To(BeEmpty(), "container %s", container.Name)
						Expect(writableVolumes(pod, container)).To(ConsistOf(group.writable), "container %s of pod %s", container.Name, pod.Name)
					}
				}
			})
		})
	}
})

// restrictedNamespace creates a namespace in which pods must be restricted.
func restrictedNamespace(ctx context.Context, c client.Client) string {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "restricted-", Labels: map[string]string{
		"pod-security.kubernetes.io/enforce":         "restricted",
		"pod-security.kubernetes.io/enforce-version": "latest",
	}}}
	createForSpec(ctx, c, namespace)
	// The API server gives it the ServiceAccount without which no pod is admitted.
	EventuallyWithOffset(1, func() error {
		return c.Get(ctx, client.ObjectKey{Namespace: namespace.Name, Name: "default"}, &corev1.ServiceAccount{})
	}).Should(Succeed())
	return namespace.Name
}

// admit asks the real admission plugins whether a pod would be admitted.
func admit(ctx context.Context, c client.Client, namespace string, spec corev1.PodSpec) error {
	spec = *spec.DeepCopy()
	// What belongs to where the pod runs.
	spec.ServiceAccountName, spec.DeprecatedServiceAccount = "default", ""
	spec.AutomountServiceAccountToken = new(false)
	spec.NodeName = ""
	return c.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "pod"}, Spec: spec}, client.DryRunAll)
}

// writableVolumes returns the names of the volumes that a container may write to. Those of ConfigMaps, Secrets and projected ones are
// read-only by themselves.
func writableVolumes(pod corev1.Pod, container corev1.Container) []string {
	var names []string
	for _, mount := range container.VolumeMounts {
		i := slices.IndexFunc(pod.Spec.Volumes, func(volume corev1.Volume) bool { return volume.Name == mount.Name })
		ExpectWithOffset(1, i).To(BeNumerically(">=", 0), "volume %s", mount.Name)
		volume := pod.Spec.Volumes[i]
		if !mount.ReadOnly && volume.ConfigMap == nil && volume.Secret == nil && volume.Projected == nil && volume.DownwardAPI == nil {
			names = append(names, mount.Name)
		}
	}
	return names
}
