// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

// clusterRoleName is the name of the ClusterRole and ClusterRoleBinding in the virtual garden.
const clusterRoleName = "extensions.gardener.cloud:" + constants.ExtensionType + ":credentials"

// VirtualGardenObjects returns the objects in the virtual garden that give the ServiceAccount of the access Secret the
// permissions that this controller and the hand-over need, and the ServiceAccount itself: gardener-resource-manager creates it for the access
// Secret, but does not delete it with it.
func VirtualGardenObjects() []client.Object {
	// A request may list and watch with a resource name if it selects that name by a field selector. Only `create` cannot be
	// limited, as the name is not known when the request is authorized.
	var (
		secrets = []string{constants.CredentialsSecretName}
		leases  = []string{constants.LeaseName}
	)

	return []client.Object{
		&corev1.ServiceAccount{
			ObjectMeta:                   metav1.ObjectMeta{Namespace: metav1.NamespaceSystem, Name: constants.GardenAccessName, Labels: credentials.ObjectLabels()},
			AutomountServiceAccountToken: new(false),
		},
		&rbacv1.ClusterRole{
			ObjectMeta: metav1.ObjectMeta{Name: clusterRoleName, Labels: credentials.ObjectLabels()},
			Rules: []rbacv1.PolicyRule{
				{APIGroups: []string{gardencorev1beta1.GroupName}, Resources: []string{"seeds"}, Verbs: []string{"list", "watch"}},
				{APIGroups: []string{corev1.GroupName}, Resources: []string{"namespaces"}, Verbs: []string{"get"}},
				{APIGroups: []string{corev1.GroupName}, Resources: []string{"secrets"}, Verbs: []string{"create"}},
				{APIGroups: []string{corev1.GroupName}, Resources: []string{"secrets"}, ResourceNames: secrets, Verbs: []string{"list", "watch", "update", "delete"}},
				{APIGroups: []string{coordinationv1.GroupName}, Resources: []string{"leases"}, ResourceNames: leases, Verbs: []string{"list", "watch", "patch"}},
			},
		},
		&rbacv1.ClusterRoleBinding{
			ObjectMeta: metav1.ObjectMeta{Name: clusterRoleName, Labels: credentials.ObjectLabels()},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: clusterRoleName},
			Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: metav1.NamespaceSystem, Name: constants.GardenAccessName}},
		},
	}
}
