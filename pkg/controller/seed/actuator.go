// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package seed reconciles Extensions of class seed: it deploys the collector that pushes the samples of the seed's aggregate
// Prometheus to the garden.
package seed

import (
	"context"
	"fmt"
	"net/http"
	"os"

	"github.com/go-logr/logr"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/extensions/pkg/controller/extension"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/component"
	kubernetesutils "github.com/gardener/gardener/pkg/utils/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/imagevector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/seedcollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/drain"
)

type actuator struct {
	client       client.Client
	reader       client.Reader
	gardenReader client.Reader
	httpClient   *http.Client
	clock        clock.Clock
	seedName     string
}

// NewActuator returns an actuator for Extensions of class seed. The reader must not be a cache: the kind
// OpenTelemetryCollector may not exist in the cluster yet, and StatefulSets and pods are read once, when the collector is removed or replaced. The gardenReader reads from
// the virtual garden, not from a cache either: one would hide that the virtual garden cannot be reached. Without it, Delete does
// not wait for the garden. The httpClient is for the collector's own metrics.
func NewActuator(c client.Client, reader, gardenReader client.Reader, httpClient *http.Client, clock clock.Clock, seedName string) extension.Actuator {
	return newActuator(c, reader, gardenReader, httpClient, clock, seedName)
}

func newActuator(c client.Client, reader, gardenReader client.Reader, httpClient *http.Client, clock clock.Clock, seedName string) *actuator {
	return &actuator{client: c, reader: reader, gardenReader: gardenReader, httpClient: httpClient, clock: clock, seedName: seedName}
}

// Reconcile deploys the seed collector. It waits for nothing: gardenlet deploys what the collector needs (its operator among
// it) only after this has succeeded. What is missing is said in the condition CredentialsValid, by the controller federationhealth.
func (a *actuator) Reconcile(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	cfg, err := loader.DecodeSeedFederationConfig(ex.Spec.ProviderConfig)
	if err != nil {
		return err
	}

	if err := a.setCompatibleCondition(ctx, ex); err != nil {
		return err
	}

	destination, _, problem, err := FindDestination(ctx, a.client, a.seedName, ex.Namespace, cfg.Garden)
	if err != nil {
		return err
	}

	if destination == nil {
		log.Info("Credentials are missing", "problem", problem)

		running, err := a.collectorExists(ctx, ex.Namespace)
		if err != nil {
			return err
		}
		if running {
			// A Secret that vanished must not take a running collector away: what it reads is still mounted.
			return nil
		}
	}

	values, err := a.values(cfg, destination)
	if err != nil {
		return err
	}

	if err := seedcollector.New(a.client, ex.Namespace, *values).Deploy(ctx); err != nil {
		return fmt.Errorf("failed to deploy the seed collector: %w", err)
	}
	return nil
}

// Delete removes the seed collector with its volumes and the copy of the credentials, as soon as the garden pulls again and has got what was
// in the queue.
func (a *actuator) Delete(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	if err := a.waitUntilPulled(ctx, log, ex); err != nil {
		return err
	}
	if wanted, err := a.gardenWantsSamples(ctx, ex); err != nil {
		return err
	} else if wanted {
		if err := a.queues().Wait(ctx, log, ex); err != nil {
			return err
		}
	}

	if err := component.OpDestroyAndWait(a.emptyCollector(ex.Namespace)).Destroy(ctx); err != nil {
		return fmt.Errorf("failed to remove the seed collector: %w", err)
	}

	return a.deleteCredentials(ctx, ex.Namespace)
}

// ForceDelete is Delete without waiting.
func (a *actuator) ForceDelete(ctx context.Context, _ logr.Logger, ex *extensionsv1alpha1.Extension) error {
	if err := a.emptyCollector(ex.Namespace).Destroy(ctx); err != nil {
		return fmt.Errorf("failed to remove the seed collector: %w", err)
	}

	return a.deleteCredentials(ctx, ex.Namespace)
}

// Migrate does nothing: seeds are not migrated.
func (a *actuator) Migrate(context.Context, logr.Logger, *extensionsv1alpha1.Extension) error {
	return nil
}

// Restore is Reconcile.
func (a *actuator) Restore(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	return a.Reconcile(ctx, log, ex)
}

func (a *actuator) emptyCollector(namespace string) seedcollector.Interface {
	return seedcollector.New(a.client, namespace, seedcollector.Values{})
}

func (a *actuator) queues() *drain.Queues {
	return &drain.Queues{
		Client:     a.client,
		Reader:     a.reader,
		Clock:      a.clock,
		HTTPClient: a.httpClient,
		Component:  constants.SeedCollectorName,
		Hint:       "can the collector reach the garden, and does that accept its samples?",
	}
}

func (a *actuator) deleteCredentials(ctx context.Context, namespace string) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: constants.CredentialsSecretName}}
	if err := kubernetesutils.DeleteObject(ctx, a.client, secret); err != nil {
		return fmt.Errorf("failed to delete Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return nil
}

// collectorExists returns false as well if the kind is not known yet.
func (a *actuator) collectorExists(ctx context.Context, namespace string) (bool, error) {
	obj := &otelv1beta1.OpenTelemetryCollector{}
	err := a.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: constants.SeedCollectorName}, obj)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("failed to get OpenTelemetryCollector %s/%s: %w", namespace, constants.SeedCollectorName, err)
	}
	return true, nil
}

func (a *actuator) values(cfg *config.SeedFederationConfig, destination *seedcollector.Destination) (*seedcollector.Values, error) {
	image, err := imagevector.FindImage(imagevector.ImageNameOpenTelemetryCollector)
	if err != nil {
		return nil, fmt.Errorf("failed to find the image of the collector: %w", err)
	}

	values := newValues(cfg)
	values.Image = image
	values.CheckQueueImage = os.Getenv(constants.EnvImage)
	values.Destination = destination
	return values, nil
}
