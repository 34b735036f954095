// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	extensionscmdwebhook "github.com/gardener/gardener/extensions/pkg/webhook/cmd"
)

// ConfigFor returns the configuration that is registered for a server that listens on the given port.
func ConfigFor(mgr manager.Manager, server *extensionscmdwebhook.ServerConfig, port int) (*admissionregistrationv1.MutatingWebhookConfiguration, error) {
	registrations, err := newRegistrations(mgr)
	if err != nil {
		return nil, err
	}
	configs, err := buildConfigs(mgr.GetClient(), registrations, server, port)
	return configs.MutatingWebhookConfig, err
}

// SetOwner lets a configuration be owned by a namespace.
func SetOwner(ctx context.Context, reader client.Reader, config *admissionregistrationv1.MutatingWebhookConfiguration, namespace string) error {
	return setOwner(ctx, reader, config, namespace)
}

// WaitForKind waits until the API server serves a kind.
func WaitForKind(ctx context.Context, mapper meta.RESTMapper, kind schema.GroupKind) error {
	return waitForKind(ctx, mapper, kind)
}
