// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"fmt"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus/common/model"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
)

const (
	// realInterval is the interval at which Gardener's Prometheis scrape and evaluate rules.
	realInterval = time.Minute
	// realLookback is for how long Prometheus shows a series of which it has no newer sample, by default.
	realLookback = 5 * time.Minute
	// realReloadInterval is after which time config-reloader notices at the latest that a file has changed, by default
	// (cmd/prometheus-config-reloader/main.go of prometheus-operator). A watch tells it earlier, but only of the first change.
	realReloadInterval = 3 * time.Minute
	// minLookback is the shortest lookback. Pods do not start faster here than elsewhere.
	minLookback = time.Minute
)

// Lookback is for how long the Prometheis of a landscape show a series of which they have no newer sample.
func Lookback(scrapeInterval time.Duration) time.Duration {
	return max(minLookback, scaled(realLookback, scrapeInterval))
}

// ReloadInterval is after which time the Prometheis of a landscape notice a change of their configuration at the latest.
func ReloadInterval(scrapeInterval time.Duration) time.Duration {
	return scaled(realReloadInterval, scrapeInterval)
}

// FreshFor is for how long push must have been fresh in a landscape before pull ends, if it is configured as by default.
func FreshFor(scrapeInterval time.Duration) time.Duration {
	return scaled(configv1alpha1.DefaultHandOverFreshFor, scrapeInterval)
}

// ReturnAfter is for how long push may be stale in a landscape before pull returns, if it is configured as by default.
func ReturnAfter(scrapeInterval time.Duration) time.Duration {
	return scaled(configv1alpha1.DefaultHandOverReturnAfter, scrapeInterval)
}

func scaled(duration, scrapeInterval time.Duration) time.Duration {
	return time.Duration(float64(duration) * float64(scrapeInterval) / float64(realInterval)).Round(time.Millisecond)
}

// scaleTime replaces the intervals of a minute, which Gardener uses, by those of the landscape, and shortens by the same
// factor the lookback and for how long an alert must be pending. Ranges in expressions stay as they are.
func (l *Landscape) scaleTime(objects []client.Object) error {
	interval := monitoringv1.Duration(model.Duration(l.ScrapeInterval).String())
	timeout := monitoringv1.Duration(model.Duration(max(l.ScrapeInterval-time.Second, l.ScrapeInterval/2)).String())

	for _, object := range objects {
		switch o := object.(type) {
		case *monitoringv1.Prometheus:
			o.Spec.ScrapeInterval, o.Spec.EvaluationInterval, o.Spec.ScrapeTimeout = interval, interval, timeout
			o.Spec.Query = &monitoringv1.QuerySpec{LookbackDelta: new(model.Duration(Lookback(l.ScrapeInterval)).String())}
		case *monitoringv1.PrometheusRule:
			for i := range o.Spec.Groups {
				o.Spec.Groups[i].Interval = nil
				if err := l.scalePending(o.Spec.Groups[i].Rules); err != nil {
					return fmt.Errorf("PrometheusRule %s: %w", o.Name, err)
				}
			}
		case *monitoringv1alpha1.ScrapeConfig:
			o.Spec.ScrapeInterval, o.Spec.ScrapeTimeout = nil, nil
		case *monitoringv1.ServiceMonitor:
			for i := range o.Spec.Endpoints {
				o.Spec.Endpoints[i].Interval, o.Spec.Endpoints[i].ScrapeTimeout = "", ""
			}
		}
	}
	return nil
}

func (l *Landscape) scalePending(rules []monitoringv1.Rule) error {
	for i := range rules {
		if rules[i].For == nil {
			continue
		}
		pending, err := model.ParseDuration(string(*rules[i].For))
		if err != nil {
			return fmt.Errorf("failed to parse `for` of alert %s: %w", rules[i].Alert, err)
		}
		rules[i].For = new(monitoringv1.Duration(model.Duration(scaled(time.Duration(pending), l.ScrapeInterval)).String()))
	}
	return nil
}
