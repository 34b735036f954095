// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package receiver says what the garden Prometheus needs to take the samples that the fan-out pushes, and when it needs it.
// The webhook applies it, the controller makes the webhook run and checks the result.
package receiver

import (
	"fmt"
	"slices"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/prometheus/common/model"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1helper "github.com/gardener/gardener/pkg/api/extensions/v1alpha1/helper"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// DefaultOutOfOrderTimeWindow is the window if the Prometheus does not carry another one: that of an empty configuration.
const DefaultOutOfOrderTimeWindow = configv1alpha1.DefaultOutOfOrderTimeWindow

// Enable makes the Prometheus accept OTLP, store metrics and labels under the names that they are sent with, give series the external labels
// that are sent once for all of them, and accept samples that are as late as the given window. It keeps everything else that is set, and a window that is longer. If it fails it has
// changed nothing.
func Enable(p *monitoringv1.Prometheus, window time.Duration) error {
	current, err := outOfOrderTimeWindow(p)
	if err != nil {
		return err
	}

	p.Spec.EnableOTLPReceiver = new(true)

	if p.Spec.OTLP == nil {
		p.Spec.OTLP = &monitoringv1.OTLPConfig{}
	}
	p.Spec.OTLP.TranslationStrategy = new(monitoringv1.NoTranslation)
	promoteExternalLabels(p.Spec.OTLP)

	if current < window {
		if p.Spec.TSDB == nil {
			p.Spec.TSDB = &monitoringv1.TSDBSpec{}
		}
		p.Spec.TSDB.OutOfOrderTimeWindow = new(monitoringv1.Duration(model.Duration(window).String()))
	}
	return nil
}

// promoteExternalLabels makes the series of a resource get the external labels that the resource has, and nothing of what becomes `job` and
// `instance`. Prometheus refuses a list if it promotes all attributes (config/config.go).
func promoteExternalLabels(otlp *monitoringv1.OTLPConfig) {
	if !ptr.Deref(otlp.PromoteAllResourceAttributes, false) {
		otlp.PromoteResourceAttributes = with(otlp.PromoteResourceAttributes, constants.ExternalLabels())
		return
	}
	otlp.IgnoreResourceAttributes = slices.DeleteFunc(with(otlp.IgnoreResourceAttributes, constants.IdentityAttributes()), func(attribute string) bool {
		return slices.Contains(constants.ExternalLabels(), attribute)
	})
}

// with adds to a list what is not in it.
func with(list, wanted []string) []string {
	for _, one := range wanted {
		if !slices.Contains(list, one) {
			list = append(list, one)
		}
	}
	return list
}

// Enabled returns whether Enable would change nothing.
func Enabled(p *monitoringv1.Prometheus, window time.Duration) bool {
	enabled := p.DeepCopy()
	return Enable(enabled, window) == nil && apiequality.Semantic.DeepEqual(p.Spec, enabled.Spec)
}

// Wanted returns whether one of the given Extensions pushes to the garden Prometheus in a namespace. An Extension that is being
// deleted does until its controller has marked it as released, because until then pull is not back and the queues of the fan-out
// are not empty.
func Wanted(namespace string, extensions []extensionsv1alpha1.Extension) bool {
	return slices.ContainsFunc(extensions, func(ex extensionsv1alpha1.Extension) bool {
		return ex.Namespace == namespace && IsGardenExtension(&ex) && !Released(&ex)
	})
}

// IsGardenExtension returns whether an Extension is of our type and of class garden.
func IsGardenExtension(ex *extensionsv1alpha1.Extension) bool {
	return ex.Spec.Type == constants.ExtensionType && extensionsv1alpha1helper.GetExtensionClassOrDefault(ex.Spec.Class) == extensionsv1alpha1.ExtensionClassGarden
}

// Released returns whether an Extension is being deleted and does not need the garden Prometheus any more.
func Released(ex *extensionsv1alpha1.Extension) bool {
	return ex.DeletionTimestamp != nil && ex.Annotations[constants.AnnotationReleased] != ""
}

// Window returns the window that the controller has noted on the Prometheus, or the default. If the note cannot be read it
// returns the default together with an error, so that a wrong annotation keeps nobody from writing the Prometheus.
func Window(p *monitoringv1.Prometheus) (time.Duration, error) {
	value, ok := p.Annotations[constants.AnnotationOutOfOrderTimeWindow]
	if !ok {
		return DefaultOutOfOrderTimeWindow, nil
	}

	window, err := time.ParseDuration(value)
	if err == nil && window <= 0 {
		err = fmt.Errorf("%q is not positive", value)
	}
	if err != nil {
		return DefaultOutOfOrderTimeWindow, fmt.Errorf("annotation %s of Prometheus %s is not a usable duration: %w: remove it, and the controller sets it again", constants.AnnotationOutOfOrderTimeWindow, client.ObjectKeyFromObject(p), err)
	}
	return window, nil
}

// outOfOrderTimeWindow returns the window that is set. The API server admits an empty string, which Prometheus takes as no
// window.
func outOfOrderTimeWindow(p *monitoringv1.Prometheus) (time.Duration, error) {
	if p.Spec.TSDB == nil || p.Spec.TSDB.OutOfOrderTimeWindow == nil || *p.Spec.TSDB.OutOfOrderTimeWindow == "" {
		return 0, nil
	}

	window, err := model.ParseDuration(string(*p.Spec.TSDB.OutOfOrderTimeWindow))
	if err != nil {
		return 0, fmt.Errorf("spec.tsdb.outOfOrderTimeWindow of Prometheus %s cannot be compared with the window that federation needs: %w: correct it where this Prometheus is defined", client.ObjectKeyFromObject(p), err)
	}
	return time.Duration(window), nil
}
