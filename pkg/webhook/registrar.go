// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package webhook

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	extensionswebhook "github.com/gardener/gardener/extensions/pkg/webhook"
	extensionscmdwebhook "github.com/gardener/gardener/extensions/pkg/webhook/cmd"
)

const (
	registrationInterval = 5 * time.Second
	// Together with the start of the manager this stays below the time after which the liveness probe restarts the container.
	typesTimeout  = 30 * time.Second
	typesInterval = time.Second
)

// registrar registers the webhooks once the replica leads. It leaves the CA bundle to the management of the certificates.
type registrar struct {
	log            logr.Logger
	client         client.Client
	config         *admissionregistrationv1.MutatingWebhookConfiguration
	ownerNamespace string
}

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (r *registrar) NeedLeaderElection() bool {
	return true
}

// Start implements manager.Runnable. It tries until it succeeds: the API server may be busy, or the management of the
// certificates may write the configuration at the same time.
func (r *registrar) Start(ctx context.Context) error {
	// The only error is that the context has ended.
	_ = wait.PollUntilContextCancel(ctx, registrationInterval, true, func(ctx context.Context) (bool, error) {
		if err := extensionswebhook.ReconcileSeedWebhookConfig(ctx, r.client, r.config.DeepCopy(), r.ownerNamespace, nil); err != nil {
			r.log.Error(err, "Failed to register the webhooks, trying again", "webhookConfig", r.config.Name)
			return false, nil
		}
		r.log.Info("Registered the webhooks", "webhookConfig", r.config.Name)
		return true, nil
	})
	return nil
}

// setOwner makes sure that uninstalling the extension removes the configuration: with the namespace that gardener-operator deploys the
// extension to (pkg/operator/controller/extension/extension/runtime). The management of the certificates creates a configuration again
// that somebody has deleted, and knows no owner.
func setOwner(ctx context.Context, reader client.Reader, config *admissionregistrationv1.MutatingWebhookConfiguration, ownerNamespace string) error {
	if ownerNamespace == "" {
		return nil
	}

	namespace := &corev1.Namespace{}
	if err := reader.Get(ctx, client.ObjectKey{Name: ownerNamespace}, namespace); err != nil {
		return fmt.Errorf("failed to get namespace %s, which is to own MutatingWebhookConfiguration %s: %w: --%s must name the namespace that the extension runs in",
			ownerNamespace, config.Name, err, extensionscmdwebhook.OwnerNamespaceFlag)
	}
	owner := metav1.NewControllerRef(namespace, corev1.SchemeGroupVersion.WithKind("Namespace"))
	owner.BlockOwnerDeletion = new(false)
	config.OwnerReferences = []metav1.OwnerReference{*owner}
	return nil
}

// waitForTypes waits, bounded, until the API server serves what the webhooks are for. gardener-operator deploys the
// CustomResourceDefinitions at the same time as the extension.
func waitForTypes(ctx context.Context, mgr manager.Manager, registrations []registration) error {
	ctx, cancel := context.WithTimeout(ctx, typesTimeout)
	defer cancel()

	for _, r := range registrations {
		for _, t := range r.Types {
			gvk, err := apiutil.GVKForObject(t.Obj, mgr.GetScheme())
			if err != nil {
				return fmt.Errorf("failed to find the kind that webhook %s is for: %w", r.Name, err)
			}
			if err := waitForKind(ctx, mgr.GetRESTMapper(), gvk.GroupKind()); err != nil {
				return err
			}
		}
	}
	return nil
}

func waitForKind(ctx context.Context, mapper meta.RESTMapper, kind schema.GroupKind) error {
	var lastError error
	if err := wait.PollUntilContextCancel(ctx, typesInterval, true, func(context.Context) (bool, error) {
		_, lastError = mapper.RESTMapping(kind)
		return lastError == nil, nil
	}); err != nil {
		return fmt.Errorf("the webhook for %s cannot be registered, because the API server does not serve this kind: %w: make sure that its CustomResourceDefinition, which gardener-operator deploys, exists", kind, lastError)
	}
	return nil
}
