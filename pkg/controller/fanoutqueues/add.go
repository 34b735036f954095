// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package fanoutqueues looks after the queues of the fan-out. It runs in the runtime cluster.
//
// A collector of the fan-out has a queue in front of each replica of the garden Prometheus, and refuses a request as a whole if one of them
// is full. So before that happens, the replica is detached: it gets nothing new until it has accepted what is in its queues. And a
// collector that leaves the fan-out may only go when its queues are empty.
//
// This controller decides both from the metrics of the collectors, which it reads from the garden Prometheus, and writes it to the
// providerStatus. The controller of the Extension follows.
package fanoutqueues

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// ControllerName is the name of the controller.
const ControllerName = "fan-out-queues"

// queryTimeout limits a request to a replica of the garden Prometheus.
const queryTimeout = 10 * time.Second

// DefaultAddOptions are the default AddOptions for AddToManager.
var DefaultAddOptions = AddOptions{}

// AddOptions are options to apply when adding the controller to the manager.
type AddOptions struct {
	// Controller are the options of the controller.
	Controller controller.Options
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

	opts.Controller.MaxConcurrentReconciles = 1
	opts.Controller.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](time.Second, pollInterval)
	opts.Controller.Reconciler = &Reconciler{
		Client:     mgr.GetClient(),
		Reader:     mgr.GetAPIReader(),
		Clock:      clock.RealClock{},
		HTTPClient: &http.Client{Timeout: queryTimeout},
		Namespace:  v1beta1constants.GardenNamespace,
	}
	c, err := controller.New(ControllerName, mgr, opts.Controller)
	if err != nil {
		return fmt.Errorf("failed to create the %s controller: %w", ControllerName, err)
	}
	// There is one request, as the replicas are decided together. From then on the controller polls.
	if err := c.Watch(source.TypedFunc[reconcile.Request](func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: v1beta1constants.GardenNamespace, Name: constants.ExtensionType}})
		return nil
	})); err != nil {
		return fmt.Errorf("failed to start the %s controller: %w", ControllerName, err)
	}
	return nil
}
