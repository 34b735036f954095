// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"
	"fmt"
	"net/http"

	appsv1 "k8s.io/api/apps/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/source"

	extensionscontroller "github.com/gardener/gardener/extensions/pkg/controller"
	"github.com/gardener/gardener/extensions/pkg/controller/extension"
	operatorv1alpha1helper "github.com/gardener/gardener/pkg/api/operator/v1alpha1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/poller"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

// ControllerName is the name of the controller for Extensions of class garden.
const ControllerName = "otel-federation-garden"

// DefaultAddOptions are the default AddOptions for AddToManager.
var DefaultAddOptions = AddOptions{}

// AddOptions are options to apply when adding the controller to the manager.
type AddOptions struct {
	// ControllerOptions contains options for the controller.
	ControllerOptions controller.Options
	// IgnoreOperationAnnotation specifies whether to ignore the operation annotation or not.
	IgnoreOperationAnnotation bool
}

// AddToManager adds the controller with the default options to the manager.
func AddToManager(ctx context.Context, mgr manager.Manager) error {
	return AddToManagerWithOptions(ctx, mgr, DefaultAddOptions)
}

// AddToManagerWithOptions adds the controller with the given options to the manager.
func AddToManagerWithOptions(ctx context.Context, mgr manager.Manager, opts AddOptions) error {
	var (
		actuator     = &actuator{client: mgr.GetClient(), reader: mgr.GetAPIReader(), httpClient: &http.Client{}, clock: clock.RealClock{}}
		dependencies = poller.New(mgr.GetLogger().WithName(ControllerName), actuator.observe)
		toExtensions = handler.EnqueueRequestsFromMapFunc(mapper.ToExtensions(mgr.GetClient(), extensionsv1alpha1.ExtensionClassGarden))
	)

	if err := mgr.Add(dependencies); err != nil {
		return fmt.Errorf("failed to add the dependency poller to the manager: %w", err)
	}

	if err := extension.Add(mgr, extension.AddArgs{
		Actuator:          actuator,
		ControllerOptions: opts.ControllerOptions,
		Name:              ControllerName,
		FinalizerSuffix:   constants.ExtensionType,
		Predicates:        extension.DefaultPredicates(ctx, mgr, opts.IgnoreOperationAnnotation),
		Type:              constants.ExtensionType,
		ExtensionClasses:  []extensionsv1alpha1.ExtensionClass{extensionsv1alpha1.ExtensionClassGarden},
		WatchBuilder: extensionscontroller.NewWatchBuilder(func(c controller.Controller) error {
			return c.Watch(source.Kind[client.Object](mgr.GetCache(), &operatorv1alpha1.Garden{}, toExtensions, gardenPredicate()))
		}, func(c controller.Controller) error {
			return c.Watch(source.Kind[client.Object](mgr.GetCache(), &appsv1.StatefulSet{}, toExtensions, rolloutPredicate()))
		}, func(c controller.Controller) error {
			return c.Watch(source.Kind[client.Object](mgr.GetCache(), &extensionsv1alpha1.Extension{}, toExtensions, fanOutPredicate()))
		}, func(c controller.Controller) error {
			return c.Watch(source.Channel(dependencies.Events, toExtensions))
		}),
	}); err != nil {
		return fmt.Errorf("failed to add controller %s: %w", ControllerName, err)
	}
	return nil
}

// gardenPredicate admits changes of the Garden that the fan-out follows: its ingress domain, the phase of its CA rotation,
// and the end of an operation, as it may have brought the ingress gateway or the wildcard certificate that the fan-out uses.
func gardenPredicate() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*operatorv1alpha1.Garden)
			if !ok {
				return false
			}
			after, ok := e.ObjectNew.(*operatorv1alpha1.Garden)
			if !ok {
				return false
			}

			return !apiequality.Semantic.DeepEqual(before.Spec.RuntimeCluster.Ingress, after.Spec.RuntimeCluster.Ingress) ||
				operatorv1alpha1helper.GetCARotationPhase(before.Status.Credentials) != operatorv1alpha1helper.GetCARotationPhase(after.Status.Credentials) ||
				(!succeeded(before) && succeeded(after))
		},
	}
}

// rolloutPredicate admits what may let the next replica of the fan-out have its turn: they are rolled one by one.
func rolloutPredicate() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*appsv1.StatefulSet)
			if !ok {
				return false
			}
			after, ok := e.ObjectNew.(*appsv1.StatefulSet)
			return ok && collector.IsReady(after) && (!collector.IsReady(before) || before.Generation != after.Generation)
		},
	}
}

// fanOutPredicate admits what the controller of the fan-out's queues has decided.
func fanOutPredicate() predicate.Predicate {
	return predicate.Funcs{
		CreateFunc:  func(event.CreateEvent) bool { return false },
		DeleteFunc:  func(event.DeleteEvent) bool { return false },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*extensionsv1alpha1.Extension)
			if !ok {
				return false
			}
			after, ok := e.ObjectNew.(*extensionsv1alpha1.Extension)
			if !ok || !receiver.IsGardenExtension(after) {
				return false
			}
			return !apiequality.Semantic.DeepEqual(fanOutStatus(before), fanOutStatus(after))
		},
	}
}

func succeeded(garden *operatorv1alpha1.Garden) bool {
	return garden.Status.LastOperation != nil && garden.Status.LastOperation.State == gardencorev1beta1.LastOperationStateSucceeded
}
