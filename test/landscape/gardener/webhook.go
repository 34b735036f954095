// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/pkg/utils/retry"
)

const (
	// gardenWebhookName is the name of the Service of the webhook of class garden and of its configuration: Gardener's library
	// demands the former and gives the latter (extensions/pkg/webhook, PrefixedName and NameSuffixRuntime).
	gardenWebhookName = "gardener-extension-otel-federation-runtime"
	portGardenWebhook = 443

	readinessInterval = 500 * time.Millisecond
	// readinessTimeout is long enough for a process on a busy machine: without a ready endpoint the API server refuses the garden Prometheus.
	readinessTimeout = 2 * time.Second
	webhookTimeout   = time.Minute
)

// WebhookEndpoints are the endpoints of the webhook that the extension's processes of class garden serve. They play kubelet and
// kube-controller-manager, which for real ask the pods whether they are ready and tell the Service.
type WebhookEndpoints struct {
	client     client.Client
	log        logr.Logger
	service    processService
	readyURLs  []string
	httpClient *http.Client
	ready      []bool
}

// GardenWebhookEndpoints returns the endpoints of the webhook of class garden.
func (l *Landscape) GardenWebhookEndpoints(runtimeClient client.Client, log logr.Logger) *WebhookEndpoints {
	e := &WebhookEndpoints{
		client: runtimeClient,
		log:    log,
		service: processService{
			key:        client.ObjectKey{Namespace: NamespaceRuntimeExtension, Name: gardenWebhookName},
			port:       portGardenWebhook,
			targetPort: portGardenExtensionWebhook,
		},
		// A process that was started again must not be asked on a connection to its predecessor.
		httpClient: &http.Client{Timeout: readinessTimeout, Transport: &http.Transport{DisableKeepAlives: true}},
		ready:      make([]bool, GardenExtensionReplicas),
	}
	for replica := range GardenExtensionReplicas {
		address := l.Runtime.ReplicaAddress(replica)
		e.service.addresses = append(e.service.addresses, address)
		e.readyURLs = append(e.readyURLs, "http://"+net.JoinHostPort(address, strconv.Itoa(portGardenExtensionHealth))+"/readyz")
	}
	return e
}

// Deploy creates the Service with endpoints of which none is ready yet.
func (e *WebhookEndpoints) Deploy(ctx context.Context) error {
	return e.service.deploy(ctx, e.client, e.ready)
}

// Start keeps the endpoints up to date until the context ends. An update that fails is tried again.
func (e *WebhookEndpoints) Start(ctx context.Context) error {
	ticker := time.NewTicker(readinessInterval)
	defer ticker.Stop()
	for {
		if err := e.update(ctx); err != nil && ctx.Err() == nil {
			e.log.Error(err, "Failed to update the endpoints of the webhook")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// update asks all processes whether they are ready, and writes that down if it has changed.
func (e *WebhookEndpoints) update(ctx context.Context) error {
	ready := make([]bool, len(e.readyURLs))
	var group sync.WaitGroup
	for i, url := range e.readyURLs {
		group.Go(func() { ready[i] = e.isReady(ctx, url) })
	}
	group.Wait()

	if err := ctx.Err(); err != nil {
		return err
	}
	if slices.Equal(ready, e.ready) {
		return nil
	}
	if err := e.service.setReady(ctx, e.client, ready); err != nil {
		return err
	}
	e.log.Info("Updated the endpoints of the webhook", "addresses", e.service.addresses, "ready", ready)
	e.ready = ready
	return nil
}

func (e *WebhookEndpoints) isReady(ctx context.Context, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := e.httpClient.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// WaitForGardenWebhook waits until the webhook of class garden is registered with its CA and has an endpoint that is ready.
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

	key := client.ObjectKey{Namespace: NamespaceRuntimeExtension, Name: gardenWebhookName}
	slice := &discoveryv1.EndpointSlice{}
	if err := c.Get(ctx, key, slice); err != nil {
		return fmt.Errorf("failed to read EndpointSlice %s: %w", key, err)
	}
	if !slices.ContainsFunc(slice.Endpoints, func(endpoint discoveryv1.Endpoint) bool {
		return endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready
	}) {
		return fmt.Errorf("no endpoint of EndpointSlice %s is ready: no process of the extension answers 200 to /readyz", key)
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
			return fmt.Errorf("the extension's webhook does not enable the OTLP receiver of Prometheus %s (is Extension %s/%s there? see the logs of the processes %s and %s): %w",
				client.ObjectKeyFromObject(prometheus), Namespace, GardenExtensionName, GardenExtensionProcess(0), GardenExtensionProcess(1), err)
		}
	}
	return nil
}
