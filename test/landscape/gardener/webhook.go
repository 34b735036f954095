// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"errors"
	"fmt"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/pkg/utils/retry"
)

const (
	// gardenWebhookName is the name of the Service of the webhook of class garden and of its configuration: Gardener's library
	// demands the former and gives the latter (extensions/pkg/webhook, PrefixedName and NameSuffixRuntime).
	gardenWebhookName = GardenExtensionDeployment
	webhookTimeout    = time.Minute
)

// WaitForGardenWebhook waits until the webhook of class garden is registered with its CA.
func WaitForGardenWebhook(ctx context.Context, c client.Client) error {
	if err := retry.UntilTimeout(ctx, 200*time.Millisecond, webhookTimeout, func(ctx context.Context) (bool, error) {
		if err := checkGardenWebhook(ctx, c); err != nil {
			return retry.MinorError(err)
		}
		return retry.Ok()
	}); err != nil {
		return fmt.Errorf("the webhook of the extension of class garden is not ready: %w", err)
	}
	return nil
}

func checkGardenWebhook(ctx context.Context, c client.Client) error {
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{}
	if err := c.Get(ctx, client.ObjectKey{Name: gardenWebhookName}, configuration); err != nil {
		return fmt.Errorf("failed to read MutatingWebhookConfiguration %s, which the leader of the extension creates: %w", gardenWebhookName, err)
	}
	for _, webhook := range configuration.Webhooks {
		if len(webhook.ClientConfig.CABundle) == 0 {
			return fmt.Errorf("webhook %s of MutatingWebhookConfiguration %s has no CA bundle, which the leader of the extension injects", webhook.Name, gardenWebhookName)
		}
	}
	return nil
}

// waitForOTLPReceiver waits until a Prometheus that is created gets the OTLP receiver from the extension's webhook. It creates
// it without keeping it: the API server learns of webhooks and endpoints, and the extension of the Extension, a moment after
// they can be read.
func waitForOTLPReceiver(ctx context.Context, c client.Client, objects []client.Object) error {
	for _, object := range objects {
		prometheus, ok := object.(*monitoringv1.Prometheus)
		if !ok {
			continue
		}
		if err := retry.UntilTimeout(ctx, 200*time.Millisecond, webhookTimeout, func(ctx context.Context) (bool, error) {
			created := prometheus.DeepCopy()
			if err := c.Create(ctx, created, client.DryRunAll); err != nil {
				return retry.MinorError(err)
			}
			if created.Spec.EnableOTLPReceiver == nil || !*created.Spec.EnableOTLPReceiver {
				return retry.MinorError(errors.New("spec.enableOTLPReceiver is not true"))
			}
			return retry.Ok()
		}); err != nil {
			return fmt.Errorf("the extension's webhook does not enable the OTLP receiver of Prometheus %s (is Extension %s/%s there? see the logs of the pods in namespace %s): %w",
				client.ObjectKeyFromObject(prometheus), Namespace, GardenExtensionName, NamespaceRuntimeExtension, err)
		}
	}
	return nil
}
