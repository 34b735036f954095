// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collectortest

import (
	"regexp"

	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/dashboard"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/promtool"
)

var collectorMetric = regexp.MustCompile(`\botelcol_\w+`)

// ExpectDashboard checks that all panels of the dashboard in a ConfigMap can be read and can be drawn.
func ExpectDashboard(configMap *corev1.ConfigMap, dataSource string) {
	panels, err := dashboard.Read(configMap)
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	ExpectWithOffset(1, panels).NotTo(BeEmpty())

	var expressions []string
	titles := map[string]int{}
	for _, panel := range panels {
		titles[panel.Title]++
		ExpectWithOffset(1, panel.Title).NotTo(BeEmpty())
		ExpectWithOffset(1, panel.Description).NotTo(BeEmpty(), panel.Title)
		ExpectWithOffset(1, panel.Unit).To(BeElementOf("short", "s", "bytes", "Bps", "cps", "reqps", "percentunit"), panel.Title)
		ExpectWithOffset(1, panel.DataSource).To(Equal(dataSource), panel.Title)
		ExpectWithOffset(1, panel.Queries).NotTo(BeEmpty(), panel.Title)
		for _, query := range panel.Queries {
			ExpectWithOffset(1, query.Legend).NotTo(BeEmpty(), panel.Title)
			expressions = append(expressions, query.Expr)
		}
	}
	ExpectWithOffset(1, titles).To(HaveEach(1), "titles")
	ExpectWithOffset(1, promtool.CheckExpressions(expressions...)).To(Succeed())
	expectStoredMetrics(expressions)
}

// ExpectRulesOfStoredMetrics checks that rules ask for nothing that a Prometheus does not store.
func ExpectRulesOfStoredMetrics(rule *monitoringv1.PrometheusRule) {
	var expressions []string
	for _, group := range rule.Spec.Groups {
		for _, rule := range group.Rules {
			expressions = append(expressions, rule.Expr.String())
		}
	}
	expectStoredMetrics(expressions)
}

func expectStoredMetrics(expressions []string) {
	for _, expression := range expressions {
		for _, metric := range collectorMetric.FindAllString(expression, -1) {
			ExpectWithOffset(2, collector.Metrics()).To(ContainElement(metric), expression)
		}
	}
}
