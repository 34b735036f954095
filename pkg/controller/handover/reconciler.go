// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1beta1helper "github.com/gardener/gardener/pkg/api/core/v1beta1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

const (
	reconcileTimeout = time.Minute
	// maxPollInterval and minPollInterval limit how often the replicas are asked. In between it is a part of the time after which
	// pull must return.
	maxPollInterval = 10 * time.Second
	minPollInterval = time.Second
	pollsPerReturn  = 8

	// startAllowance is how long a seed may take until its first sample is there, from the moment on that the extension is there.
	startAllowance = 3 * time.Minute

	// eventHandOver is the reason of the events about seeds that change their state.
	eventHandOver = "HandOver"
)

// Reconciler decides for each seed between pull and push, and applies that.
type Reconciler struct {
	// Client is the client for the runtime cluster. It may list Extensions from a cache.
	Client client.Client
	// Reader reads from the runtime cluster without a cache.
	Reader client.Reader
	// VirtualGarden returns the client for the virtual garden, unless there is no connection with it.
	VirtualGarden func() (client.Client, bool)
	// Clock tells the time.
	Clock clock.Clock
	// HTTPClient is for the replicas of the garden Prometheus.
	HTTPClient *http.Client
	// Namespace is the namespace of the garden Prometheus and of the Extension.
	Namespace string
	// Board is where to leave what the replicas of the garden Prometheus have of the seeds.
	Board *handover.Board
	// Recorder tells human beings of seeds that change their state.
	Recorder events.EventRecorder

	tracker *handover.Tracker
	// wantedSince is since when the seeds are to push that are to.
	wantedSince map[string]time.Time
	// config is that of the last valid providerConfig: what works goes on if somebody makes a mistake.
	config *config.HandOverConfiguration
	// seeds are those that were last seen in the virtual garden.
	seeds  []seed
	target targets
	status statusWriter
	nudger nudger
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()

	ex, err := r.findExtension(ctx)
	if err != nil {
		return reconcile.Result{}, err
	}
	if ex == nil {
		r.tracker, r.seeds = nil, nil
		r.Board.Publish(nil)
		return reconcile.Result{}, Restore(ctx, r.Client, r.Reader, r.Namespace)
	}

	log := logf.FromContext(ctx).WithValues("extension", client.ObjectKeyFromObject(ex))
	if cfg, err := loader.DecodeGardenFederationConfig(ex.Spec.ProviderConfig); err == nil {
		r.config = &cfg.HandOver
	} else if r.config == nil {
		log.Info("The hand-over stands still until the providerConfig is valid", "reason", err.Error())
		return reconcile.Result{}, nil
	}

	roundErr := r.round(ctx, log, ex)
	if err := r.setCondition(ctx, ex, roundErr); err != nil {
		return reconcile.Result{}, errors.Join(roundErr, err)
	}
	if apierrors.IsNotFound(roundErr) {
		// gardener-operator deploys the garden Prometheus after the extension. That is nothing to cry out about.
		log.Info("Waiting for the garden Prometheus", "reason", roundErr.Error())
	} else if roundErr != nil {
		return reconcile.Result{}, roundErr
	}
	return reconcile.Result{RequeueAfter: r.pollInterval()}, nil
}

func (r *Reconciler) pollInterval() time.Duration {
	if r.nudger.waits() {
		return minPollInterval
	}
	return min(max(r.config.ReturnAfter.Duration/pollsPerReturn, minPollInterval), maxPollInterval)
}

// round writes the states down before it lets the ScrapeConfigs follow. If it were the other way round, a restart in between would
// take the step back.
func (r *Reconciler) round(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	if r.tracker == nil {
		r.tracker = handover.NewTracker(PrometheusPods()...)
	}
	gardeners, err := r.target.gardeners(ctx, r.Client, r.Namespace)
	if err != nil {
		return err
	}
	status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
	if err != nil {
		return fmt.Errorf("the states of the seeds in Extension %s cannot be read: %w: remove status.providerStatus, then all seeds begin with pull", client.ObjectKeyFromObject(ex), err)
	}

	now := r.Clock.Now()
	r.tracker.Observe(now, r.ask(ctx, log, now))
	if err := r.look(ctx, status); err != nil {
		return err
	}

	var (
		offered = sets.New[string]()
		common  = handover.Input{
			Now:           now,
			Config:        *r.config,
			ReceiverReady: receiverReady(ex),
			Rejecting:     r.tracker.Rejecting(),
		}
	)
	for _, scrapeConfig := range gardeners {
		offered.Insert(handover.Targets(scrapeConfig)...)
	}
	if ex.DeletionTimestamp != nil {
		common.Unwanted = "the extension leaves the garden"
	}

	next, federation := r.step(log, ex, status.Seeds, common, offered)
	r.Board.Publish(federation)
	after := status.DeepCopy()
	after.Seeds = next
	if err := r.status.write(ctx, r.Client, now, ex, status, after); err != nil {
		return err
	}

	withheld := handover.Withheld(next)
	changed, err := apply(ctx, r.Client, r.Reader, r.Namespace, gardeners, withheld)
	if err != nil {
		return err
	}
	if changed {
		log.Info("Changed from which seeds the garden Prometheus pulls", "withheld", len(withheld), "offered", offered.Len())
	}
	if err := r.nudger.nudge(ctx, r.Client, now, r.Namespace, withheld, r.awaited(next)); err != nil {
		return err
	}
	return r.acknowledge(ctx, now, next)
}

// step returns the states of all seeds, given those that they were in, and what the replicas have of them.
func (r *Reconciler) step(log logr.Logger, ex *extensionsv1alpha1.Extension, previous []configv1alpha1.SeedFederationStatus, common handover.Input, offered sets.Set[string]) ([]configv1alpha1.SeedFederationStatus, *handover.Federation) {
	before := map[string]configv1alpha1.SeedFederationStatus{}
	for _, seed := range previous {
		before[seed.Name] = seed
	}

	next := make([]configv1alpha1.SeedFederationStatus, 0, len(r.seeds))
	federation := &handover.Federation{At: common.Now, Silence: r.tracker.Silence(common.Now)}
	wantedSince := map[string]time.Time{}
	for _, s := range r.seeds {
		var (
			current   = before[s.name]
			pushed    = handover.Series{Way: handover.Push, Seed: s.name, Instance: s.pushedInstance()}
			freshness = func(way handover.Way, seed string) handover.Freshness {
				return r.tracker.Freshness(common.Now, handover.Series{Way: way, Seed: seed, Instance: pushed.Instance}, common.Config.ReturnAfter.Duration)
			}
			in = common
		)
		in.Since = current.Since.Time
		in.Push, in.Shadow, in.Pull = freshness(handover.Push, s.name), freshness(handover.Shadow, s.name), freshness(handover.Pull, "")
		in.Pullable = offered.Has(s.instance)
		// A Lease that is not renewed any more while samples arrive only says that the extension itself is down there.
		in.Enabled = s.enabled || s.lease != nil && (in.Push.InKnown || in.Shadow.InKnown)
		if in.Unwanted == "" {
			in.Unwanted = s.unwanted
		}
		if !in.Enabled || in.Unwanted != "" {
			// The last samples of a collector that goes must not count for one that comes.
			r.tracker.Restart(pushed)
		}

		state, message := handover.Step(current.State, in)
		if state != current.State {
			if current.State != "" {
				log.Info("Seed has changed its state", "seed", s.name, "from", current.State, "to", state, "reason", message)
				r.tell(ex, s.name, current.State, state, message)
			}
			current.Since = metav1Time(common.Now)
		} else if state == configv1alpha1.SeedFederationStateReturning {
			// Why it was entered says more than what it waits for.
			message = current.Message
		}
		current.Name, current.Instance, current.State, current.Message = s.name, s.instance, state, message
		current.CABundle = ""
		if s.unwanted == "" {
			current.CABundle = s.caBundle
		}
		current.LastSample = newest(current.LastSample, in.Push.Newest, in.Shadow.Newest)
		next = append(next, current)

		// A Lease that is not renewed any more does not say that the extension has left: then it is marked, or gone.
		if in.Unwanted == "" && (in.Enabled || s.lease != nil) {
			wantedSince[s.name] = earliest(r.wantedSince[s.name], common.Now)
		}
		federation.Seeds = append(federation.Seeds, r.federation(&current, in, wantedSince[s.name]))
	}
	r.wantedSince = wantedSince
	return next, federation
}

// federation returns what the replicas have of a seed that is to push since the given time, or not at all.
func (r *Reconciler) federation(s *configv1alpha1.SeedFederationStatus, in handover.Input, wantedSince time.Time) handover.SeedFederation {
	federation := handover.SeedFederation{Name: s.Name, State: string(s.State), Enabled: !wantedSince.IsZero(), Fresh: in.Push.InKnown || in.Shadow.InKnown}
	if s.LastSample != nil {
		federation.Newest = s.LastSample.Time
	}
	allowance := max(in.Config.ReturnAfter.Duration, startAllowance)
	if s.LastSample != nil && s.LastSample.After(wantedSince) {
		allowance = in.Config.ReturnAfter.Duration
	}
	federation.Stale = federation.Enabled && in.Push.StaleInAll && in.Shadow.StaleInAll && in.Now.Sub(wantedSince) > allowance
	return federation
}

// earliest returns the time since when something is so, which is now if it was not before.
func earliest(before, now time.Time) time.Time {
	if before.IsZero() {
		return now
	}
	return before
}

// tell tells that a seed has changed its state. That it begins to push is no news, but that it replaces pull, or does so no longer.
func (r *Reconciler) tell(ex *extensionsv1alpha1.Extension, seedName string, from, to configv1alpha1.SeedFederationState, message string) {
	replaces := func(state configv1alpha1.SeedFederationState) bool {
		return state == configv1alpha1.SeedFederationStatePush || state == configv1alpha1.SeedFederationStateReturning
	}
	if !replaces(from) && !replaces(to) {
		return
	}
	eventType := corev1.EventTypeNormal
	if to == configv1alpha1.SeedFederationStateReturning {
		eventType = corev1.EventTypeWarning
	}
	// Events of the same object, reason and action are counted as one.
	r.Recorder.Eventf(ex, nil, eventType, eventHandOver, "HandOver/"+seedName, "Seed %s: %s instead of %s. %s", seedName, to, from, message)
}

func (r *Reconciler) findExtension(ctx context.Context) (*extensionsv1alpha1.Extension, error) {
	list := &extensionsv1alpha1.ExtensionList{}
	if err := r.Client.List(ctx, list, client.InNamespace(r.Namespace)); err != nil {
		return nil, fmt.Errorf("failed to list the Extensions in namespace %s: %w", r.Namespace, err)
	}
	var found *extensionsv1alpha1.Extension
	for i := range list.Items {
		ex := &list.Items[i]
		if receiver.IsGardenExtension(ex) && !receiver.Released(ex) && (found == nil || ex.DeletionTimestamp == nil) {
			found = ex
		}
	}
	return found, nil
}

func receiverReady(ex *extensionsv1alpha1.Extension) bool {
	condition := v1beta1helper.GetCondition(ex.Status.Conditions, conditions.TypeReceiverReady)
	return condition != nil && condition.Status == gardencorev1beta1.ConditionTrue
}
