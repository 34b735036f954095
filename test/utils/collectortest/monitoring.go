// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collectortest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"

	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/dashboard"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/promtool"
)

// operationsDocs is where the documents for operators are, as seen from the packages of the components.
const operationsDocs = "../../../docs/operations"

var collectorMetric = regexp.MustCompile(`\b(otelcol|http_server)_\w+`)

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

// ExpectDocumentedRules checks that rules ask for nothing that a Prometheus does not store, and that docs/operations has a section about each
// alert, and names all that is stored.
func ExpectDocumentedRules(rule *monitoringv1.PrometheusRule) {
	runbook, err := os.ReadFile(filepath.Join(operationsDocs, "alerts.md"))
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	overview, err := os.ReadFile(filepath.Join(operationsDocs, "overview.md"))
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	for _, metric := range collector.Metrics() {
		ExpectWithOffset(1, string(overview)).To(ContainSubstring("`"+metric+"`"), "docs/operations/overview.md")
	}

	var expressions []string
	for _, group := range rule.Spec.Groups {
		for _, rule := range group.Rules {
			expressions = append(expressions, rule.Expr.String())
			if rule.Alert != "" {
				ExpectWithOffset(1, string(runbook)).To(ContainSubstring("\n### "+rule.Alert+"\n"), "docs/operations/alerts.md")
				ExpectWithOffset(1, string(overview)).To(ContainSubstring("[`"+rule.Alert+"`](alerts.md#"+strings.ToLower(rule.Alert)+")"), "docs/operations/overview.md")
			} else {
				ExpectWithOffset(1, string(overview)).To(ContainSubstring("`"+rule.Record+"`"), "docs/operations/overview.md")
			}
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
