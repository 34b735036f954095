// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seed

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	corev1 "k8s.io/api/core/v1"
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
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/poller"
)

// ControllerName is the name of the controller for Extensions of class seed.
const ControllerName = "otel-federation-seed"

// DefaultAddOptions are the default AddOptions for AddToManager.
var DefaultAddOptions = AddOptions{}

// AddOptions are options to apply when adding the controller to the manager.
type AddOptions struct {
	// ControllerOptions contains options for the controller.
	ControllerOptions controller.Options
	// IgnoreOperationAnnotation specifies whether to ignore the operation annotation or not.
	IgnoreOperationAnnotation bool
	// SeedName is the name of the seed.
	SeedName string
	// GardenReader reads from the virtual garden, without a cache. Without it a deletion does not wait for the garden.
	GardenReader client.Reader
}

// AddToManager adds the controller with the default options to the manager.
func AddToManager(ctx context.Context, mgr manager.Manager) error {
	return AddToManagerWithOptions(ctx, mgr, DefaultAddOptions)
}

// AddToManagerWithOptions adds the controller with the given options to the manager.
func AddToManagerWithOptions(ctx context.Context, mgr manager.Manager, opts AddOptions) error {
	var (
		actuator     = newActuator(mgr.GetClient(), mgr.GetAPIReader(), opts.GardenReader, &http.Client{}, clock.RealClock{}, opts.SeedName)
		dependencies = poller.New(mgr.GetLogger().WithName(ControllerName), actuator.observe)
		toExtensions = handler.EnqueueRequestsFromMapFunc(mapper.ToExtensions(mgr.GetClient(), extensionsv1alpha1.ExtensionClassSeed))
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
		ExtensionClasses:  []extensionsv1alpha1.ExtensionClass{extensionsv1alpha1.ExtensionClassSeed},
		WatchBuilder: extensionscontroller.NewWatchBuilder(func(c controller.Controller) error {
			return c.Watch(source.Kind[client.Object](mgr.GetCache(), &corev1.Secret{}, toExtensions, credentialsPredicate()))
		}, func(c controller.Controller) error {
			return c.Watch(source.Channel(dependencies.Events, toExtensions))
		}),
	}); err != nil {
		return fmt.Errorf("failed to add controller %s: %w", ControllerName, err)
	}
	return nil
}

// credentialsPredicate admits the copy of the credentials, and of its updates only those that the collector cannot pick up
// by itself: a renewed token must not become an operation of the Extension.
func credentialsPredicate() predicate.Predicate {
	isCredentials := func(obj client.Object) bool {
		return obj.GetName() == constants.CredentialsSecretName
	}

	return predicate.Funcs{
		CreateFunc:  func(e event.CreateEvent) bool { return isCredentials(e.Object) },
		DeleteFunc:  func(e event.DeleteEvent) bool { return isCredentials(e.Object) },
		GenericFunc: func(event.GenericEvent) bool { return false },
		UpdateFunc: func(e event.UpdateEvent) bool {
			before, ok := e.ObjectOld.(*corev1.Secret)
			if !ok {
				return false
			}
			after, ok := e.ObjectNew.(*corev1.Secret)
			if !ok || !isCredentials(after) {
				return false
			}

			for _, key := range []string{constants.DataKeyEndpoint, constants.DataKeyCABundle, constants.DataKeyInstance} {
				if !bytes.Equal(before.Data[key], after.Data[key]) {
					return true
				}
			}
			return len(before.Data[constants.DataKeyToken]) == 0 != (len(after.Data[constants.DataKeyToken]) == 0)
		},
	}
}
