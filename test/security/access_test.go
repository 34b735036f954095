// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// subject is a ServiceAccount of a cluster, as whoever has stolen its token.
type subject struct {
	cluster, namespace, name string
}

func (s subject) String() string {
	return fmt.Sprintf("ServiceAccount %s/%s in cluster %s", s.namespace, s.name, s.cluster)
}

func (s subject) user() string { return "system:serviceaccount:" + s.namespace + ":" + s.name }

func (s subject) groups() []string {
	return []string{"system:serviceaccounts", "system:serviceaccounts:" + s.namespace, "system:authenticated"}
}

// The identities of the parts of the extension.
func seedDeployment(clusterName string) subject {
	return subject{clusterName, gardener.NamespaceSeedExtension, gardener.SeedExtensionDeployment}
}

func seedDeploymentInVirtualGarden(seed string) subject {
	return subject{cluster.NameVirtualGarden, gardenerutils.ComputeGardenNamespace(seed), v1beta1constants.ExtensionGardenServiceAccountPrefix + constants.ExtensionType}
}

func seedCollector(clusterName string) subject {
	return subject{clusterName, nsGarden, constants.SeedCollectorName}
}

var (
	fanOut                           = subject{cluster.NameRuntime, nsGarden, constants.GardenCollectorName}
	runtimeDeployment                = subject{cluster.NameRuntime, gardener.NamespaceRuntimeExtension, gardener.GardenExtensionDeployment}
	runtimeDeploymentInVirtualGarden = subject{cluster.NameVirtualGarden, "kube-system", constants.GardenAccessName}
)

// permission is what an API server is asked to allow, as `kubectl auth can-i` takes it. The resource is `resource.group/subresource`; an empty
// namespace stands for all namespaces, an empty name for all names.
type permission struct {
	verbs, resource, namespace, name string
}

func (r permission) attributes(verb string) *authorizationv1.ResourceAttributes {
	attributes := &authorizationv1.ResourceAttributes{Verb: verb, Namespace: r.namespace, Name: r.name}
	attributes.Resource, attributes.Subresource, _ = strings.Cut(r.resource, "/")
	attributes.Resource, attributes.Group, _ = strings.Cut(attributes.Resource, ".")
	return attributes
}

// may asks the real authorizers of the API server, the SeedAuthorizer among them.
func (s subject) may(ctx context.Context, attributes *authorizationv1.ResourceAttributes) bool {
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{User: s.user(), Groups: s.groups(), ResourceAttributes: attributes}}
	ExpectWithOffset(2, ls.Client(s.cluster).Create(ctx, review)).To(Succeed())
	ExpectWithOffset(2, review.Status.EvaluationError).To(BeEmpty())
	return review.Status.Allowed
}

// expectAccess checks in both directions what a subject may do.
func expectAccess(ctx context.Context, s subject, may, mayNot []permission) {
	var missing, superfluous []string
	for _, r := range may {
		for verb := range strings.SplitSeq(r.verbs, ",") {
			if !s.may(ctx, r.attributes(verb)) {
				missing = append(missing, fmt.Sprintf("%s %s in namespace %q, name %q", verb, r.resource, r.namespace, r.name))
			}
		}
	}
	for _, r := range mayNot {
		for verb := range strings.SplitSeq(r.verbs, ",") {
			if s.may(ctx, r.attributes(verb)) {
				superfluous = append(superfluous, fmt.Sprintf("%s %s in namespace %q, name %q", verb, r.resource, r.namespace, r.name))
			}
		}
	}
	ExpectWithOffset(1, missing).To(BeEmpty(), "%s must be allowed to", s)
	ExpectWithOffset(1, superfluous).To(BeEmpty(), "%s must not be allowed to", s)
}

// adminConfig returns the administrator's configuration for a cluster.
func adminConfig(clusterName string) *rest.Config {
	state, err := ls.Cluster(clusterName)
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	config, err := clientcmd.BuildConfigFromFlags("", state.Kubeconfig)
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	config.QPS, config.Burst = 100, 200
	return config
}

// impersonate returns a client that acts as the subject.
func impersonate(s subject) client.Client {
	config := adminConfig(s.cluster)
	config.Impersonate = rest.ImpersonationConfig{UserName: s.user(), Groups: s.groups()}
	c, err := client.New(config, client.Options{Scheme: ls.Client(s.cluster).Scheme()})
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return c
}

// tokenClient returns a client that knows nothing but a token.
func tokenClient(clusterName string, token []byte) client.Client {
	config := rest.AnonymousClientConfig(adminConfig(clusterName))
	config.BearerToken = string(token)
	c, err := client.New(config, client.Options{Scheme: ls.Client(clusterName).Scheme()})
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	return c
}

// createForSpec creates an object that is deleted after the spec.
func createForSpec(ctx context.Context, c client.Client, object client.Object) {
	ExpectWithOffset(1, c.Create(ctx, object)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) {
		Expect(client.IgnoreNotFound(c.Delete(ctx, object))).To(Succeed())
	})
}
