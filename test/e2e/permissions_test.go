// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	rbacv1 "k8s.io/api/rbac/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// unusedPermissions are what the extension may do but need not do in these tests, with the reason why it may. Everything else that
// it may do it must have done, so that no permission stays which nobody needs.
var unusedPermissions = map[string]string{
	virtualGardenRole + ": list leases otel-federation":    reasonStreaming,
	virtualGardenRole + ": list seeds":                     reasonStreaming,
	virtualGardenRole + ": update secrets otel-federation": "tokens are renewed later than these tests end",

	runtimeRole + ": list configmaps otel-federation-issuer":                          reasonStreaming,
	runtimeRole + ": list extensions":                                                 reasonStreaming,
	runtimeRole + ": list managedresources":                                           reasonStreaming,
	runtimeRole + ": patch persistentvolumeclaims otel-federation-garden-0-queue,...": reasonLargerQueue,
	runtimeRole + ": delete pods otel-federation-garden-0-collector-0,...":            reasonCrashLoop,
	runtimeRole + ": update configmaps otel-federation-issuer":                        "a change of how credentials are issued",
	runtimeRole + ": update managedresources otel-federation-garden,...":              "a change of what the fan-out is made of, which only the longer tests make",
	runtimeRole + ": update secrets":                                                  "a Secret of a ManagedResource that somebody has changed",
	runtimeRole + ": patch events":                                                    reasonRepeatedEvent,
	runtimeReleaseRole + ": delete secrets":                                           "certificates of the webhook are replaced later than these tests end",
	runtimeReleaseRole + ": patch events":                                             reasonRepeatedEvent,

	seedRole + ": list extensions":                                         reasonStreaming,
	seedRole + ": list managedresources":                                   reasonStreaming,
	seedRole + ": list secrets otel-federation":                            reasonStreaming,
	seedRole + ": patch persistentvolumeclaims otel-federation-seed-queue": reasonLargerQueue,
	seedRole + ": delete pods otel-federation-seed-collector-0":            reasonCrashLoop,
	seedRole + ": patch events":                                            reasonRepeatedEvent,
	seedRole + ": update secrets":                                          "a renewed token, and a Secret of a ManagedResource that somebody has changed",
	seedReleaseRole + ": patch events":                                     reasonRepeatedEvent,
}

const (
	virtualGardenRole  = "ClusterRole extensions.gardener.cloud:otel-federation:credentials"
	runtimeRole        = "Role garden/" + gardener.GardenExtensionDeployment
	runtimeReleaseRole = "Role " + gardener.NamespaceRuntimeExtension + "/" + gardener.GardenExtensionDeployment
	seedRole           = "Role garden/" + gardener.SeedExtensionDeployment
	seedReleaseRole    = "Role " + gardener.NamespaceSeedExtension + "/" + gardener.SeedExtensionDeployment

	reasonStreaming     = "informers list where the API server cannot stream the first list into a watch"
	reasonLargerQueue   = "a claim grows with the configured size of the queue"
	reasonCrashLoop     = "the pod of a collector that crashes again and again is replaced, which only the tests of faults let happen"
	reasonRepeatedEvent = "an event that repeats"
)

// identity is a ServiceAccount of the extension.
type identity struct {
	cluster, namespace, name string
}

func (i identity) user() string { return "system:serviceaccount:" + i.namespace + ":" + i.name }

// identities are those whose permissions RBAC gives. The ones of the seeds in the virtual garden have theirs by the SeedAuthorizer.
func identities() []identity {
	all := []identity{
		{cluster.NameRuntime, gardener.NamespaceRuntimeExtension, gardener.GardenExtensionDeployment},
		{cluster.NameVirtualGarden, "kube-system", constants.GardenAccessName},
	}
	for _, c := range ls.Seeds() {
		all = append(all, identity{c.Name, gardener.NamespaceSeedExtension, gardener.SeedExtensionDeployment})
	}
	return all
}

// labelFilter is that of `make test-e2e`.
const labelFilter = "!long"

// Only a whole run that has succeeded says which permissions are needed.
var _ = ReportAfterSuite("permissions", func(ctx SpecContext, report Report) {
	if !report.SuiteSucceeded || len(report.SuiteConfig.FocusStrings) > 0 || len(report.SuiteConfig.SkipStrings) > 0 || report.SuiteConfig.LabelFilter != labelFilter {
		return
	}

	var (
		unused  = map[string]bool{}
		refused []string
	)
	for _, id := range identities() {
		requests := auditedRequests(id)
		Expect(requests).NotTo(BeEmpty(), "requests of %s in cluster %s", id.user(), id.cluster)
		for _, request := range requests {
			if request.Annotations["authorization.k8s.io/decision"] == "forbid" {
				refused = append(refused, fmt.Sprintf("%s in cluster %s: %s %s", id.user(), id.cluster, request.Verb, request.RequestURI))
			}
		}
		for _, granted := range permissionsOf(ctx, id) {
			used := slices.ContainsFunc(requests, granted.allows)
			// What one seed has not needed another may have.
			if before, ok := unused[granted.String()]; !ok || before {
				unused[granted.String()] = !used
			}
		}
	}
	Expect(refused).To(BeEmpty(), "requests that were refused: the chart gives too few permissions")

	for name := range unusedPermissions {
		Expect(unused).To(HaveKey(name), "a permission that does not exist any more is explained in unusedPermissions")
	}
	// One that is explained may have been used nevertheless, for example because a watch had to begin anew.
	maps.DeleteFunc(unused, func(name string, isUnused bool) bool { return !isUnused || unusedPermissions[name] != "" })
	Expect(slices.Sorted(maps.Keys(unused))).To(BeEmpty(), "permissions that were not used: the chart gives too many, or unusedPermissions must say why")
})

// auditedRequest is what is needed of an event in the audit log of an API server.
type auditedRequest struct {
	Verb       string `json:"verb"`
	RequestURI string `json:"requestURI"`
	User       struct {
		Username string `json:"username"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
		APIGroup    string `json:"apiGroup"`
	} `json:"objectRef"`
	Annotations map[string]string `json:"annotations"`
}

func auditedRequests(id identity) []auditedRequest {
	GinkgoHelper()
	c, err := ls.Cluster(id.cluster)
	Expect(err).NotTo(HaveOccurred())
	file, err := os.Open(filepath.Join(filepath.Dir(c.Kubeconfig), cluster.AuditLogName))
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = file.Close() }()

	var requests []auditedRequest
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1024*1024)
	for scanner.Scan() {
		request := auditedRequest{}
		Expect(json.Unmarshal(scanner.Bytes(), &request)).To(Succeed())
		if request.User.Username == id.user() {
			requests = append(requests, request)
		}
	}
	Expect(scanner.Err()).NotTo(HaveOccurred())
	return requests
}

// permission is a verb of a rule, in a namespace if that is not empty.
type permission struct {
	role, namespace, verb string
	rule                  rbacv1.PolicyRule
}

func (p permission) String() string {
	text := fmt.Sprintf("%s: %s %s", p.role, p.verb, strings.Join(p.rule.Resources, ","))
	if len(p.rule.ResourceNames) > 0 {
		text += " " + p.rule.ResourceNames[0]
	}
	if len(p.rule.ResourceNames) > 1 {
		text += ",..."
	}
	return text
}

func (p permission) allows(request auditedRequest) bool {
	resource := request.ObjectRef.Resource
	if request.ObjectRef.Subresource != "" {
		resource += "/" + request.ObjectRef.Subresource
	}
	return request.Verb == p.verb &&
		slices.Contains(p.rule.APIGroups, request.ObjectRef.APIGroup) &&
		slices.Contains(p.rule.Resources, resource) &&
		(p.namespace == "" || p.namespace == request.ObjectRef.Namespace) &&
		(len(p.rule.ResourceNames) == 0 || slices.Contains(p.rule.ResourceNames, request.ObjectRef.Name))
}

// permissionsOf returns the permissions that are bound to an identity.
func permissionsOf(ctx context.Context, id identity) []permission {
	GinkgoHelper()
	var (
		c           = ls.Client(id.cluster)
		permissions []permission
		add         = func(role, namespace string, rules []rbacv1.PolicyRule) {
			for _, rule := range rules {
				for _, verb := range rule.Verbs {
					permissions = append(permissions, permission{role: role, namespace: namespace, verb: verb, rule: rule})
				}
			}
		}
		isBound = func(subjects []rbacv1.Subject) bool {
			return slices.ContainsFunc(subjects, func(subject rbacv1.Subject) bool {
				return subject.Kind == rbacv1.ServiceAccountKind && subject.Namespace == id.namespace && subject.Name == id.name
			})
		}
	)

	roleBindings := &rbacv1.RoleBindingList{}
	Expect(c.List(ctx, roleBindings)).To(Succeed())
	for _, binding := range roleBindings.Items {
		if isBound(binding.Subjects) {
			role := &rbacv1.Role{}
			Expect(c.Get(ctx, client.ObjectKey{Namespace: binding.Namespace, Name: binding.RoleRef.Name}, role)).To(Succeed())
			add("Role "+binding.Namespace+"/"+role.Name, binding.Namespace, role.Rules)
		}
	}
	clusterRoleBindings := &rbacv1.ClusterRoleBindingList{}
	Expect(c.List(ctx, clusterRoleBindings)).To(Succeed())
	for _, binding := range clusterRoleBindings.Items {
		if isBound(binding.Subjects) {
			role := &rbacv1.ClusterRole{}
			Expect(c.Get(ctx, client.ObjectKey{Name: binding.RoleRef.Name}, role)).To(Succeed())
			add("ClusterRole "+role.Name, "", role.Rules)
		}
	}
	Expect(permissions).NotTo(BeEmpty(), "permissions of %s in cluster %s", id.user(), id.cluster)
	return permissions
}
