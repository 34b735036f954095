// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/utils/retry"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/drain"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

const (
	handBackInterval = time.Second
	// handBackTimeout limits one attempt, which leaves time for the rest of the deletion.
	handBackTimeout = time.Minute
	// handBackPatience is for how long a deletion waits in all for the seeds to be pulled again.
	handBackPatience = 10 * time.Minute
	// namedSeeds is how many seeds an error names.
	namedSeeds = 3
)

// shadows returns whether what is pushed is stored under shadow names: once no seed needs it under its own any more.
func shadows(cfg *config.GardenFederationConfig, ex *extensionsv1alpha1.Extension) (bool, error) {
	pushing, err := pushingSeeds(ex)
	return cfg.HandOver.Mode == config.HandOverModeShadow && len(pushing) == 0, err
}

// pushingSeeds returns the names of the seeds whose samples the garden Prometheus has by push only, or may have.
func pushingSeeds(ex *extensionsv1alpha1.Extension) ([]string, error) {
	status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
	if err != nil {
		return nil, fmt.Errorf("the states of the seeds in Extension %s cannot be read: %w", client.ObjectKeyFromObject(ex), err)
	}
	return handover.Pushing(status), nil
}

// handBack waits until the hand-over has brought pull back for all seeds, which it does as soon as the Extension is being deleted.
// If the garden Prometheus goes as well there is nothing to bring back.
func (a *actuator) handBack(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	if prometheus, err := a.lastingPrometheus(ctx, ex.Namespace); err != nil || prometheus == nil {
		return err
	}

	since := ptr.Deref(ex.DeletionTimestamp, metav1.NewTime(a.clock.Now()))
	until := since.Add(handBackPatience)
	if !a.clock.Now().Before(until) {
		log.Info("Not waiting any longer for seeds to be pulled again", "since", since)
		return nil
	}

	current := &extensionsv1alpha1.Extension{}
	if err := retry.UntilTimeout(ctx, handBackInterval, handBackTimeout, func(ctx context.Context) (bool, error) {
		if err := a.reader.Get(ctx, client.ObjectKeyFromObject(ex), current); err != nil {
			return retry.MinorError(fmt.Errorf("failed to get Extension %s: %w", client.ObjectKeyFromObject(ex), err))
		}
		seeds, err := pushingSeeds(current)
		if err != nil {
			return retry.MinorError(err)
		}
		if len(seeds) > 0 {
			return retry.MinorError(fmt.Errorf("%d seeds are not pulled again yet, among them %s: look at status.providerStatus of the Extension for what they wait for",
				len(seeds), strings.Join(seeds[:min(len(seeds), namedSeeds)], ", ")))
		}
		return retry.Ok()
	}); err != nil {
		return fmt.Errorf("failed to hand the seeds back to pull: %w (the deletion goes on in any case at %s)", err, until.UTC().Format(time.RFC3339))
	}
	return nil
}

// drain waits until the fan-out has delivered all that it has. First it takes the fan-out away from the seeds, none of which needs push any
// more: those whose collector still runs get 503 and keep their samples. If the garden Prometheus goes as well nobody wants the samples.
func (a *actuator) drain(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	if prometheus, err := a.lastingPrometheus(ctx, ex.Namespace); err != nil || prometheus == nil {
		return err
	}
	queues := &drain.Queues{
		Client:     a.client,
		Reader:     a.reader,
		Clock:      a.clock,
		HTTPClient: a.httpClient,
		Component:  constants.GardenCollectorName,
		Close:      a.emptyCollector(ex.Namespace).StopReceiving,
		Hint:       fmt.Sprintf("are all replicas of Prometheus %s/%s up?", ex.Namespace, constants.GardenPrometheusName),
	}
	return queues.Wait(ctx, log, ex)
}
