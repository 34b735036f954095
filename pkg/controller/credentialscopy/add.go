// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package credentialscopy copies the credentials of a seed from the virtual garden to the seed, where its collector mounts
// them. It is a controller of its own so that a renewal of the token does not show up as a reconciliation of the Extension.
package credentialscopy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
)

// ControllerName is the name of the controller.
const ControllerName = "credentials-copy"

// DefaultAddOptions are the default AddOptions for AddToManager.
var DefaultAddOptions = AddOptions{}

// AddOptions are options to apply when adding the controller to the manager.
type AddOptions struct {
	// Controller are the options of the controller.
	Controller controller.Options
	// GardenCluster is the virtual garden. Its cache should be created with the options that GardenCacheOptions returns.
	GardenCluster cluster.Cluster
	// SeedName is the name of the seed.
	SeedName string
	// ExtensionClasses are the configured extension classes for this extension deployment.
	ExtensionClasses []extensionsv1alpha1.ExtensionClass
}

// GardenCacheOptions returns the options for the cache of the virtual garden: it holds nothing from outside the namespace of
// the seed, where alone the seed has permissions, and of the Secrets only the one with the credentials, of the Leases only that
// of this extension.
func GardenCacheOptions(seedName string) cache.Options {
	namespace := gardenerutils.ComputeGardenNamespace(seedName)
	named := func(name string) cache.ByObject {
		return cache.ByObject{Namespaces: map[string]cache.Config{namespace: {
			FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, name),
		}}}
	}
	return cache.Options{
		DefaultNamespaces: map[string]cache.Config{namespace: {}},
		DefaultTransform:  cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:        named(constants.CredentialsSecretName),
			&coordinationv1.Lease{}: named(constants.LeaseName),
		},
	}
}

// AddToManager adds the controller with the default options to the manager.
func AddToManager(ctx context.Context, mgr manager.Manager) error {
	return AddToManagerWithOptions(ctx, mgr, DefaultAddOptions)
}

// AddToManagerWithOptions adds the controller with the given options to the manager.
func AddToManagerWithOptions(_ context.Context, mgr manager.Manager, opts AddOptions) error {
	if !slices.Contains(opts.ExtensionClasses, extensionsv1alpha1.ExtensionClassSeed) {
		return fmt.Errorf("the %s controller works only for the extension class %q, but the classes are %q: disable it or set --extension-classes=%s",
			ControllerName, extensionsv1alpha1.ExtensionClassSeed, opts.ExtensionClasses, extensionsv1alpha1.ExtensionClassSeed)
	}
	if opts.GardenCluster == nil || opts.SeedName == "" {
		return errors.New("the " + ControllerName + " controller needs access to the garden and the name of the seed: " +
			"set injectGardenKubeconfig in the deployment of the extension, so that GARDEN_KUBECONFIG and SEED_NAME are in its environment")
	}

	var (
		origin  = types.NamespacedName{Namespace: gardenerutils.ComputeGardenNamespace(opts.SeedName), Name: constants.CredentialsSecretName}
		target  = types.NamespacedName{Namespace: v1beta1constants.GardenNamespace, Name: constants.CredentialsSecretName}
		request = []reconcile.Request{{NamespacedName: target}}
	)

	opts.Controller.MaxConcurrentReconciles = 1
	// The process would end with this controller, and others do not need the virtual garden: this one waits until it can be reached.
	opts.Controller.CacheSyncTimeout = 365 * 24 * time.Hour
	opts.Controller.Reconciler = &Reconciler{
		GardenReader: opts.GardenCluster.GetClient(),
		SeedClient:   mgr.GetClient(),
		SeedReader:   mgr.GetAPIReader(),
		Source:       origin,
		Target:       target,
	}
	c, err := controller.New(ControllerName, mgr, opts.Controller)
	if err != nil {
		return fmt.Errorf("failed to create the %s controller: %w", ControllerName, err)
	}

	for _, src := range []source.Source{
		source.Kind(opts.GardenCluster.GetCache(), &corev1.Secret{},
			handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, *corev1.Secret) []reconcile.Request { return request }),
			predicate.NewTypedPredicateFuncs(func(secret *corev1.Secret) bool { return client.ObjectKeyFromObject(secret) == origin })),
		source.Kind(mgr.GetCache(), &extensionsv1alpha1.Extension{},
			handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, *extensionsv1alpha1.Extension) []reconcile.Request { return request }),
			predicate.NewTypedPredicateFuncs(func(extension *extensionsv1alpha1.Extension) bool {
				return mapper.Matches(extension, extensionsv1alpha1.ExtensionClassSeed)
			}), predicate.TypedGenerationChangedPredicate[*extensionsv1alpha1.Extension]{}),
	} {
		if err := c.Watch(src); err != nil {
			return fmt.Errorf("failed to add a watch to the %s controller: %w", ControllerName, err)
		}
	}
	return nil
}
