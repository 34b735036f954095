// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"context"
	"errors"
	"fmt"
	"slices"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

// PrometheusManagedResourceName is the name of Gardener's ManagedResource for the garden Prometheus and its ScrapeConfigs.
const PrometheusManagedResourceName = "prometheus-" + constants.GardenPrometheusName

// targets remembers Gardener's ScrapeConfigs.
type targets struct {
	secretRefs []corev1.LocalObjectReference
	known      map[string]*monitoringv1alpha1.ScrapeConfig
}

// gardeners returns the ScrapeConfigs for the federation as Gardener wants them, by name. They are read from the ManagedResource,
// because the ScrapeConfigs themselves have lost the targets that are withheld. Its Secrets are named by their content, so they are
// read again only when it refers to others.
func (t *targets) gardeners(ctx context.Context, c client.Client, namespace string) (map[string]*monitoringv1alpha1.ScrapeConfig, error) {
	managedResource := &resourcesv1alpha1.ManagedResource{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: PrometheusManagedResourceName}, managedResource); err != nil {
		return nil, fmt.Errorf("failed to find out from which seeds the garden Prometheus would pull: failed to get ManagedResource %s/%s, which gardener-operator deploys: %w", namespace, PrometheusManagedResourceName, err)
	}
	if t.known != nil && slices.Equal(t.secretRefs, managedResource.Spec.SecretRefs) {
		return t.known, nil
	}

	objects, err := managedresources.GetObjects(ctx, c, namespace, PrometheusManagedResourceName)
	if err != nil {
		return nil, fmt.Errorf("failed to find out from which seeds the garden Prometheus would pull: %w", err)
	}
	known := map[string]*monitoringv1alpha1.ScrapeConfig{}
	for _, object := range objects {
		if scrapeConfig, ok := object.(*monitoringv1alpha1.ScrapeConfig); ok && slices.Contains(handover.ScrapeConfigNames(), scrapeConfig.Name) {
			known[scrapeConfig.Name] = scrapeConfig
		}
	}
	t.known, t.secretRefs = known, managedResource.Spec.SecretRefs
	return known, nil
}

// apply makes the ScrapeConfigs what Gardener wants, less the given targets. It returns whether that has changed anything. The
// webhook keeps them so.
func apply(ctx context.Context, c client.Client, reader client.Reader, namespace string, gardeners map[string]*monitoringv1alpha1.ScrapeConfig, withheld []string) (bool, error) {
	var (
		anyChanged bool
		errs       []error
	)
	for _, name := range handover.ScrapeConfigNames() {
		scrapeConfig := &monitoringv1alpha1.ScrapeConfig{}
		err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, scrapeConfig)
		if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) || err == nil && (scrapeConfig.DeletionTimestamp != nil || gardeners[name] == nil) {
			// gardener-resource-manager is about to create or delete it.
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("failed to get ScrapeConfig %s/%s: %w", namespace, name, err))
			continue
		}

		patch := client.MergeFromWithOptions(scrapeConfig.DeepCopy(), client.MergeFromWithOptimisticLock{})
		restricted := scrapeConfig.DeepCopy()
		handover.Restrict(restricted, gardeners[name], withheld)
		if apiequality.Semantic.DeepEqual(scrapeConfig, restricted) {
			continue
		}
		if err := c.Patch(ctx, restricted, patch); err != nil {
			errs = append(errs, fmt.Errorf("failed to change the targets of ScrapeConfig %s/%s: %w", namespace, name, err))
			continue
		}
		anyChanged = true
	}
	return anyChanged, errors.Join(errs...)
}

// Restore gives the garden Prometheus all targets back that Gardener wants it to have, and removes what the hand-over has made. It
// does not wait until they are pulled. If Gardener's ManagedResource does not exist any more, nobody needs the targets.
func Restore(ctx context.Context, c client.Client, reader client.Reader, namespace string) error {
	if err := deleteRule(ctx, c, namespace); err != nil {
		return err
	}
	gardeners, err := (&targets{}).gardeners(ctx, c, namespace)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = apply(ctx, c, reader, namespace, gardeners, nil)
	return err
}

func deleteRule(ctx context.Context, c client.Client, namespace string) error {
	rule := &monitoringv1.PrometheusRule{ObjectMeta: ruleMeta(namespace)}
	if err := c.Delete(ctx, rule); client.IgnoreNotFound(err) != nil && !meta.IsNoMatchError(err) {
		return fmt.Errorf("failed to delete PrometheusRule %s: %w", client.ObjectKeyFromObject(rule), err)
	}
	return nil
}
