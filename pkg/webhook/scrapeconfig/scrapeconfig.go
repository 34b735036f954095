// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package scrapeconfig keeps the garden Prometheus from pulling from seeds that push, although gardener-resource-manager writes
// their targets again and again.
package scrapeconfig

import (
	"context"
	"fmt"
	"strings"

	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	extensionswebhook "github.com/gardener/gardener/extensions/pkg/webhook"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

// Name is the name of the webhook, and the last part of its path.
const Name = "scrapeconfig"

// New returns the webhook for the ScrapeConfigs by which the garden Prometheus pulls from the seeds. MatchConditions belong to it.
func New(mgr manager.Manager) (*extensionswebhook.Webhook, error) {
	types := []extensionswebhook.Type{{Obj: &monitoringv1alpha1.ScrapeConfig{}}}

	handler, err := extensionswebhook.NewBuilder(mgr, mgr.GetLogger().WithName(Name+"-webhook")).WithMutator(NewMutator(mgr.GetClient()), types...).Build()
	if err != nil {
		return nil, fmt.Errorf("failed to build the handler of webhook %s: %w", Name, err)
	}

	return &extensionswebhook.Webhook{
		Action:  extensionswebhook.ActionMutating,
		Name:    Name,
		Path:    "/webhooks/" + Name,
		Target:  extensionswebhook.TargetSeed,
		Types:   types,
		Webhook: &admission.Webhook{Handler: handler, RecoverPanic: new(true)},
		NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{
			corev1.LabelMetadataName: v1beta1constants.GardenNamespace,
		}},
		// A write that the webhook does not see lets seeds be pulled that push as well, which loses nothing, until the controller takes
		// their targets out again. That is no reason to keep anybody from writing.
		FailurePolicy: new(admissionregistrationv1.Ignore),
	}, nil
}

// MatchConditions spare all other objects from depending on this webhook: by their names, because the label by which the garden
// Prometheus selects ScrapeConfigs is on all of them, and is one that the webhook removes.
func MatchConditions() []admissionregistrationv1.MatchCondition {
	var names []string
	for _, name := range handover.ScrapeConfigNames() {
		names = append(names, fmt.Sprintf("%q", name))
	}
	return []admissionregistrationv1.MatchCondition{
		{Name: "name", Expression: fmt.Sprintf("request.name in [%s]", strings.Join(names, ", "))},
		{Name: "not-being-deleted", Expression: "!has(object.metadata.deletionTimestamp)"},
	}
}

type mutator struct {
	reader client.Reader
}

// NewMutator returns the mutator of the webhook. The reader lists Extensions.
func NewMutator(reader client.Reader) extensionswebhook.Mutator {
	return &mutator{reader: reader}
}

// Mutate takes the targets out that the controller has noted on the ScrapeConfig, as long as there is an Extension by which their
// seeds push. Otherwise it leaves the object as whoever writes it wants it.
func (m *mutator) Mutate(ctx context.Context, newObj, _ client.Object) error {
	scrapeConfig, ok := newObj.(*monitoringv1alpha1.ScrapeConfig)
	if !ok {
		return fmt.Errorf("webhook %s is for objects of type %T only, but got %T: correct the rules of the MutatingWebhookConfiguration", Name, scrapeConfig, newObj)
	}
	if scrapeConfig.DeletionTimestamp != nil {
		return nil
	}

	extensions := &extensionsv1alpha1.ExtensionList{}
	if err := m.reader.List(ctx, extensions, client.InNamespace(scrapeConfig.Namespace)); err != nil {
		return fmt.Errorf("cannot tell whether targets of ScrapeConfig %s are to be withheld, because the Extensions in its namespace cannot be listed: %w: try again", client.ObjectKeyFromObject(scrapeConfig), err)
	}
	if receiver.Wanted(scrapeConfig.Namespace, extensions.Items) {
		handover.Withhold(scrapeConfig)
	}
	return nil
}
