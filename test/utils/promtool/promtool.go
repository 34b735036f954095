// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package promtool puts expressions before the parser of Prometheus. The program must be on the PATH.
package promtool

import (
	"bytes"
	"fmt"
	"os/exec"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"
)

// CheckExpressions returns an error with the parser's own words if one of the expressions is not PromQL.
func CheckExpressions(expressions ...string) error {
	group := monitoringv1.RuleGroup{Name: "expressions"}
	for i, expression := range expressions {
		group.Rules = append(group.Rules, monitoringv1.Rule{Record: fmt.Sprintf("expression:%d", i), Expr: intstr.FromString(expression)})
	}
	data, err := yaml.Marshal(monitoringv1.PrometheusRuleSpec{Groups: []monitoringv1.RuleGroup{group}})
	if err != nil {
		return fmt.Errorf("failed to marshal the expressions: %w", err)
	}

	// Without the name of a file it reads the standard input.
	cmd := exec.Command("promtool", "check", "rules", "--lint=none")
	cmd.Stdin = bytes.NewReader(data)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("promtool does not accept the expressions: %w\n%s", err, output)
	}
	return nil
}
