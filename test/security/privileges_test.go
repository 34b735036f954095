// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

const (
	nsGarden   = v1beta1constants.GardenNamespace
	secondSeed = "seed-2"
)

// escalations are ways to more permissions that are open to nobody.
var escalations = []permission{
	{"create,update,patch", "roles.rbac.authorization.k8s.io", nsGarden, ""},
	{"create,update,patch", "rolebindings.rbac.authorization.k8s.io", nsGarden, ""},
	{"create,update,patch", "clusterrolebindings.rbac.authorization.k8s.io", "", ""},
	{"bind,escalate", "clusterroles.rbac.authorization.k8s.io", "", "cluster-admin"},
	{"impersonate", "users", "", ""},
	{"impersonate", "groups", "", "system:masters"},
	{"impersonate", "serviceaccounts", "kube-system", ""},
	{"create", "serviceaccounts/token", nsGarden, ""},
	{"create", "serviceaccounts/token", "kube-system", ""},
	{"create", "tokenreviews.authentication.k8s.io", "", ""},
	{"approve", "signers.certificates.k8s.io", "", ""},
	{"create,update,patch", "validatingwebhookconfigurations.admissionregistration.k8s.io", "", ""},
}

// runs is what lets somebody run or change what runs, or look into it.
var runs = []permission{
	{"create,update", "pods", nsGarden, ""},
	{"create", "pods/exec", nsGarden, ""},
	{"create", "pods/ephemeralcontainers", nsGarden, ""},
	{"get", "pods/log", nsGarden, ""},
	{"create,update,patch,delete", "deployments.apps", nsGarden, ""},
	{"create,update,patch,delete", "statefulsets.apps", nsGarden, ""},
	{"create,update,patch,delete", "daemonsets.apps", nsGarden, ""},
	{"create", "jobs.batch", nsGarden, ""},
	{"create,update,patch,delete", "opentelemetrycollectors.opentelemetry.io", nsGarden, ""},
	{"create,update,patch,delete", "networkpolicies.networking.k8s.io", nsGarden, ""},
	{"get,list,update,patch", "nodes", "", ""},
	{"get", "nodes/proxy", "", ""},
}

var _ = Describe("Privileges", func() {
	for _, seed := range []struct{ name, cluster, other string }{
		{landscape.SeedRuntime, cluster.NameRuntime, secondSeed},
		{secondSeed, secondSeed, landscape.SeedRuntime},
	} {
		own, other := gardenerutils.ComputeGardenNamespace(seed.name), gardenerutils.ComputeGardenNamespace(seed.other)

		It("should confine the deployment of seed "+seed.name+" in its own cluster to the namespace garden, without a list of Secrets", func(ctx SpecContext) {
			expectAccess(ctx, seedDeployment(seed.cluster), []permission{
				{"list,watch,patch", "extensions.extensions.gardener.cloud", nsGarden, ""},
				{"get,create,update,delete", "secrets", nsGarden, constants.CredentialsSecretName},
				{"list,watch", "secrets", nsGarden, constants.CredentialsSecretName},
				{"create,list,watch", "managedresources.resources.gardener.cloud", nsGarden, ""},
				{"update,delete", "managedresources.resources.gardener.cloud", nsGarden, constants.SeedCollectorName},
				{"delete", "pods", nsGarden, constants.SeedCollectorName + "-collector-0"},
				// Broad, for the reasons that the chart gives. docs/security.md says what follows from that.
				{"get", "secrets", nsGarden, "any"},
			}, append(append([]permission{
				{"list,watch,deletecollection", "secrets", nsGarden, ""},
				{"delete,patch", "persistentvolumeclaims", nsGarden, "prometheus-db-prometheus-aggregate-0"},
				{"deletecollection", "persistentvolumeclaims", nsGarden, ""},
				{"get,list", "secrets", "", ""},
				{"get,list", "secrets", "kube-system", ""},
				{"get,list", "secrets", "shoot--foo--bar", ""},
				{"get,list,create,update", "secrets", gardener.NamespaceSeedExtension, ""},
				{"get,list", "secrets", gardener.NamespaceSeedIstioIngress, ""},
				{"get,list,update", "configmaps", nsGarden, ""},
				{"get,list,update", "configmaps", nsGarden, constants.IssuerConfigMapName},
				{"update,patch,delete", "managedresources.resources.gardener.cloud", nsGarden, "prometheus-aggregate"},
				{"create,list", "managedresources.resources.gardener.cloud", "shoot--foo--bar", ""},
				{"delete,patch", "pods", nsGarden, "prometheus-aggregate-0"},
				{"get,patch", "prometheuses.monitoring.coreos.com", nsGarden, ""},
				{"get,list", "gardens.operator.gardener.cloud", "", ""},
				{"list", "namespaces", "", ""},
				{"create,patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io", "", ""},
				{"list,get", "extensions.extensions.gardener.cloud", "shoot--foo--bar", ""},
			}, escalations...), runs...))
		})

		It("should let the deployment of seed "+seed.name+" read in the virtual garden only what is its own", func(ctx SpecContext) {
			expectAccess(ctx, seedDeploymentInVirtualGarden(seed.name), []permission{
				{"get,list,watch", "secrets", own, constants.CredentialsSecretName},
				{"create,get,update,patch", "leases.coordination.k8s.io", own, constants.LeaseName},
			}, append([]permission{
				{"get,list,watch,update,patch", "secrets", other, constants.CredentialsSecretName},
				{"get,list,watch,update,patch,delete", "secrets", other, ""},
				{"list,watch", "secrets", "", ""},
				{"update,patch", "secrets", own, constants.CredentialsSecretName},
				{"get,list,update", "secrets", nsGarden, ""},
				{"get,list,watch,create,update,patch,delete", "leases.coordination.k8s.io", other, constants.LeaseName},
				{"get,update,patch,delete", "seeds.core.gardener.cloud", "", seed.other},
				{"update,patch", "seeds.core.gardener.cloud/status", "", seed.other},
				{"create", "serviceaccounts/token", own, ""},
				{"create", "serviceaccounts/token", other, ""},
				{"get,update,patch", "serviceaccounts", other, ""},
			}, escalations...))
		})

		It("should refuse the live token of seed "+seed.name+" what belongs to the other seed", func(ctx SpecContext) {
			access := &corev1.Secret{}
			Expect(ls.Seed(seed.name).Get(ctx, client.ObjectKey{Namespace: gardener.NamespaceSeedExtension, Name: gardenerutils.SecretNamePrefixGardenAccess + "extension"}, access)).To(Succeed())
			c := tokenClient(cluster.NameVirtualGarden, access.Data["token"])

			Expect(c.Get(ctx, client.ObjectKey{Namespace: own, Name: constants.CredentialsSecretName}, &corev1.Secret{})).To(Succeed())
			Expect(c.Get(ctx, client.ObjectKey{Namespace: other, Name: constants.CredentialsSecretName}, &corev1.Secret{})).To(MatchError(apierrors.IsForbidden, "IsForbidden"))
			Expect(c.List(ctx, &corev1.SecretList{}, client.InNamespace(other))).To(MatchError(apierrors.IsForbidden, "IsForbidden"))
			Expect(c.List(ctx, &corev1.SecretList{})).To(MatchError(apierrors.IsForbidden, "IsForbidden"))

			// Gardener's SeedAuthorizer lets every seed delete Secrets that it does not know to belong to anybody (v1.150.0). That must do no harm.
			victim := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: other, Name: constants.CredentialsSecretName}}
			Expect(c.Delete(ctx, victim)).To(Succeed())
			Eventually(ctx, func(g Gomega) {
				g.Expect(ls.VirtualGarden().Get(ctx, client.ObjectKeyFromObject(victim), victim)).To(Succeed())
				g.Expect(victim.Data).To(HaveKey(constants.DataKeyToken))
			}).Should(Succeed(), "new credentials of the other seed")
			expectSamplesSince(ctx, time.Now().Add(ls.ScrapeInterval))

			// The authorizer allows to create Secrets, because gardenlet must be able to. The SeedRestriction says which.
			for _, namespace := range []string{own, other, nsGarden} {
				err := c.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "otel-federation-attack"}}, client.DryRunAll)
				Expect(err).To(MatchError(apierrors.IsForbidden, "IsForbidden"), "Secret in namespace %s", namespace)
			}
		})

		It("should let the collector of seed "+seed.name+" do nothing", func(ctx SpecContext) {
			expectNoAccess(ctx, seedCollector(seed.cluster))
		})

		It("should give the collector of seed "+seed.name+" no token but that of the seed", func(ctx SpecContext) {
			pods := selectedPods(ctx, seed.cluster, nsGarden, client.MatchingLabels{v1beta1constants.LabelApp: constants.SeedCollectorName})
			expectSecretsOf(pods, []string{constants.CredentialsSecretName})

			secret := &corev1.Secret{}
			Expect(ls.Seed(seed.name).Get(ctx, client.ObjectKey{Namespace: nsGarden, Name: constants.CredentialsSecretName}, secret)).To(Succeed())
			claims, _, err := credentials.Inspect(string(secret.Data[constants.DataKeyToken]))
			Expect(err).NotTo(HaveOccurred())
			Expect(claims.Seed).To(Equal(seed.name))
		})
	}

	It("should let the fan-out do nothing", func(ctx SpecContext) {
		expectNoAccess(ctx, fanOut)
	})

	It("should give the fan-out nothing that could mint a token", func(ctx SpecContext) {
		pods := selectedPods(ctx, cluster.NameRuntime, nsGarden, client.MatchingLabels{v1beta1constants.LabelApp: constants.GardenCollectorName})
		expectSecretsOf(pods, nil)

		for _, pod := range pods {
			for _, volume := range pod.Spec.Volumes {
				if volume.ConfigMap == nil {
					continue
				}
				configMap := &corev1.ConfigMap{}
				Expect(ls.Runtime().Get(ctx, client.ObjectKey{Namespace: nsGarden, Name: volume.ConfigMap.Name}, configMap)).To(Succeed())
				for key, data := range configMap.Data {
					Expect(strings.Contains(data, "PRIVATE KEY")).To(BeFalse(), "private key in %s of ConfigMap %s", key, configMap.Name)
					expectPublicKeysOnly(key, data)
				}
			}
		}
	})

	It("should confine the deployment in the runtime cluster to the namespace garden and its own", func(ctx SpecContext) {
		expectAccess(ctx, runtimeDeployment, []permission{
			{"get,list,watch,create,update,patch,delete", "secrets", nsGarden, ""},
			{"create,get,list,watch", "managedresources.resources.gardener.cloud", nsGarden, ""},
			{"update,delete", "managedresources.resources.gardener.cloud", nsGarden, constants.GardenCollectorName},
			{"get,patch", "prometheuses.monitoring.coreos.com", nsGarden, constants.GardenPrometheusName},
			{"get,patch", "pods", nsGarden, "prometheus-garden-0"},
			{"get,patch", "scrapeconfigs.monitoring.coreos.com", nsGarden, constants.PullScrapeConfigName},
			{"list,watch", "gardens.operator.gardener.cloud", "", ""},
			{"create", "mutatingwebhookconfigurations.admissionregistration.k8s.io", "", ""},
			{"get,patch", "mutatingwebhookconfigurations.admissionregistration.k8s.io", "", gardener.GardenExtensionDeployment},
		}, append(append([]permission{
			{"get,list", "secrets", "", ""},
			{"get,list", "secrets", "kube-system", ""},
			{"get,list", "secrets", "shoot--foo--bar", ""},
			{"get,list", "secrets", gardener.NamespaceSeedExtension, ""},
			{"get,list", "secrets", gardener.NamespaceGardenIstioIngress, ""},
			{"get,list,update", "configmaps", nsGarden, ""},
			{"update,delete", "managedresources.resources.gardener.cloud", nsGarden, "prometheus-garden"},
			{"patch,update,delete", "managedresources.resources.gardener.cloud", nsGarden, "garden-system"},
			{"patch,delete", "pods", nsGarden, "etcd-main-0"},
			{"delete", "pods", nsGarden, "prometheus-garden-0"},
			{"update,delete", "prometheuses.monitoring.coreos.com", nsGarden, constants.GardenPrometheusName},
			{"get,patch,delete", "prometheuses.monitoring.coreos.com", nsGarden, "longterm"},
			{"patch,delete", "prometheusrules.monitoring.coreos.com", nsGarden, "garden"},
			{"patch,delete", "scrapeconfigs.monitoring.coreos.com", nsGarden, "garden-other"},
			{"update,patch,delete", "gardens.operator.gardener.cloud", "", ""},
			{"get,patch,delete", "mutatingwebhookconfigurations.admissionregistration.k8s.io", "", "gardener-resource-manager"},
			{"list", "namespaces", "", ""},
		}, escalations...), runs...))
	})

	It("should let the deployment in the runtime cluster write nothing in the virtual garden but credentials", func(ctx SpecContext) {
		namespace := gardenerutils.ComputeGardenNamespace(secondSeed)
		expectAccess(ctx, runtimeDeploymentInVirtualGarden, []permission{
			{"list,watch", "seeds.core.gardener.cloud", "", ""},
			{"get", "namespaces", "", namespace},
			{"create", "secrets", namespace, ""},
			{"list,watch,update,delete", "secrets", namespace, constants.CredentialsSecretName},
			{"list,watch,patch", "leases.coordination.k8s.io", namespace, constants.LeaseName},
		}, append([]permission{
			{"get", "secrets", "", ""},
			{"get,list,watch,update,patch,delete", "secrets", namespace, ""},
			{"get,list,update,delete", "secrets", namespace, "other"},
			{"get,list,update,delete", "secrets", nsGarden, ""},
			{"update,patch,delete", "leases.coordination.k8s.io", "gardener-system-seed-lease", secondSeed},
			{"create", "leases.coordination.k8s.io", namespace, ""},
			{"create,update,patch,delete", "seeds.core.gardener.cloud", "", secondSeed},
			{"get,list", "shoots.core.gardener.cloud", "", ""},
			{"get,list", "projects.core.gardener.cloud", "", ""},
			{"list", "namespaces", "", ""},
			{"create,delete,patch", "namespaces", "", namespace},
			{"get,list,create", "configmaps", namespace, ""},
			{"get,list", "internalsecrets.core.gardener.cloud", "", ""},
			{"create,update,patch", "controllerdeployments.core.gardener.cloud", "", ""},
		}, escalations...))
	})
})

// expectNoAccess checks that a ServiceAccount may do nothing that one to which nothing is bound may not.
func expectNoAccess(ctx context.Context, s subject) {
	nobody := subject{s.cluster, s.namespace, "nobody"}
	for _, namespace := range []string{nsGarden, "kube-system", gardener.NamespaceSeedExtension, "default"} {
		may, anybody := rulesOf(ctx, s, namespace), rulesOf(ctx, nobody, namespace)
		ExpectWithOffset(1, may.ResourceRules).To(ConsistOf(anybody.ResourceRules), "%s in namespace %s", s, namespace)
		ExpectWithOffset(1, may.NonResourceRules).To(ConsistOf(anybody.NonResourceRules), "%s in namespace %s", s, namespace)
	}
	expectAccess(ctx, s, nil, append(append([]permission{
		{"get,list,watch,create,update,delete", "secrets", nsGarden, ""},
		{"get", "secrets", nsGarden, constants.CredentialsSecretName},
		{"get,list", "configmaps", nsGarden, ""},
		{"get,list", "pods", nsGarden, ""},
		{"get,list", "services", nsGarden, ""},
	}, escalations...), runs...))
}

func rulesOf(ctx context.Context, s subject, namespace string) authorizationv1.SubjectRulesReviewStatus {
	review := &authorizationv1.SelfSubjectRulesReview{Spec: authorizationv1.SelfSubjectRulesReviewSpec{Namespace: namespace}}
	ExpectWithOffset(2, impersonate(s).Create(ctx, review)).To(Succeed())
	ExpectWithOffset(2, review.Status.Incomplete).To(BeFalse())
	return review.Status
}

func selectedPods(ctx context.Context, clusterName, namespace string, selector client.MatchingLabels) []corev1.Pod {
	pods := &corev1.PodList{}
	ExpectWithOffset(1, ls.Client(clusterName).List(ctx, pods, client.InNamespace(namespace), selector)).To(Succeed())
	ExpectWithOffset(1, pods.Items).NotTo(BeEmpty(), "pods of %v in namespace %s of cluster %s", selector, namespace, clusterName)
	return pods.Items
}

// expectSecretsOf checks that all that is secret in the pods are the given Secrets, as volumes: no other Secret, no token of the API server,
// and nothing in the environment, where it would be inherited and shown.
func expectSecretsOf(pods []corev1.Pod, names []string) {
	for _, pod := range pods {
		var found []string
		for _, volume := range pod.Spec.Volumes {
			ExpectWithOffset(1, volume.HostPath).To(BeNil(), "volume %s of pod %s", volume.Name, pod.Name)
			if volume.Secret != nil {
				found = append(found, volume.Secret.SecretName)
			}
			if volume.Projected != nil {
				for _, source := range volume.Projected.Sources {
					ExpectWithOffset(1, source.ServiceAccountToken).To(BeNil(), "a token of the ServiceAccount is mounted into pod %s", pod.Name)
					ExpectWithOffset(1, source.Secret).To(BeNil(), "volume %s of pod %s", volume.Name, pod.Name)
				}
			}
		}
		ExpectWithOffset(1, found).To(ConsistOf(names), "Secrets in pod %s", pod.Name)

		for _, container := range append(append([]corev1.Container{}, pod.Spec.InitContainers...), pod.Spec.Containers...) {
			ExpectWithOffset(1, container.EnvFrom).To(BeEmpty(), "container %s of pod %s", container.Name, pod.Name)
			for _, variable := range container.Env {
				ExpectWithOffset(1, variable.ValueFrom == nil || variable.ValueFrom.SecretKeyRef == nil).To(BeTrue(), "environment variable %s of pod %s", variable.Name, pod.Name)
			}
		}
	}
}

// expectPublicKeysOnly checks that a key set, if it is one, has no private members.
func expectPublicKeysOnly(key, data string) {
	set := struct {
		Keys []map[string]any `json:"keys"`
	}{}
	if json.Unmarshal([]byte(data), &set) != nil {
		return
	}
	for _, jwk := range set.Keys {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			ExpectWithOffset(1, jwk).NotTo(HaveKey(private), "key set %s", key)
		}
	}
}
