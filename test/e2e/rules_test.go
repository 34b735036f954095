// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	. "github.com/onsi/gomega"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

// alertsOfIncident are alerts of the garden Prometheus that the incident of the corpus lets fire.
var alertsOfIncident = []string{
	"NodeFilesystemAlmostOutOfFiles",
	"PersistentVolumeSizeMismatch",
	"PodFrequentlyRestarting",
	"SeedKubeEtcd3MainDbSizeLimitApproaching",
	"SeedKubeEtcd3MainDbSizeLimitCrossed",
	"SeedPodStuckInPending",
	"ShootVerticalPodAutoscalerCappedRecommendationCount",
}

// ownGroups are the groups of this extension, which a Prometheus that pulls has not: that by which the hand-over nudges the garden
// Prometheus, and the alerts about the fan-out.
var ownGroups = []string{"otel-federation-hand-over", constants.GardenCollectorName}

// ownAlerts matches the alerts of this extension in the garden Prometheus. Those of the seeds are federated, and compared.
const ownAlerts = "OTelFederation(FanOut|Queue|Replica|Requests|Samples|Seed|Token).+"

// firing returns a query for alerts of the garden Prometheus that fire. Federated alerts have the label shoot_alertname, or an
// alert of the garden has taken it over from one.
func firing(alerts ...string) string {
	return fmt.Sprintf(`ALERTS{alertname=~%q,alertstate="firing",topology!=""}`, strings.Join(alerts, "|"))
}

// ruleOptions are the options to compare the results of all rules. A label timestamp says when the Prometheus that evaluates
// the rule has seen a shoot for the first time.
func ruleOptions(ctx context.Context) parity.Options {
	names := map[string]struct{}{"ALERTS": {}}
	for _, group := range rulesOf(ctx, gardener.ReferenceName) {
		for _, rule := range group.Rules {
			if recording, ok := rule.(prometheusv1.RecordingRule); ok {
				names[recording.Name] = struct{}{}
			}
		}
	}
	ExpectWithOffset(1, len(names)).To(BeNumerically(">", 30), "names of series that Gardener's rules record")

	var selectors []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		selectors = append(selectors, fmt.Sprintf("{__name__=%q,alertname!~%q}", name, ownAlerts))
	}
	return parity.Options{Selectors: selectors, IgnoreLabels: []string{"timestamp"}}
}

// expectRulesHealthy checks that all Prometheis evaluate the same rules without an error.
func expectRulesHealthy(ctx context.Context) {
	reference := map[string]int{}
	for _, name := range comparedPrometheis() {
		count := map[string]int{}
		for _, group := range rulesOf(ctx, name) {
			own := slices.Contains(ownGroups, group.Name)
			for _, rule := range group.Rules {
				switch r := rule.(type) {
				case prometheusv1.RecordingRule:
					ExpectWithOffset(1, r.LastError).To(BeEmpty(), "recording rule %s in %s", r.Name, name)
					ExpectWithOffset(1, r.Health).To(BeEquivalentTo(prometheusv1.RuleHealthGood), "recording rule %s in %s", r.Name, name)
					if !own {
						count[group.Name+"/"+r.Name]++
					}
				case prometheusv1.AlertingRule:
					ExpectWithOffset(1, r.LastError).To(BeEmpty(), "alert %s in %s", r.Name, name)
					ExpectWithOffset(1, r.Health).To(BeEquivalentTo(prometheusv1.RuleHealthGood), "alert %s in %s", r.Name, name)
					if !own {
						count[group.Name+"/"+r.Name]++
					}
				}
			}
		}
		if name == gardener.ReferenceName {
			reference = count
		}
		ExpectWithOffset(1, count).To(Equal(reference), "rules in %s", name)
	}
}

func rulesOf(ctx context.Context, prometheus string) []prometheusv1.RuleGroup {
	api, err := ls.Prometheus(prometheus).API()
	ExpectWithOffset(2, err).NotTo(HaveOccurred())
	result, err := api.Rules(ctx, nil)
	ExpectWithOffset(2, err).NotTo(HaveOccurred())
	ExpectWithOffset(2, result.Groups).NotTo(BeEmpty(), "rules in %s", prometheus)
	return result.Groups
}
