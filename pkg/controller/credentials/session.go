// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	seedControllerName         = ControllerName + "-seed"
	defaultSeedConcurrentSyncs = 5
	seedReconcileTimeout       = 30 * time.Second
	seedMinBackoff             = time.Second
	seedMaxBackoff             = 2 * time.Minute
	cacheSyncTimeout           = time.Minute
)

// sessionRunner runs sessions with the virtual garden.
type sessionRunner struct {
	log             logr.Logger
	runtimeReader   client.Reader
	namespace       string
	concurrentSyncs int
	connection      *Connection
	tell            func(ctx context.Context, seedName, eventType, reason, message string)
}

// run runs one session: a cache and a controller for the Seeds and their Secrets. It returns when the context is cancelled, or
// with an error when the caches could not be synced in time.
func (r *sessionRunner) run(ctx context.Context, access *Access, issuer *issuerStore) error {
	virtualGarden, err := cluster.New(access.Config, func(opts *cluster.Options) {
		opts.Scheme = kubernetes.GardenScheme
		opts.Logger = r.log
		opts.Cache = sessionCacheOptions()
		opts.MapperProvider = func(*rest.Config, *http.Client) (meta.RESTMapper, error) { return sessionMapper(), nil }
	})
	if err != nil {
		return fmt.Errorf("failed to create the client for the virtual garden: %w", err)
	}

	c, err := r.newSeedController(virtualGarden, issuer)
	if err != nil {
		return err
	}
	// Nobody watches the Leases here, but they are read through the connection.
	if _, err := virtualGarden.GetCache().GetInformer(ctx, &coordinationv1.Lease{}, cache.BlockUntilSynced(false)); err != nil {
		return fmt.Errorf("failed to watch the Leases: %w", err)
	}

	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return virtualGarden.Start(ctx) })
	group.Go(func() error {
		r.connection.offer(ctx, virtualGarden)
		return nil
	})
	group.Go(func() error {
		if err := c.Start(ctx); err != nil {
			return fmt.Errorf("failed to run the controller for the Seeds: %w", err)
		}
		if ctx.Err() == nil {
			return errors.New("the controller for the Seeds has ended")
		}
		return nil
	})
	return group.Wait()
}

func (r *sessionRunner) newSeedController(virtualGarden cluster.Cluster, issuer *issuerStore) (controller.Controller, error) {
	concurrentSyncs := r.concurrentSyncs
	if concurrentSyncs <= 0 {
		concurrentSyncs = defaultSeedConcurrentSyncs
	}

	c, err := controller.NewUnmanaged(seedControllerName, controller.Options{
		Logger:                  r.log,
		SkipNameValidation:      new(true), // Each session has a controller of this name, one after the other.
		MaxConcurrentReconciles: concurrentSyncs,
		CacheSyncTimeout:        cacheSyncTimeout,
		ReconciliationTimeout:   seedReconcileTimeout,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](seedMinBackoff, seedMaxBackoff),
		Reconciler: &SeedReconciler{
			Client:       virtualGarden.GetClient(),
			APIReader:    virtualGarden.GetAPIReader(),
			Clock:        clock.RealClock{},
			Issuer:       issuer.get,
			IssuerExists: r.issuerExists,
			Tell:         r.tell,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("failed to create the controller for the Seeds: %w", err)
	}

	for _, src := range []source.Source{
		source.Kind(virtualGarden.GetCache(), &gardencorev1beta1.Seed{}, &handler.TypedEnqueueRequestForObject[*gardencorev1beta1.Seed]{}),
		source.Kind(virtualGarden.GetCache(), &corev1.Secret{}, handler.TypedEnqueueRequestsFromMapFunc(secretToSeed)),
		signalSource(issuer.changed, func(queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
			r.enqueueSeeds(virtualGarden.GetClient(), queue)
		}),
	} {
		if err := c.Watch(src); err != nil {
			return nil, fmt.Errorf("failed to add a watch to the controller for the Seeds: %w", err)
		}
	}
	return c, nil
}

func (r *sessionRunner) enqueueSeeds(reader client.Reader, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) {
	ctx, cancel := context.WithTimeout(context.Background(), cacheSyncTimeout)
	defer cancel()

	seeds := &gardencorev1beta1.SeedList{}
	if err := reader.List(ctx, seeds); err != nil {
		// The initial events of the cache will enqueue all Seeds once it is synced.
		r.log.Error(err, "Failed to list the Seeds after a change of the issuer configuration")
		return
	}
	for _, seed := range seeds.Items {
		queue.Add(reconcile.Request{NamespacedName: types.NamespacedName{Name: seed.Name}})
	}
}

func (r *sessionRunner) issuerExists(ctx context.Context) (bool, error) {
	key := client.ObjectKey{Namespace: r.namespace, Name: constants.IssuerConfigMapName}
	if err := r.runtimeReader.Get(ctx, key, &corev1.ConfigMap{}); err != nil {
		if apierrors.IsNotFound(err) {
			return false, nil
		}
		return false, fmt.Errorf("failed to get ConfigMap %s: %w", key, err)
	}
	return true, nil
}

// sessionCacheOptions limits the cache to the Seeds, and the Secrets and Leases with our names.
func sessionCacheOptions() cache.Options {
	return cache.Options{
		ReaderFailOnMissingInformer: true,
		DefaultTransform:            cache.TransformStripManagedFields(),
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Secret{}:        {Field: fields.OneTermEqualSelector(metav1.ObjectNameField, constants.CredentialsSecretName)},
			&coordinationv1.Lease{}: {Field: fields.OneTermEqualSelector(metav1.ObjectNameField, constants.LeaseName)},
		},
	}
}

// sessionMapper knows the few kinds that a session works with. Unlike a mapper that discovers them it does not contact the
// virtual garden, which may not answer, before the session can be cancelled.
func sessionMapper() meta.RESTMapper {
	mapper := meta.NewDefaultRESTMapper(nil)
	mapper.Add(gardencorev1beta1.SchemeGroupVersion.WithKind("Seed"), meta.RESTScopeRoot)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Namespace"), meta.RESTScopeRoot)
	mapper.Add(corev1.SchemeGroupVersion.WithKind("Secret"), meta.RESTScopeNamespace)
	mapper.Add(coordinationv1.SchemeGroupVersion.WithKind("Lease"), meta.RESTScopeNamespace)
	return mapper
}

// secretToSeed maps a Secret to the Seed that it is for. That way the Secrets of Seeds that have gone are found, too.
func secretToSeed(_ context.Context, secret *corev1.Secret) []reconcile.Request {
	seedName := gardenerutils.ComputeSeedName(secret.Namespace)
	if seedName == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Name: seedName}}}
}
