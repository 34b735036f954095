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

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/health"
)

const (
	// minGardenWindow and maxGardenWindow bound how far back the fan-out is looked at, see gardenWindow.
	minGardenWindow = 4 * gardenPollInterval
	maxGardenWindow = 2 * time.Minute
	// gardenPollInterval is how often the fan-out is asked.
	gardenPollInterval = 5 * time.Second
)

// gardenWindow is how far back the fan-out is looked at: as long as push may be stale. What it loses stays in the condition for as long.
func gardenWindow(cfg *config.GardenFederationConfig) time.Duration {
	return min(max(cfg.HandOver.ReturnAfter.Duration, minGardenWindow), maxGardenWindow)
}

// GardenReconciler sets the conditions CredentialsValid and FederationHealthy of the Extension of class garden.
type GardenReconciler struct {
	// Client is the client for the runtime cluster. It may list Extensions from a cache.
	Client client.Client
	// Reader reads from the runtime cluster without a cache.
	Reader client.Reader
	// VirtualGarden returns the client for the virtual garden, unless there is no connection with it.
	VirtualGarden func() (client.Client, bool)
	// Clock tells the time.
	Clock clock.Clock
	// HTTPClient is for the collectors.
	HTTPClient *http.Client
	// Recorder tells human beings of what is wrong.
	Recorder events.EventRecorder
	// Board is where the hand-over leaves what the replicas of the garden Prometheus have.
	Board *handover.Board
	// Namespace is the namespace of the fan-out and of the Extension.
	Namespace string

	watcher           watcher
	disconnectedSince time.Time
}

// Reconcile implements reconcile.Reconciler.
func (r *GardenReconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()

	ex, err := mapper.Find(ctx, r.Client, extensionsv1alpha1.ExtensionClassGarden)
	if err != nil {
		return reconcile.Result{}, err
	}
	if ex == nil || ex.DeletionTimestamp != nil {
		r.watcher.collectors = nil
		return reconcile.Result{RequeueAfter: gardenPollInterval}, nil
	}

	var (
		now      = r.Clock.Now()
		reporter = &reporter{client: r.Client, clock: r.Clock, recorder: r.Recorder}
	)
	// A verdict that cannot be made is empty, and changes nothing.
	federation, federationErr := r.federation(ctx, now, ex)
	tokens, tokensErr := r.credentials(ctx, now)
	if err := errors.Join(
		federationErr, tokensErr,
		reporter.report(ctx, ex, conditions.TypeFederationHealthy, federation),
		reporter.report(ctx, ex, conditions.TypeCredentialsValid, tokens),
	); err != nil {
		return reconcile.Result{}, fmt.Errorf("failed to say how healthy the federation is: %w", err)
	}
	return reconcile.Result{RequeueAfter: gardenPollInterval}, nil
}

// federation judges the fan-out. It says nothing if the configuration or the states cannot be read, which the last error of the Extension or
// the hand-over tell.
func (r *GardenReconciler) federation(ctx context.Context, now time.Time, ex *extensionsv1alpha1.Extension) (health.Verdict, error) {
	cfg, status, readable := decode(ex)
	if !readable {
		return health.Verdict{}, nil
	}

	var names []string
	for i := range *cfg.Replicas {
		names = append(names, gardencollector.PodName(i))
	}
	r.watcher.reader, r.watcher.httpClient = r.Reader, r.HTTPClient
	if err := r.watcher.watch(ctx, now, r.Namespace, constants.GardenCollectorName, gardenWindow(cfg), names); err != nil {
		return health.Verdict{}, err
	}

	in := health.GardenInput{DetachedProcessor: gardencollector.DetachedProcessor, WasNearlyFull: wasNearlyFull(ex)}
	if found := r.Board.Latest(); found != nil && now.Sub(found.At) <= health.Patience {
		in.Federation = found
	}
	for _, name := range names {
		c := r.watcher.collectors[name]
		in.Collectors = append(in.Collectors, health.FanOutCollector{Name: name, Window: c.window, Silence: c.silence(now), Unanswered: c.err})
	}
	if status.FanOut != nil {
		for _, replica := range status.FanOut.DetachedReplicas {
			in.Detached = append(in.Detached, replica.Name)
		}
	}
	return health.GardenFederation(in), nil
}

func decode(ex *extensionsv1alpha1.Extension) (*config.GardenFederationConfig, *configv1alpha1.GardenFederationStatus, bool) {
	cfg, configErr := loader.DecodeGardenFederationConfig(ex.Spec.ProviderConfig)
	status, statusErr := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
	return cfg, status, configErr == nil && statusErr == nil
}

// credentials judges the tokens in the virtual garden.
func (r *GardenReconciler) credentials(ctx context.Context, now time.Time) (health.Verdict, error) {
	configMap := &corev1.ConfigMap{}
	if err := r.Reader.Get(ctx, client.ObjectKey{Namespace: r.Namespace, Name: constants.IssuerConfigMapName}, configMap); err != nil {
		if apierrors.IsNotFound(err) {
			return health.MissingCredentials("No seed gets credentials yet: conditions IngressReady and ReceiverReady say what is waited for.", false), nil
		}
		return health.Verdict{}, fmt.Errorf("failed to get ConfigMap %s/%s: %w", r.Namespace, constants.IssuerConfigMapName, err)
	}
	issuer, err := credentials.ParseIssuerConfig(configMap)
	if err != nil {
		return health.Verdict{}, err
	}

	virtualGarden, connected := r.VirtualGarden()
	if !connected {
		if r.disconnectedSince.IsZero() {
			r.disconnectedSince = now
		}
		return health.UnknownCredentials(now.Sub(r.disconnectedSince)), nil
	}
	r.disconnectedSince = time.Time{}

	tokens, err := tokensOf(ctx, virtualGarden, issuer)
	if err != nil {
		return health.Verdict{}, err
	}
	return health.GardenCredentials(now, tokens), nil
}

// tokensOf returns the tokens of all seeds that are to have one.
func tokensOf(ctx context.Context, virtualGarden client.Client, issuer *credentials.IssuerConfig) ([]health.Token, error) {
	seeds := &gardencorev1beta1.SeedList{}
	if err := virtualGarden.List(ctx, seeds); err != nil {
		return nil, fmt.Errorf("failed to list the Seeds in the virtual garden: %w", err)
	}
	secrets := &corev1.SecretList{}
	if err := virtualGarden.List(ctx, secrets, client.MatchingLabels(credentials.ObjectLabels())); err != nil {
		return nil, fmt.Errorf("failed to list the credentials of the seeds in the virtual garden: %w", err)
	}
	bySeed := map[string]string{}
	for i := range secrets.Items {
		if secret := &secrets.Items[i]; secret.Name == constants.CredentialsSecretName {
			bySeed[gardenerutils.ComputeSeedName(secret.Namespace)] = string(secret.Data[constants.DataKeyToken])
		}
	}

	var tokens []health.Token
	for i := range seeds.Items {
		seed := &seeds.Items[i]
		wanted, err := issuer.Wants(seed)
		if err != nil {
			return nil, err
		}
		if wanted && seed.DeletionTimestamp == nil {
			tokens = append(tokens, health.NewToken(seed.Name, bySeed[seed.Name]))
		}
	}
	return tokens, nil
}
