// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package prometheus keeps the garden Prometheus able to take the samples that the fan-out pushes, although
// gardener-resource-manager overwrites its specification again and again.
package prometheus

import (
	"context"
	"fmt"

	"github.com/go-logr/logr"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	extensionswebhook "github.com/gardener/gardener/extensions/pkg/webhook"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/compatibility"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

// Name is the name of the webhook, and the last part of its path.
const Name = "prometheus"

// New returns the webhook for the garden Prometheus. MatchConditions belong to it.
func New(mgr manager.Manager) (*extensionswebhook.Webhook, error) {
	var (
		log   = mgr.GetLogger().WithName(Name + "-webhook")
		types = []extensionswebhook.Type{{Obj: &monitoringv1.Prometheus{}}}
	)

	handler, err := extensionswebhook.NewBuilder(mgr, log).WithMutator(NewMutator(log, mgr.GetClient()), types...).Build()
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
		// The labels are those that gardener-operator sets (pkg/component/observability/monitoring/prometheus/component.go,
		// getLabels).
		ObjectSelector: &metav1.LabelSelector{MatchLabels: map[string]string{
			v1beta1constants.LabelApp:  "prometheus",
			v1beta1constants.LabelRole: v1beta1constants.LabelMonitoring,
			"name":                     constants.GardenPrometheusName,
		}},
		// A write that the webhook does not see takes the OTLP receiver away: both replicas restart and answer 404, which makes the
		// fan-out drop what it has. A write that is refused is only repeated.
		FailurePolicy: new(admissionregistrationv1.Fail),
	}, nil
}

// MatchConditions spare all other objects from depending on this webhook. An object that is being deleted must be able to lose
// its finalizers without it.
func MatchConditions() []admissionregistrationv1.MatchCondition {
	return []admissionregistrationv1.MatchCondition{
		{Name: "name", Expression: fmt.Sprintf("request.name == %q", constants.GardenPrometheusName)},
		{Name: "not-being-deleted", Expression: "!has(object.metadata.deletionTimestamp)"},
	}
}

type mutator struct {
	log    logr.Logger
	reader client.Reader
}

// NewMutator returns the mutator of the webhook. The reader lists Extensions.
func NewMutator(log logr.Logger, reader client.Reader) extensionswebhook.Mutator {
	return &mutator{log: log, reader: reader}
}

// Mutate lets the Prometheus accept samples as long as there is an Extension that needs it. Otherwise it leaves the object as
// whoever writes it wants it.
func (m *mutator) Mutate(ctx context.Context, newObj, _ client.Object) error {
	p, ok := newObj.(*monitoringv1.Prometheus)
	if !ok {
		return fmt.Errorf("webhook %s is for objects of type %T only, but got %T: correct the rules of the MutatingWebhookConfiguration", Name, p, newObj)
	}
	if p.DeletionTimestamp != nil {
		return nil
	}

	extensions := &extensionsv1alpha1.ExtensionList{}
	if err := m.reader.List(ctx, extensions, client.InNamespace(p.Namespace)); err != nil {
		return fmt.Errorf("cannot tell whether Prometheus %s needs its OTLP receiver, because the Extensions in its namespace cannot be listed: %w: try again", client.ObjectKeyFromObject(p), err)
	}
	if !receiver.Wanted(p.Namespace, extensions.Items) {
		return nil
	}

	if problem := compatibility.CheckPrometheus(p); problem != nil {
		m.log.Info("Not enabling the OTLP receiver", "reason", problem.Message)
		return nil
	}

	window, err := receiver.Window(p)
	if err != nil {
		m.log.Error(err, "Using the default out-of-order time window", "namespace", p.Namespace, "name", p.Name, "window", window)
	}
	return receiver.Enable(p, window)
}
