// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package handover hands the seeds over from pull to push, one by one, and back. It runs in the runtime cluster.
//
// It polls: what decides are samples in the garden Prometheis, of which nobody sends events. Each round looks at the seeds, asks
// the replicas what they have, decides the state of each seed, writes the states down, and lets the ScrapeConfigs follow. A round
// that fails in the middle is made up for by the next one.
package handover

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

// ControllerName is the name of the controller.
const ControllerName = "hand-over"

const (
	// queryTimeout limits a request to a replica of the garden Prometheus.
	queryTimeout = 10 * time.Second
	// Errors are tried again soon: a seed may wait for being pulled again.
	minBackoff = time.Second
	maxBackoff = 30 * time.Second
)

// DefaultAddOptions are the default AddOptions for AddToManager.
var DefaultAddOptions = AddOptions{}

// AddOptions are options to apply when adding the controller to the manager.
type AddOptions struct {
	// Controller are the options of the controller.
	Controller controller.Options
	// Connection is the connection with the virtual garden.
	Connection *credentials.Connection
	// Board is where to leave what the replicas of the garden Prometheus have of the seeds.
	Board *handover.Board
	// ExtensionClasses are the configured extension classes for this extension deployment.
	ExtensionClasses []extensionsv1alpha1.ExtensionClass
}

// AddToManager adds the controller with the default options to the manager.
func AddToManager(ctx context.Context, mgr manager.Manager) error {
	return AddToManagerWithOptions(ctx, mgr, DefaultAddOptions)
}

// AddToManagerWithOptions adds the controller with the given options to the manager.
func AddToManagerWithOptions(_ context.Context, mgr manager.Manager, opts AddOptions) error {
	if !slices.Equal(opts.ExtensionClasses, []extensionsv1alpha1.ExtensionClass{extensionsv1alpha1.ExtensionClassGarden}) {
		return fmt.Errorf("the %s controller works only for the extension class %q, but the classes are %q: disable it or set --extension-classes=%s",
			ControllerName, extensionsv1alpha1.ExtensionClassGarden, opts.ExtensionClasses, extensionsv1alpha1.ExtensionClassGarden)
	}
	if opts.Connection == nil {
		return fmt.Errorf("the %s controller needs the connection with the virtual garden that the %s controller keeps", ControllerName, credentials.ControllerName)
	}

	opts.Controller.MaxConcurrentReconciles = 1
	opts.Controller.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](minBackoff, maxBackoff)
	opts.Controller.Reconciler = &Reconciler{
		Client:        mgr.GetClient(),
		Reader:        mgr.GetAPIReader(),
		VirtualGarden: opts.Connection.Client,
		Clock:         clock.RealClock{},
		HTTPClient:    &http.Client{Timeout: queryTimeout},
		Namespace:     v1beta1constants.GardenNamespace,
		Board:         cmp.Or(opts.Board, &handover.Board{}),
		Recorder:      mgr.GetEventRecorder(ControllerName),
	}
	c, err := controller.New(ControllerName, mgr, opts.Controller)
	if err != nil {
		return fmt.Errorf("failed to create the %s controller: %w", ControllerName, err)
	}

	// There is one request, as all seeds are decided at once. It exists without an Extension as well: what one has left behind that
	// was removed by force is cleared away.
	request := []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: v1beta1constants.GardenNamespace, Name: constants.ExtensionType}}}
	enqueue := handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, *extensionsv1alpha1.Extension) []reconcile.Request { return request })
	for _, src := range []source.Source{
		source.Kind(mgr.GetCache(), &extensionsv1alpha1.Extension{}, enqueue,
			predicate.NewTypedPredicateFuncs(receiver.IsGardenExtension),
			predicate.Or(
				predicate.TypedGenerationChangedPredicate[*extensionsv1alpha1.Extension]{},
				predicate.TypedAnnotationChangedPredicate[*extensionsv1alpha1.Extension]{},
			)),
		source.TypedFunc[reconcile.Request](func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
			queue.Add(request[0])
			return nil
		}),
	} {
		if err := c.Watch(src); err != nil {
			return fmt.Errorf("failed to add a watch to the %s controller: %w", ControllerName, err)
		}
	}
	return nil
}
