// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package federationhealth says in conditions of the Extensions whether the credentials are valid, and whether samples get to the garden.
//
// It is not part of the controller that Gardener's library offers for health checks: that one gives all conditions the same few reasons.
package federationhealth

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

// ControllerName is the name of the controller.
const ControllerName = "federation-health"

const (
	reconcileTimeout = 30 * time.Second
	// readTimeout limits a request to a collector.
	readTimeout = 5 * time.Second
	minBackoff  = time.Second
	maxBackoff  = 30 * time.Second
)

// DefaultAddOptions are the default AddOptions for AddToManager.
var DefaultAddOptions = AddOptions{}

// AddOptions are options to apply when adding the controller to the manager.
type AddOptions struct {
	// Controller are the options of the controller.
	Controller controller.Options
	// ExtensionClass is the extension class of this deployment: seed or garden.
	ExtensionClass extensionsv1alpha1.ExtensionClass
	// SeedName is the name of the seed. It is for class seed only.
	SeedName string
	// VirtualGarden returns the client for the virtual garden, unless there is no connection with it. It is for class garden only.
	VirtualGarden func() (client.Client, bool)
	// Board is where the hand-over leaves what the replicas of the garden Prometheus have. It is for class garden only.
	Board *handover.Board
}

// AddToManager adds the controller with the default options to the manager.
func AddToManager(ctx context.Context, mgr manager.Manager) error {
	return AddToManagerWithOptions(ctx, mgr, DefaultAddOptions)
}

// AddToManagerWithOptions adds the controller with the given options to the manager.
func AddToManagerWithOptions(_ context.Context, mgr manager.Manager, opts AddOptions) error {
	httpClient := &http.Client{Timeout: readTimeout}
	switch opts.ExtensionClass {
	case extensionsv1alpha1.ExtensionClassSeed:
		opts.Controller.Reconciler = &SeedReconciler{
			Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), Clock: clock.RealClock{}, HTTPClient: httpClient,
			Recorder: mgr.GetEventRecorder(ControllerName), Namespace: v1beta1constants.GardenNamespace, SeedName: opts.SeedName,
		}
	case extensionsv1alpha1.ExtensionClassGarden:
		if opts.VirtualGarden == nil || opts.Board == nil {
			return fmt.Errorf("the %s controller of class %s needs a connection with the virtual garden, and the board of the hand-over", ControllerName, opts.ExtensionClass)
		}
		opts.Controller.Reconciler = &GardenReconciler{
			Client: mgr.GetClient(), Reader: mgr.GetAPIReader(), VirtualGarden: opts.VirtualGarden, Clock: clock.RealClock{}, HTTPClient: httpClient,
			Recorder: mgr.GetEventRecorder(ControllerName), Board: opts.Board, Namespace: v1beta1constants.GardenNamespace,
		}
	default:
		return fmt.Errorf("the %s controller works for the extension classes %q and %q, but the class is %q", ControllerName,
			extensionsv1alpha1.ExtensionClassGarden, extensionsv1alpha1.ExtensionClassSeed, opts.ExtensionClass)
	}
	opts.Controller.MaxConcurrentReconciles = 1
	opts.Controller.RateLimiter = workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](minBackoff, maxBackoff)

	c, err := controller.New(ControllerName, mgr, opts.Controller)
	if err != nil {
		return fmt.Errorf("failed to create the %s controller: %w", ControllerName, err)
	}
	// It polls: what decides is known to the collectors, and nobody sends events of that.
	request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: v1beta1constants.GardenNamespace, Name: constants.ExtensionType}}
	if err := c.Watch(source.TypedFunc[reconcile.Request](func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		queue.Add(request)
		return nil
	})); err != nil {
		return fmt.Errorf("failed to add a watch to the %s controller: %w", ControllerName, err)
	}
	return nil
}
