// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"slices"
	"strings"

	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	// labelPrometheus is the label by which a Prometheus of Gardener selects what configures it
	// (pkg/component/observability/monitoring/utils, Labels).
	labelPrometheus = "prometheus"

	separator = ","
)

// ScrapeConfigNames are the names of the ScrapeConfigs by which the garden Prometheus pulls from the seeds.
func ScrapeConfigNames() []string {
	return []string{constants.PullScrapeConfigName, constants.PullIngressScrapeConfigName}
}

// Targets returns all targets of a ScrapeConfig.
func Targets(scrapeConfig *monitoringv1alpha1.ScrapeConfig) []string {
	var targets []string
	for _, staticConfig := range scrapeConfig.Spec.StaticConfigs {
		for _, target := range staticConfig.Targets {
			targets = append(targets, string(target))
		}
	}
	return targets
}

// SetWithheld notes on a ScrapeConfig which targets must not be pulled.
func SetWithheld(scrapeConfig *monitoringv1alpha1.ScrapeConfig, targets []string) {
	if len(targets) == 0 {
		delete(scrapeConfig.Annotations, constants.AnnotationWithheldTargets)
		return
	}
	metav1.SetMetaDataAnnotation(&scrapeConfig.ObjectMeta, constants.AnnotationWithheldTargets, strings.Join(targets, separator))
}

// Withhold takes the targets out of a ScrapeConfig that are noted on it. If none is left it takes the ScrapeConfig out of what the
// garden Prometheus selects, because an empty scrape pool makes the Garden unhealthy.
func Withhold(scrapeConfig *monitoringv1alpha1.ScrapeConfig) {
	noted := scrapeConfig.Annotations[constants.AnnotationWithheldTargets]
	if noted == "" {
		return
	}
	withheld := map[monitoringv1alpha1.Target]struct{}{}
	for target := range strings.SplitSeq(noted, separator) {
		withheld[monitoringv1alpha1.Target(target)] = struct{}{}
	}

	// The API server demands that a static configuration has a target.
	var left []monitoringv1alpha1.StaticConfig
	for _, staticConfig := range scrapeConfig.Spec.StaticConfigs {
		staticConfig.Targets = slices.DeleteFunc(slices.Clone(staticConfig.Targets), func(target monitoringv1alpha1.Target) bool {
			_, ok := withheld[target]
			return ok
		})
		if len(staticConfig.Targets) > 0 {
			left = append(left, staticConfig)
		}
	}
	scrapeConfig.Spec.StaticConfigs = left
	if len(left) == 0 {
		delete(scrapeConfig.Labels, labelPrometheus)
	}
}

// Restrict makes a ScrapeConfig what Gardener wants, less the given targets.
func Restrict(scrapeConfig, gardeners *monitoringv1alpha1.ScrapeConfig, withheld []string) {
	scrapeConfig.Spec.StaticConfigs = gardeners.DeepCopy().Spec.StaticConfigs
	if value, ok := gardeners.Labels[labelPrometheus]; ok {
		metav1.SetMetaDataLabel(&scrapeConfig.ObjectMeta, labelPrometheus, value)
	}
	SetWithheld(scrapeConfig, withheld)
	Withhold(scrapeConfig)
}
