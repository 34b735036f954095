// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seed

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/seedcollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/health"
)

// newValues translates the configuration. Image and destination are left to the caller.
func newValues(cfg *config.SeedFederationConfig) *seedcollector.Values {
	selectors := cfg.Selectors
	if len(selectors) == 0 {
		selectors = seedcollector.DefaultSelectors()
	}

	return &seedcollector.Values{
		ScrapeInterval:   cfg.Scrape.Interval.Duration,
		ScrapeTimeout:    cfg.Scrape.Timeout.Duration,
		Selectors:        append(append([]string{}, selectors...), cfg.AdditionalSelectors...),
		Compression:      string(cfg.Compression.Algorithm),
		CompressionLevel: cfg.Compression.Level,
		Queue:            collector.QueueFor(cfg.Queue),
		Resources:        ptr.Deref(cfg.Resources, seedcollector.DefaultResources()),
		DebugExporter:    ptr.Deref(cfg.DebugExporter, false),
	}
}

// FindDestination returns where to push to, and what the token tells of itself: from the override in the configuration or else from the
// credentials that the garden issued. If that is not known yet, a text says why.
func FindDestination(ctx context.Context, c client.Reader, seedName, namespace string, override *config.GardenEndpoint) (*seedcollector.Destination, health.Token, string, error) {
	if override != nil {
		return overriddenDestination(ctx, c, seedName, namespace, override)
	}

	secret := &corev1.Secret{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: constants.CredentialsSecretName}, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, health.Token{}, fmt.Sprintf("Credentials for seed %s have not been issued yet: is the extension enabled in the Garden?", seedName), nil
		}
		return nil, health.Token{}, "", fmt.Errorf("failed to get Secret %s/%s: %w", namespace, constants.CredentialsSecretName, err)
	}

	for _, key := range []string{constants.DataKeyEndpoint, constants.DataKeyToken} {
		if len(secret.Data[key]) == 0 {
			return nil, health.Token{}, fmt.Sprintf("Secret %s/%s has no key %q: it is a copy of Secret seed-%s/%s in the virtual garden, which the garden part of the extension writes.",
				namespace, secret.Name, key, seedName, secret.Name), nil
		}
	}

	instance := string(secret.Data[constants.DataKeyInstance])
	if instance == "" {
		// A seed without an ingress has never been a target of pull, so there is no name to keep.
		instance = constants.JobPrometheusAggregate
	}

	return &seedcollector.Destination{
		Endpoint:   string(secret.Data[constants.DataKeyEndpoint]),
		CABundle:   secret.Data[constants.DataKeyCABundle],
		Instance:   instance,
		SecretName: secret.Name,
	}, health.NewToken(seedName, string(secret.Data[constants.DataKeyToken])), "", nil
}

func overriddenDestination(ctx context.Context, c client.Reader, seedName, namespace string, override *config.GardenEndpoint) (*seedcollector.Destination, health.Token, string, error) {
	secret := &corev1.Secret{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: override.TokenSecretRef.Name}, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, health.Token{}, fmt.Sprintf("Secret %s/%s, which spec.providerConfig.garden.tokenSecretRef names, does not exist: create it with the key %q.",
				namespace, override.TokenSecretRef.Name, constants.DataKeyToken), nil
		}
		return nil, health.Token{}, "", fmt.Errorf("failed to get Secret %s/%s: %w", namespace, override.TokenSecretRef.Name, err)
	}

	if len(secret.Data[constants.DataKeyToken]) == 0 {
		return nil, health.Token{}, fmt.Sprintf("Secret %s/%s, which spec.providerConfig.garden.tokenSecretRef names, has no key %q.",
			namespace, secret.Name, constants.DataKeyToken), nil
	}

	return &seedcollector.Destination{
		Endpoint:   override.Endpoint,
		CABundle:   []byte(ptr.Deref(override.CABundle, "")),
		Instance:   ptr.Deref(override.Instance, constants.JobPrometheusAggregate),
		SecretName: secret.Name,
		AllLabels:  true,
	}, health.NewToken(seedName, string(secret.Data[constants.DataKeyToken])), "", nil
}
