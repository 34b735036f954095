// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package lease keeps the Lease in the virtual garden by which the extension in a seed tells the garden that it is there, and
// that it wants to stop pushing. It is a controller of its own because it must tell so while the Extension's controller waits
// for the answer.
package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

// ControllerName is the name of the controller.
const ControllerName = "lease"

// DefaultAddOptions are the default AddOptions for AddToManager.
var DefaultAddOptions = AddOptions{}

// AddOptions are options to apply when adding the controller to the manager.
type AddOptions struct {
	// Controller are the options of the controller.
	Controller controller.Options
	// GardenCluster is the virtual garden. Its cache should be created with the options that
	// credentialscopy.GardenCacheOptions returns.
	GardenCluster cluster.Cluster
	// SeedName is the name of the seed.
	SeedName string
	// ExtensionClasses are the configured extension classes for this extension deployment.
	ExtensionClasses []extensionsv1alpha1.ExtensionClass
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
		key     = types.NamespacedName{Namespace: gardenerutils.ComputeGardenNamespace(opts.SeedName), Name: constants.LeaseName}
		request = []reconcile.Request{{NamespacedName: key}}
	)

	opts.Controller.MaxConcurrentReconciles = 1
	// The process would end with this controller, and others do not need the virtual garden: this one waits until it can be reached.
	opts.Controller.CacheSyncTimeout = 365 * 24 * time.Hour
	if opts.Controller.RateLimiter == nil {
		// The default's longest delay, a quarter of an hour, is longer than a seed that leaves waits for its answer.
		opts.Controller.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](100*time.Millisecond, RenewInterval)
	}
	opts.Controller.Reconciler = &Reconciler{
		GardenClient: opts.GardenCluster.GetClient(),
		GardenReader: opts.GardenCluster.GetAPIReader(),
		SeedReader:   mgr.GetClient(),
		Workloads:    mgr.GetAPIReader(),
		Clock:        clock.RealClock{},
		Lease:        key,
	}
	c, err := controller.New(ControllerName, mgr, opts.Controller)
	if err != nil {
		return fmt.Errorf("failed to create the %s controller: %w", ControllerName, err)
	}

	for _, src := range []source.Source{
		source.Kind(opts.GardenCluster.GetCache(), &coordinationv1.Lease{},
			handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, *coordinationv1.Lease) []reconcile.Request { return request }),
			predicate.NewTypedPredicateFuncs(func(lease *coordinationv1.Lease) bool { return client.ObjectKeyFromObject(lease) == key }), ChangePredicate()),
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

// ChangePredicate admits of the updates of the Lease only those of what the seed and the garden say with it, and of whose it is.
// Renewals would make the controller run in circles. That the Lease is there is admitted, because after a restart it may be
// what is left of an Extension that is gone.
func ChangePredicate() predicate.TypedPredicate[*coordinationv1.Lease] {
	return predicate.TypedFuncs[*coordinationv1.Lease]{
		UpdateFunc: func(e event.TypedUpdateEvent[*coordinationv1.Lease]) bool {
			for _, key := range []string{constants.AnnotationLeavingSince, constants.AnnotationPulledSince} {
				if e.ObjectOld.Annotations[key] != e.ObjectNew.Annotations[key] {
					return true
				}
			}
			return credentials.IsOurs(e.ObjectOld) != credentials.IsOurs(e.ObjectNew)
		},
	}
}
