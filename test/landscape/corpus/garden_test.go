// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus_test

import (
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/common/model"
	testclock "k8s.io/utils/clock/testing"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
)

// gardenName is the name of a series that is not recorded, because that of a recorded one has a colon.
var gardenName = regexp.MustCompile(`\bgarden_[\w:]+`)

func (s sample) is(name string, namesAndValues ...string) bool {
	for i := 0; i < len(namesAndValues); i += 2 {
		if s.labels[namesAndValues[i]] != namesAndValues[i+1] {
			return false
		}
	}
	return s.labels[model.MetricNameLabel] == name
}

// gardenAlerts are the alerts over the garden's own series that depend on one series each.
var gardenAlerts = map[string]func(sample) bool{
	"SeedConditionFailing": func(s sample) bool {
		return s.value <= 0 && (s.is("garden_seed_condition") || s.is("garden_shoot_condition", "is_seed", "true"))
	},
	"SeedReconciliationFailed": func(s sample) bool { return s.is("garden_seed_operation_states") && s.value == 6 },
	"SeedReconciliationError":  func(s sample) bool { return s.is("garden_seed_operation_states") && s.value == 5 },
	"ShootOutageOverall":       func(s sample) bool { return s.is("garden_shoot_condition") && s.value == 0 },
	"ShootOutageByIaas":        func(s sample) bool { return s.is("garden_shoot_condition") && s.value == 0 },
	"ProjectStuckInDeletion":   func(s sample) bool { return s.is("garden_projects_status", "phase", "Terminating") },
	"GardenConditionStatusNotTrue": func(s sample) bool {
		return s.is("garden_garden_condition") && s.labels["status"] != "True" && s.value == 1
	},
	"GardenLastOperationInErrorState": func(s sample) bool {
		return s.is("garden_garden_last_operation") && slices.Contains([]string{"Error", "Failed"}, s.labels["state"]) && s.value == 1
	},
	"GardenLastOperationStuckProcessing": func(s sample) bool {
		return s.is("garden_garden_last_operation", "state", "Processing") && s.value == 1
	},
}

var _ = Describe("Garden", func() {
	var (
		clock = testclock.NewFakePassiveClock(time.Unix(1753000000, 0))
		seeds = []string{"local", "seed-2"}
		all   []sample
	)

	of := func(name string, namesAndValues ...string) []sample {
		var found []sample
		for _, s := range all {
			if s.is(name, namesAndValues...) {
				found = append(found, s)
			}
		}
		return found
	}

	BeforeEach(func() {
		exporter, err := corpus.NewGardenExporter(seeds, clock)
		Expect(err).NotTo(HaveOccurred())
		all = samples(scrape(exporter, ""))
		Expect(exporter.Series()).To(Equal(len(all)))
	})

	It("should have all series that Gardener's rules for the garden use", func() {
		names := map[string]bool{}
		for _, rule := range rules(seeds...) {
			for _, name := range gardenName.FindAllString(rule.expression, -1) {
				if !strings.Contains(name, ":") {
					names[name] = true
				}
			}
		}
		// It is only in descriptions of alerts.
		names["garden_seed_info"] = true
		Expect(names).To(HaveLen(10))
		for name := range names {
			Expect(of(name)).NotTo(BeEmpty(), name)
		}
	})

	It("should not make any of Gardener's alerts fire", func() {
		known := map[string]bool{"ApproachingSeedCapacity": true}
		for _, rule := range rules(seeds...) {
			if rule.alert == "" || !gardenName.MatchString(rule.expression) || known[rule.alert] {
				continue
			}
			Expect(gardenAlerts).To(HaveKey(rule.alert), rule.expression)
			known[rule.alert] = true
			Expect(slices.ContainsFunc(all, gardenAlerts[rule.alert])).To(BeFalse(), rule.alert)
		}
		Expect(known).To(HaveLen(len(gardenAlerts) + 1))

		var used, capacity float64
		visible := []string{"visible", "true", "protected", "false", "iaas", "local", "region", "local"}
		for _, s := range of("garden_seed_usage", append(visible, "resource", "shoot")...) {
			used += s.value
		}
		for _, s := range of("garden_seed_capacity", visible...) {
			capacity += s.value
		}
		Expect(used).To(Equal(4.0))
		Expect(used).To(BeNumerically("<", 0.85*capacity))
	})

	It("should have what the alerts look at", func() {
		Expect(of("garden_shoot_condition", "condition", "APIServerAvailable", "operation", "Reconcile", "is_seed", "false", "purpose", "production")).To(HaveLen(4))
		Expect(of("garden_seed_condition", "condition", "GardenletReady")).To(HaveLen(2))
		Expect(of("garden_seed_operation_states", "operation", "Reconcile")).To(HaveLen(2))
		Expect(of("garden_garden_condition", "status", "True")).To(HaveLen(4))
		Expect(of("garden_garden_condition", "status", "False")).To(HaveLen(4))
		Expect(of("garden_garden_last_operation", "state", "Succeeded")).To(ConsistOf(WithTransform(func(s sample) float64 { return s.value }, Equal(1.0))))
		Expect(of("garden_projects_status", "phase", "Ready")).To(HaveLen(2))
	})

	It("should leave job and instance to the target", func() {
		for _, sample := range all {
			Expect(sample.labels).NotTo(Or(HaveKey("job"), HaveKey("instance")))
			Expect(sample.labels).NotTo(ContainElement(""))
		}
	})

	It("should have all labels by which information about shoots is grouped", func() {
		var labels []string
		for _, rule := range rules(seeds...) {
			if rule.record == "_garden_shoot_info" {
				parts := regexp.MustCompile(`by\((.*?)\)`).FindStringSubmatch(rule.expression)
				Expect(parts).To(HaveLen(2))
				labels = strings.Split(parts[1], ", ")
			}
		}
		Expect(labels).To(HaveLen(17))
		infos := of("garden_shoot_info")
		Expect(infos).To(HaveLen(4))
		for _, info := range infos {
			for _, label := range labels {
				Expect(info.labels).To(HaveKeyWithValue(label, Not(BeEmpty())))
			}
		}
	})

	It("should know each shoot that is metered by each seed exactly once", func() {
		for _, seed := range seeds {
			exporter, err := corpus.NewExporter(corpus.Options{Seed: seed}, clock)
			Expect(err).NotTo(HaveOccurred())
			metered := 0
			for _, labels := range parse(scrape(exporter, "")) {
				if labels["shoot_uid"] == "" {
					continue
				}
				metered++
				info := of("garden_shoot_info", "seed", seed, "shoot_uid", labels["shoot_uid"])
				Expect(info).To(HaveLen(1))
				Expect(info[0].labels).To(HaveKeyWithValue("technical_id", labels["namespace"]))
			}
			Expect(metered).To(Equal(18))
		}
	})

	It("should be made of its families", func() {
		n := 0
		for _, family := range corpus.GardenFamilies(seeds) {
			Expect(of(family.Name)).To(HaveLen(len(family.Series)))
			n += len(family.Series)
		}
		Expect(all).To(HaveLen(n))
	})

	It("should refuse seeds that are missing, nameless or named twice", func() {
		_, err := corpus.NewGardenExporter(nil, clock)
		Expect(err).To(MatchError(ContainSubstring("has no seed, name at least one")))
		for _, seeds := range [][]string{{"local", ""}, {"local", "seed-2", "local"}} {
			_, err := corpus.NewGardenExporter(seeds, clock)
			Expect(err).To(MatchError(ContainSubstring("name each seed once")))
		}
	})
})
