// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package webhook registers the webhooks of this extension in the runtime cluster and serves them.
package webhook

import (
	"context"
	"errors"
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	ctrlwebhook "sigs.k8s.io/controller-runtime/pkg/webhook"

	extensionswebhook "github.com/gardener/gardener/extensions/pkg/webhook"
	extensionscertificateswebhook "github.com/gardener/gardener/extensions/pkg/webhook/certificates"
	extensionscmdwebhook "github.com/gardener/gardener/extensions/pkg/webhook/cmd"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/webhook/prometheus"
	"github.com/gardener/gardener-extension-otel-federation/pkg/webhook/scrapeconfig"
)

// ComponentName is what the names of the MutatingWebhookConfiguration, the webhooks and the Service derive from. Only the
// deployment in the runtime cluster has webhooks.
const ComponentName = constants.ExtensionType + extensionswebhook.NameSuffixRuntime

// registration is a webhook together with what the library cannot express.
type registration struct {
	*extensionswebhook.Webhook

	matchConditions []admissionregistrationv1.MatchCondition
}

// AddToManager makes the manager serve the webhooks in all replicas, and register them and manage their certificates in the
// leader. It is put together from the parts of the library instead of its AddToManagerConfig.AddToManager
// (extensions/pkg/webhook/cmd/options.go), because that knows no matchConditions.
func AddToManager(ctx context.Context, mgr manager.Manager, server *extensionscmdwebhook.ServerConfig) error {
	if err := validate(server); err != nil {
		return err
	}

	registrations, err := newRegistrations(mgr)
	if err != nil {
		return err
	}
	if err := waitForTypes(ctx, mgr, registrations); err != nil {
		return err
	}

	webhookServer, ok := mgr.GetWebhookServer().(*ctrlwebhook.DefaultServer)
	if !ok {
		return fmt.Errorf("the webhook server is a %T instead of a %T: create the manager with the latter", mgr.GetWebhookServer(), webhookServer)
	}
	for _, r := range registrations {
		webhookServer.Register(r.Path, r.Webhook.Webhook)
	}

	configs, err := buildConfigs(mgr.GetClient(), registrations, server, webhookServer.Options.Port)
	if err != nil {
		return err
	}

	if err := setOwner(ctx, mgr.GetAPIReader(), configs.MutatingWebhookConfig, server.OwnerNamespace); err != nil {
		return err
	}

	if err := mgr.Add(&registrar{
		log:            mgr.GetLogger().WithName("webhook-registrar"),
		client:         mgr.GetClient(),
		config:         configs.MutatingWebhookConfig.DeepCopy(),
		ownerNamespace: server.OwnerNamespace,
	}); err != nil {
		return fmt.Errorf("failed to add the registration of the webhooks to the manager: %w", err)
	}

	if err := extensionscertificateswebhook.AddCertificateManagementToManager(
		ctx, mgr, nil, clock.RealClock{},
		configs, nil, nil, nil, "",
		ComponentName, false,
		server.Namespace, server.Mode, server.URL,
	); err != nil {
		return fmt.Errorf("failed to add the management of the webhooks' certificates in namespace %s to the manager: %w", server.Namespace, err)
	}
	return nil
}

func validate(server *extensionscmdwebhook.ServerConfig) error {
	if server.Namespace == "" {
		return errors.New("the namespace for the certificates of the webhooks is not known: set the environment variable WEBHOOK_CONFIG_NAMESPACE or --" + extensionscmdwebhook.NamespaceFlag + " to the namespace that the extension runs in")
	}

	switch server.Mode {
	case extensionswebhook.ModeService:
		return nil
	case extensionswebhook.ModeURL:
		if server.URL == "" {
			return fmt.Errorf("the webhooks have no URL: set --%s to host and port of the webhook server", extensionscmdwebhook.URLFlag)
		}
		return nil
	default:
		return fmt.Errorf("webhook mode %q is not supported: set --%s to %q or %q", server.Mode, extensionscmdwebhook.ModeFlag, extensionswebhook.ModeService, extensionswebhook.ModeURL)
	}
}

func newRegistrations(mgr manager.Manager) ([]registration, error) {
	prometheusWebhook, err := prometheus.New(mgr)
	if err != nil {
		return nil, err
	}
	scrapeConfigWebhook, err := scrapeconfig.New(mgr)
	if err != nil {
		return nil, err
	}
	return []registration{
		{Webhook: prometheusWebhook, matchConditions: prometheus.MatchConditions()},
		{Webhook: scrapeConfigWebhook, matchConditions: scrapeconfig.MatchConditions()},
	}, nil
}

// buildConfigs builds the MutatingWebhookConfiguration, still without a CA bundle.
func buildConfigs(c client.Client, registrations []registration, server *extensionscmdwebhook.ServerConfig, port int) (extensionswebhook.Configs, error) {
	if server.ServicePort > 0 {
		port = server.ServicePort
	}

	webhooks := make([]*extensionswebhook.Webhook, 0, len(registrations))
	for _, r := range registrations {
		webhooks = append(webhooks, r.Webhook)
	}

	configs, _, err := extensionswebhook.BuildWebhookConfigs(webhooks, c, server.Namespace, ComponentName, false, port, server.Mode, server.URL, nil, false)
	if err != nil {
		return extensionswebhook.Configs{}, fmt.Errorf("failed to build the MutatingWebhookConfiguration: %w", err)
	}

	// The library keeps the order.
	for i, r := range registrations {
		configs.MutatingWebhookConfig.Webhooks[i].MatchConditions = r.matchConditions
	}
	return configs, nil
}
