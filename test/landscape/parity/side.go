// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"fmt"
	"strings"

	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	labelAlert = model.AlertNameLabel
	// labelFederatedAlert is the label into which the relabelling of federation copies the name of an alert.
	labelFederatedAlert = "shoot_alertname"
)

// side is what belongs to one side of a comparison. If the metrics of the side that is pushed to carry a prefix, both sides may be the
// same Prometheus, so each must see its own series only.
type side struct {
	// prefix is that of the names of the side that is pushed to.
	prefix string
	// pushed says that this is the side that is pushed to.
	pushed bool
}

// selector makes a selector one of this side's series.
func (s side) selector(text string) (string, error) {
	rewrite := selectorWithout
	switch {
	case s.prefix == "":
		return text, nil
	case s.pushed:
		rewrite = prefixedSelector
	}
	rewritten, err := rewrite(text, s.prefix)
	if err != nil {
		return "", fmt.Errorf("selector %s cannot be used with the prefix %q, which needs a PromQL vector selector: %w", text, s.prefix, err)
	}
	return rewritten, nil
}

// strip removes the prefix from the name of a metric.
func (s side) strip(metric model.Metric) error {
	if s.prefix == "" || !s.pushed {
		return nil
	}
	name, ok := strings.CutPrefix(string(metric[labelName]), s.prefix)
	if !ok {
		return fmt.Errorf("series %s has not the prefix %q, for which alone was asked: is something between which changes the queries?", metric, s.prefix)
	}
	metric[labelName] = model.LabelValue(name)
	return nil
}

// leavesOut says whether a series is none of what is compared. Rules are not evaluated over names with a prefix, and nothing that the
// garden Prometheus scrapes itself has one. So only what federation has brought may be compared with them.
func (s side) leavesOut(metric model.Metric) bool {
	return s.prefix != "" && !s.pushed && !isFederated(metric)
}

// isFederated says whether a Prometheus that pulls has got a series by federation.
//
// For Gardener's own rules and selectors this is exact. It takes for federated what somebody else's rule or target in the garden gives
// a seed and a name that a selector matches, and an alert by a rule which keeps all labels of a federated alert of the same name.
func isFederated(metric model.Metric) bool {
	name := string(metric[labelName])
	switch {
	case metric[constants.LabelSeed] == "":
		// The aggregate adds its external label to all series that have none. Prometheus knows the target itself without one.
		return metric[labelJob] == constants.JobPrometheusAggregate && (name == "up" || strings.HasPrefix(name, "scrape_"))
	case name == "target_info" || strings.HasPrefix(name, "otel_"):
		// Federation selects none of these, but the extension has metrics about seeds.
		return false
	default:
		// Relabelling copies the name of a federated alert. What a rule of the garden makes of it has another name, but keeps the
		// copy; what it makes of other series has a name only.
		return metric[labelAlert] == metric[labelFederatedAlert]
	}
}
