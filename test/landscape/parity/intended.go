// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"slices"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// Names of the differences that are intended. They are counted, but not as differences.
const (
	// ForeignSeed is for a series of which the sender says that it belongs to a seed which does not push. Pull stores it under
	// that name because it honors labels. The fan-out stores it under the sender's own name: it stamps all that it gets with the
	// seed from the token, so that no seed can write under another one's name. Several senders may have the same series, which
	// pull then cannot tell apart.
	ForeignSeed = "foreign seed"
	// TargetSeed is for what a Prometheus knows of the federation target itself, and for what Gardener's rules derive from it.
	// Pull makes these series in the garden, where no external label of the seed is added. By push they come from the seed, and
	// the fan-out stamps them like all others. The values are compared nevertheless.
	TargetSeed = "seed of the federation target"
)

// targetNames are the metrics of the federation target, and those which Gardener's rules derive from them.
var targetNames = []string{
	"up",
	"scrape_duration_seconds",
	"scrape_samples_scraped",
	"scrape_samples_post_metric_relabeling",
	"scrape_series_added",
	"healthcheck",
	"ALERTS",
	"ALERTS_FOR_STATE",
}

// pair are the same series in both Prometheis.
type pair struct {
	pull, push *series
}

// match are the series of both Prometheis, after all those have found each other that are meant to be the same.
type match struct {
	pairs              []pair
	onlyPull, onlyPush []*series
	intended           map[string]int
}

func matchSeries(pull, push *seriesSet, seeds []string) *match {
	m := &match{intended: map[string]int{}}
	var rest []*series
	for _, pulled := range pull.sorted() {
		if pushed, ok := push.byKey[pulled.key]; ok {
			m.pairs = append(m.pairs, pair{pulled, pushed})
		} else {
			rest = append(rest, pulled)
		}
	}

	taken := map[*series]bool{}
	stamped := stampedSeries(rest, push, seeds)
	for _, pulled := range rest {
		candidates := stamped[pulled.keyWithout(constants.LabelSeed)]
		free := slices.DeleteFunc(slices.Clone(candidates), func(pushed *series) bool { return pull.byKey[pushed.key] != nil })
		switch {
		case isForeign(pulled, seeds) && len(candidates) > 0:
			m.intended[ForeignSeed]++
			for _, pushed := range free {
				taken[pushed] = true
			}
		// Two would be the target of two seeds, which is a difference.
		case isTarget(pulled) && len(free) == 1:
			m.intended[TargetSeed]++
			m.pairs = append(m.pairs, pair{pulled, free[0]})
			taken[free[0]] = true
		default:
			m.onlyPull = append(m.onlyPull, pulled)
		}
	}

	for _, pushed := range push.sorted() {
		if !taken[pushed] && pull.byKey[pushed.key] == nil {
			m.onlyPush = append(m.onlyPush, pushed)
		}
	}
	return m
}

// stampedSeries returns the series with the seed of a sender, by their key without it, as far as they equal one of the given series
// that may lack it for a reason.
func stampedSeries(pulled []*series, push *seriesSet, seeds []string) map[string][]*series {
	stamped := map[string][]*series{}
	for _, one := range pulled {
		if isForeign(one, seeds) || isTarget(one) {
			stamped[one.keyWithout(constants.LabelSeed)] = nil
		}
	}
	if len(stamped) == 0 {
		return nil
	}
	for _, pushed := range push.sorted() {
		if !slices.Contains(seeds, pushed.label(constants.LabelSeed)) {
			continue
		}
		k := pushed.keyWithout(constants.LabelSeed)
		if _, wanted := stamped[k]; wanted {
			stamped[k] = append(stamped[k], pushed)
		}
	}
	return stamped
}

func isForeign(s *series, seeds []string) bool {
	seed := s.label(constants.LabelSeed)
	return seed != "" && !slices.Contains(seeds, seed)
}

func isTarget(s *series) bool {
	return s.label(constants.LabelSeed) == "" && s.label(labelJob) == constants.JobPrometheusAggregate && slices.Contains(targetNames, s.label(labelName))
}
