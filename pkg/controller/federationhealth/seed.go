// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package federationhealth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/seedcollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/seed"
	"github.com/gardener/gardener-extension-otel-federation/pkg/health"
)

const (
	// maxPollInterval and minPollInterval limit how often the collectors are asked. In between it is a part of the scrape interval.
	maxPollInterval  = 10 * time.Second
	minPollInterval  = time.Second
	pollsPerInterval = 4

	seedCollectorPod = constants.SeedCollectorName + "-collector-0"
)

// SeedReconciler sets the conditions CredentialsValid and FederationHealthy of the Extension of class seed.
type SeedReconciler struct {
	// Client is the client for the seed. It may list Extensions from a cache.
	Client client.Client
	// Reader reads from the seed without a cache.
	Reader client.Reader
	// Clock tells the time.
	Clock clock.Clock
	// HTTPClient is for the collector.
	HTTPClient *http.Client
	// Recorder tells human beings of what is wrong.
	Recorder events.EventRecorder
	// Namespace is the namespace of the collector and of the Extension.
	Namespace string
	// SeedName is the name of the Seed.
	SeedName string

	watcher watcher
}

// Reconcile implements reconcile.Reconciler.
func (r *SeedReconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()

	ex, err := mapper.Find(ctx, r.Client, extensionsv1alpha1.ExtensionClassSeed)
	if err != nil {
		return reconcile.Result{}, err
	}
	if ex == nil || ex.DeletionTimestamp != nil {
		r.watcher.collectors = nil
		return reconcile.Result{RequeueAfter: maxPollInterval}, nil
	}
	cfg, err := loader.DecodeSeedFederationConfig(ex.Spec.ProviderConfig)
	if err != nil {
		// The last error of the Extension says so. What is deployed has been configured before, which nobody knows any more.
		return reconcile.Result{RequeueAfter: maxPollInterval}, nil
	}

	destination, token, problem, err := seed.FindDestination(ctx, r.Client, r.SeedName, r.Namespace, cfg.Garden)
	if err != nil {
		return reconcile.Result{}, err
	}
	var (
		now      = r.Clock.Now()
		interval = cfg.Scrape.Interval.Duration
		reporter = &reporter{client: r.Client, clock: r.Clock, recorder: r.Recorder}
	)
	r.watcher.reader, r.watcher.httpClient = r.Reader, r.HTTPClient
	if err := r.watcher.watch(ctx, now, r.Namespace, constants.SeedCollectorName, health.SeedWindow(interval), []string{seedCollectorPod}); err != nil {
		return reconcile.Result{}, err
	}

	if destination == nil {
		exists := r.watcher.collectors[seedCollectorPod].err == nil
		federation := health.MissingCredentials(problem, exists)
		if exists {
			// What it has may have been withdrawn, and then the garden refuses what it pushes.
			if verdict := r.judge(ctx, now, ex, interval, &seedcollector.Destination{Endpoint: "the garden"}); verdict.Status == gardencorev1beta1.ConditionFalse {
				federation = verdict
			}
		}
		err = errors.Join(
			reporter.report(ctx, ex, conditions.TypeCredentialsValid, health.MissingCredentials(problem, exists)),
			reporter.report(ctx, ex, conditions.TypeFederationHealthy, federation),
		)
	} else {
		err = errors.Join(
			reporter.report(ctx, ex, conditions.TypeCredentialsValid, health.SeedCredentials(now, destination.Endpoint, token)),
			reporter.report(ctx, ex, conditions.TypeFederationHealthy, r.judge(ctx, now, ex, interval, destination)),
		)
	}
	if err != nil {
		return reconcile.Result{}, fmt.Errorf("failed to say how healthy the federation is: %w", err)
	}
	return reconcile.Result{RequeueAfter: min(max(interval/pollsPerInterval, minPollInterval), maxPollInterval)}, nil
}

func (r *SeedReconciler) judge(ctx context.Context, now time.Time, ex *extensionsv1alpha1.Extension, interval time.Duration, destination *seedcollector.Destination) health.Verdict {
	c := r.watcher.collectors[seedCollectorPod]
	return health.SeedFederation(health.SeedInput{
		Interval:      interval,
		Window:        c.window,
		Silence:       c.silence(now),
		Unanswered:    c.err,
		WasNearlyFull: wasNearlyFull(ex),
		Endpoint:      destination.Endpoint,
		Certificate:   func() string { return verifyCertificate(ctx, destination.Endpoint, destination.CABundle) },
	})
}
