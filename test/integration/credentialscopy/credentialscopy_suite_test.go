// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentialscopy_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gardencluster "sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentialscopy"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

func TestCredentialsCopy(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(10 * time.Second)
	SetDefaultConsistentlyDuration(2 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Test Integration Credentials Copy Suite")
}

const (
	seedName      = "seed-1"
	seedNamespace = "seed-seed-1"
	userName      = "extension"
)

var seedCluster, virtualGarden *framework.Cluster

var _ = BeforeSuite(func(ctx context.Context) {
	seedCluster = framework.StartCluster(framework.SeedCRDs...)
	virtualGarden = framework.StartCluster()
	createUser(ctx)

	framework.StartManager(seedCluster, func(ctx context.Context, mgr manager.Manager) error {
		garden, err := gardencluster.New(virtualGarden.ConfigFor(userName), func(o *gardencluster.Options) {
			o.Scheme = kubernetes.GardenScheme
			o.Cache = credentialscopy.GardenCacheOptions(seedName)
		})
		if err != nil {
			return err
		}
		if err := mgr.Add(garden); err != nil {
			return err
		}
		return credentialscopy.AddToManagerWithOptions(ctx, mgr, credentialscopy.AddOptions{
			Controller:       framework.ControllerOptions(),
			GardenCluster:    garden,
			SeedName:         seedName,
			ExtensionClasses: []extensionsv1alpha1.ExtensionClass{extensionsv1alpha1.ExtensionClassSeed},
		})
	})
}, NodeTimeout(2*time.Minute))

// createUser creates a user that may do nothing in the virtual garden but read the one Secret.
func createUser(ctx context.Context) {
	GinkgoHelper()
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: seedNamespace}},
		&rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: seedNamespace, Name: userName},
			Rules: []rbacv1.PolicyRule{{
				APIGroups:     []string{corev1.GroupName},
				Resources:     []string{"secrets"},
				ResourceNames: []string{constants.CredentialsSecretName},
				Verbs:         []string{"get", "list", "watch"},
			}},
		},
		&rbacv1.RoleBinding{
			ObjectMeta: metav1.ObjectMeta{Namespace: seedNamespace, Name: userName},
			RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: userName},
			Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: userName}},
		},
	} {
		Expect(virtualGarden.Client.Create(ctx, object)).To(Succeed())
	}
}
