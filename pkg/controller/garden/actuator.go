// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package garden reconciles Extensions of class garden: it deploys the fan-out collector, and what the credentials controller
// needs to let the seeds in.
package garden

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/extensions/pkg/controller/extension"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	"github.com/gardener/gardener/pkg/component"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	handovercontroller "github.com/gardener/gardener-extension-otel-federation/pkg/controller/handover"
)

type actuator struct {
	client client.Client
	reader client.Reader
	// httpClient is for the collectors' own metrics.
	httpClient *http.Client
	clock      clock.Clock
}

// NewActuator returns an actuator for Extensions of class garden. The reader must not be a cache, because the kinds that it
// reads may not exist yet. The httpClient is for the collectors' own metrics.
func NewActuator(c client.Client, reader client.Reader, httpClient *http.Client, clock clock.Clock) extension.Actuator {
	return &actuator{client: c, reader: reader, httpClient: httpClient, clock: clock}
}

// Reconcile deploys the fan-out collector and publishes how credentials are to be issued. It waits for nothing:
// gardener-operator goes on with the Garden only after this has succeeded.
func (a *actuator) Reconcile(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	cfg, err := loader.DecodeGardenFederationConfig(ex.Spec.ProviderConfig)
	if err != nil {
		return err
	}

	garden, err := a.getGarden(ctx)
	if err != nil {
		return err
	}

	host, err := ingressHost(garden, *cfg.Ingress.HostPrefix)
	if err != nil {
		return err
	}

	signingKeys, err := a.generateSigningKeys(ctx, log, ex, cfg.Token.Validity.Duration)
	if err != nil {
		return err
	}

	certificates, err := a.generateCertificates(ctx, log, garden, ex, host)
	if err != nil {
		return err
	}

	ingress, err := a.ingress(ctx, ex.Namespace, host, certificates)
	if err != nil {
		return err
	}

	values, err := newValues(cfg, signingKeys.jwks, ingress)
	if err != nil {
		return err
	}
	if values.Shadow, err = shadows(cfg, ex); err != nil {
		return err
	}
	if values.AwayForLong, err = a.awayForLong(ctx, ex.Namespace); err != nil {
		return err
	}
	followQueues(values, ex)
	fanOut := gardencollector.New(a.client, ex.Namespace, *values)
	if err := fanOut.Deploy(ctx); err != nil {
		return fmt.Errorf("failed to deploy the fan-out collector: %w", err)
	}
	rolledOut, err := fanOut.IsRolledOut(ctx)
	if err != nil {
		return err
	}
	signingKey, err := a.chooseSigningKey(ctx, log, ex, signingKeys, rolledOut)
	if err != nil {
		return err
	}

	if err := a.deployGardenAccess(ctx, ex.Namespace); err != nil {
		return err
	}
	receiver, err := a.enableReceiver(ctx, ex.Namespace, cfg.OutOfOrderTimeWindow.Duration)
	if err != nil {
		return err
	}
	if err := a.publishIssuerConfig(ctx, ex.Namespace, cfg, host, signingKey, certificates, receiver.ready); err != nil {
		return err
	}

	if err := errors.Join(signingKeys.manager.Cleanup(ctx), certificates.manager.Cleanup(ctx)); err != nil {
		return fmt.Errorf("failed to clean up old keys and certificates: %w", err)
	}

	return errors.Join(
		a.setIngressCondition(ctx, ex, host, ingress, certificates.waitFor),
		a.setReceiverCondition(ctx, ex, receiver),
		a.setCompatibleCondition(ctx, ex, values.Image),
	)
}

// Delete waits until all seeds are pulled again. Then it takes their credentials away, then the fan-out, as soon as that has delivered what
// it has, with its volumes, then what the garden Prometheus needed for it, then keys and certificates.
func (a *actuator) Delete(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	if err := a.handBack(ctx, log, ex); err != nil {
		return err
	}

	if err := a.withdrawCredentials(ctx, log, ex.Namespace); err != nil {
		return err
	}

	if err := a.drain(ctx, log, ex); err != nil {
		return err
	}

	if err := component.OpDestroyAndWait(a.emptyCollector(ex.Namespace)).Destroy(ctx); err != nil {
		return fmt.Errorf("failed to remove the fan-out collector: %w", err)
	}

	if err := a.releaseReceiver(ctx, log, ex); err != nil {
		return err
	}

	if err := handovercontroller.Restore(ctx, a.client, a.reader, ex.Namespace); err != nil {
		return err
	}

	if err := a.destroyGardenAccess(ctx, ex.Namespace, true); err != nil {
		return err
	}

	return a.cleanupSecrets(ctx, log, ex.Namespace)
}

// ForceDelete is Delete without waiting and without a look into the virtual garden.
func (a *actuator) ForceDelete(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	if err := a.deleteIssuerConfig(ctx, ex.Namespace); err != nil {
		return err
	}

	if err := a.emptyCollector(ex.Namespace).Destroy(ctx); err != nil {
		return fmt.Errorf("failed to remove the fan-out collector: %w", err)
	}

	if _, err := a.markReleased(ctx, ex); err != nil {
		return err
	}
	if _, err := a.tryRelease(ctx, ex.Namespace); err != nil {
		log.Error(err, "The garden Prometheus keeps its OTLP receiver until it is applied again", "managedResource", handovercontroller.PrometheusManagedResourceName)
	}
	if err := handovercontroller.Restore(ctx, a.client, a.reader, ex.Namespace); err != nil {
		return err
	}

	if err := a.destroyGardenAccess(ctx, ex.Namespace, false); err != nil {
		return err
	}

	return a.cleanupSecrets(ctx, log, ex.Namespace)
}

// Migrate does nothing: gardens are not migrated.
func (a *actuator) Migrate(context.Context, logr.Logger, *extensionsv1alpha1.Extension) error {
	return nil
}

// Restore is Reconcile.
func (a *actuator) Restore(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	return a.Reconcile(ctx, log, ex)
}

func (a *actuator) emptyCollector(namespace string) gardencollector.Interface {
	return gardencollector.New(a.client, namespace, gardencollector.Values{})
}

func (a *actuator) getGarden(ctx context.Context) (*operatorv1alpha1.Garden, error) {
	list := &operatorv1alpha1.GardenList{}
	if err := a.client.List(ctx, list); err != nil {
		return nil, fmt.Errorf("failed to list Gardens: %w", err)
	}
	if n := len(list.Items); n != 1 {
		return nil, fmt.Errorf("there must be exactly one Garden in the runtime cluster, but there are %d", n)
	}
	return &list.Items[0], nil
}

func ingressHost(garden *operatorv1alpha1.Garden, prefix string) (string, error) {
	domains := garden.Spec.RuntimeCluster.Ingress.Domains
	if len(domains) == 0 {
		return "", fmt.Errorf("Garden %s has no ingress domain: set spec.runtimeCluster.ingress.domains", garden.Name)
	}
	return prefix + "." + domains[0].Name, nil
}

func (a *actuator) setReceiverCondition(ctx context.Context, ex *extensionsv1alpha1.Extension, receiver *receiverState) error {
	status := gardencorev1beta1.ConditionProgressing
	if receiver.ready {
		status = gardencorev1beta1.ConditionTrue
	}
	return conditions.Set(ctx, a.client, a.clock, ex, conditions.TypeReceiverReady, status, receiver.reason, receiver.message)
}
