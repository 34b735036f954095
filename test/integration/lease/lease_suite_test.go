// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package lease_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	gardencluster "sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentialscopy"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/lease"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

func TestLease(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(10 * time.Second)
	SetDefaultConsistentlyDuration(2 * time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Test Integration Lease Suite")
}

const (
	seedName      = "seed-1"
	seedNamespace = "seed-seed-1"
	userName      = "extension"

	// renewInterval is longer than Consistently looks.
	renewInterval = 4 * time.Second
)

var seedCluster, virtualGarden *framework.Cluster

var _ = BeforeSuite(func(ctx context.Context) {
	lease.RenewInterval = renewInterval
	seedCluster = framework.StartCluster(framework.SeedCRDs...)
	virtualGarden = framework.StartCluster()
	createUser(ctx)
	startManager()
}, NodeTimeout(2*time.Minute))

// startManager runs the controller until the suite or the test ends.
func startManager() {
	GinkgoHelper()
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
		return lease.AddToManagerWithOptions(ctx, mgr, lease.AddOptions{
			Controller:       framework.ControllerOptions(),
			GardenCluster:    garden,
			SeedName:         seedName,
			ExtensionClasses: []extensionsv1alpha1.ExtensionClass{extensionsv1alpha1.ExtensionClassSeed},
		})
	})
}

// createUser creates a user that may do nothing in the virtual garden but create Leases and handle the one. Gardener's
// SeedAuthorizer allows all Leases of that namespace.
func createUser(ctx context.Context) {
	GinkgoHelper()
	for _, object := range []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: seedNamespace}},
		&rbacv1.Role{
			ObjectMeta: metav1.ObjectMeta{Namespace: seedNamespace, Name: userName},
			Rules: []rbacv1.PolicyRule{
				{
					APIGroups: []string{coordinationv1.GroupName},
					Resources: []string{"leases"},
					Verbs:     []string{"create"},
				},
				{
					APIGroups:     []string{coordinationv1.GroupName},
					Resources:     []string{"leases"},
					ResourceNames: []string{"otel-federation"},
					Verbs:         []string{"get", "list", "watch", "update", "delete"},
				},
			},
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
