// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package credentials issues the credentials of the seeds: for each Seed in the virtual garden one Secret with the endpoint, the
// CA bundle and a short-lived token. It runs in the runtime cluster.
//
// A controller in the manager watches what is needed to reach the virtual garden and to sign tokens. While all of it is there
// it keeps a session: a client and a controller for the virtual garden that can be stopped and started again, because the
// virtual garden and the access to it come and go while the process runs.
package credentials

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
)

// ControllerName is the name of the controller.
const ControllerName = "credentials"

// DefaultAddOptions are the default AddOptions for AddToManager.
var DefaultAddOptions = AddOptions{}

// AddOptions are options to apply when adding the controller to the manager.
type AddOptions struct {
	// Controller are the options of the controller that keeps the session.
	Controller controller.Options
	// SeedConcurrentSyncs is the number of seeds that are reconciled at the same time. The default is 5.
	SeedConcurrentSyncs int
	// ExtensionClasses are the configured extension classes for this extension deployment.
	ExtensionClasses []extensionsv1alpha1.ExtensionClass
	// Connection is offered the session with the virtual garden. The default is one that nobody else uses.
	Connection *Connection
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

	var (
		log       = mgr.GetLogger().WithName(ControllerName)
		namespace = v1beta1constants.GardenNamespace
		runner    = &sessionRunner{
			log:             log,
			runtimeReader:   mgr.GetAPIReader(),
			namespace:       namespace,
			concurrentSyncs: opts.SeedConcurrentSyncs,
			connection:      cmp.Or(opts.Connection, &Connection{}),
			tell:            teller(mgr),
		}
		sessions = newSessions(log, clock.RealClock{}, runner.run)
	)

	if err := mgr.Add(sessions); err != nil {
		return fmt.Errorf("failed to add the sessions to the manager: %w", err)
	}

	triggers, err := triggerCache(mgr, namespace)
	if err != nil {
		return err
	}

	opts.Controller.Reconciler = &Reconciler{Reader: mgr.GetAPIReader(), Namespace: namespace, sessions: sessions}
	opts.Controller.MaxConcurrentReconciles = 1
	c, err := controller.New(ControllerName, mgr, opts.Controller)
	if err != nil {
		return fmt.Errorf("failed to create the %s controller: %w", ControllerName, err)
	}

	request := reconcile.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: constants.IssuerConfigMapName}}
	enqueue := handler.TypedEnqueueRequestsFromMapFunc(func(context.Context, *metav1.PartialObjectMetadata) []reconcile.Request {
		return []reconcile.Request{request}
	})
	for _, src := range []source.Source{
		source.Kind(triggers, metadataOf(corev1.SchemeGroupVersion.WithKind("ConfigMap")), enqueue),
		source.Kind(triggers, metadataOf(corev1.SchemeGroupVersion.WithKind("Secret")), enqueue, predicate.NewTypedPredicateFuncs(isRelevantSecret)),
		source.Kind(triggers, metadataOf(operatorv1alpha1.SchemeGroupVersion.WithKind("Garden")), enqueue, predicate.TypedAnnotationChangedPredicate[*metav1.PartialObjectMetadata]{}),
		signalSource(sessions.ended, func(queue workqueue.TypedRateLimitingInterface[reconcile.Request]) { queue.Add(request) }),
	} {
		if err := c.Watch(src); err != nil {
			return fmt.Errorf("failed to add a watch to the %s controller: %w", ControllerName, err)
		}
	}
	return nil
}

// teller returns a function that creates events of the Extension of class garden. There may be none while it leaves.
func teller(mgr manager.Manager) func(ctx context.Context, seedName, eventType, reason, message string) {
	recorder := mgr.GetEventRecorder(ControllerName)
	return func(ctx context.Context, seedName, eventType, reason, message string) {
		if ex, err := mapper.Find(ctx, mgr.GetClient(), extensionsv1alpha1.ExtensionClassGarden); err == nil && ex != nil {
			// Events of the same object, reason and action are counted as one.
			recorder.Eventf(ex, nil, eventType, reason, "Issue/"+seedName, "%s", message)
		}
	}
}

// triggerCache returns a cache for the objects that trigger the controller. Only their metadata is watched, and nothing outside
// of the given namespace: the content is read when it is needed, so that no private key and no token lies in a cache.
func triggerCache(mgr manager.Manager, namespace string) (cache.Cache, error) {
	c, err := cache.New(mgr.GetConfig(), cache.Options{
		HTTPClient:       mgr.GetHTTPClient(),
		Scheme:           mgr.GetScheme(),
		Mapper:           mgr.GetRESTMapper(),
		DefaultTransform: cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}: {Namespaces: map[string]cache.Config{namespace: {}}},
			&corev1.ConfigMap{}: {Namespaces: map[string]cache.Config{namespace: {
				FieldSelector: fields.OneTermEqualSelector(metav1.ObjectNameField, constants.IssuerConfigMapName),
			}}},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("failed to create the cache of the %s controller: %w", ControllerName, err)
	}
	if err := mgr.Add(c); err != nil {
		return nil, fmt.Errorf("failed to add the cache of the %s controller to the manager: %w", ControllerName, err)
	}
	return c, nil
}

func isRelevantSecret(secret *metav1.PartialObjectMetadata) bool {
	return secret.Name == accessSecretName() ||
		strings.HasPrefix(secret.Name, constants.SigningKeySecretName) ||
		strings.HasPrefix(secret.Name, v1beta1constants.SecretNameGenericTokenKubeconfig)
}

// signalSource is a source that calls the given function for each signal.
func signalSource(signals <-chan struct{}, onSignal func(workqueue.TypedRateLimitingInterface[reconcile.Request])) source.Source {
	return source.Func(func(ctx context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-signals:
					onSignal(queue)
				}
			}
		}()
		return nil
	})
}

// signal leaves a signal in the given channel, which must have a buffer of one, unless there is one already.
func signal(signals chan<- struct{}) {
	select {
	case signals <- struct{}{}:
	default:
	}
}
