// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const labelInstance = "instance"

// pairByLabels finds series that only differ in few labels, and returns those that are left over.
//
// All series may be broken in the same way, so no series is compared with all others: for each group of labels, the series are
// looked up by a hash of their other labels.
func pairByLabels(pull, push []*series) (pairs []pair, pullRest, pushRest []*series) {
	hasher := newHasher(pull, push)
	for _, group := range labelGroups(pull, push) {
		index := map[uint64][]*series{}
		for _, pushed := range push {
			hash := hasher.hashWithout(pushed, group)
			index[hash] = append(index[hash], pushed)
		}

		taken := map[*series]bool{}
		pull = slices.DeleteFunc(pull, func(pulled *series) bool {
			hash := hasher.hashWithout(pulled, group)
			candidates := index[hash]
			if len(candidates) == 0 || !differOnlyIn(pulled, candidates[0], group) {
				return false
			}
			index[hash] = candidates[1:]
			taken[candidates[0]] = true
			pairs = append(pairs, pair{pulled, candidates[0]})
			return true
		})
		push = slices.DeleteFunc(push, func(pushed *series) bool { return taken[pushed] })
	}
	return pairs, pull, push
}

// labelGroups returns the groups of labels in which two series may differ to be the same one. The labels which federation touches
// come first.
func labelGroups(pull, push []*series) [][]string {
	first := []string{labelInstance, labelJob, constants.LabelSeed}
	others := map[string]bool{}
	for _, side := range [][]*series{pull, push} {
		for _, one := range side {
			for _, l := range one.labels {
				if l.name != labelName && !slices.Contains(first, l.name) {
					others[l.name] = true
				}
			}
		}
	}

	var groups [][]string
	for _, name := range append(first, slices.Sorted(maps.Keys(others))...) {
		groups = append(groups, []string{name})
	}
	return append(groups, []string{labelJob, labelInstance}, []string{labelJob, labelInstance, constants.LabelSeed})
}

// hasher hashes label sets. The hash of a set is the sum of those of its labels, so it is cheap to leave some out.
type hasher struct {
	seed   maphash.Seed
	hashes map[*series]uint64
}

func newHasher(sides ...[]*series) *hasher {
	h := &hasher{seed: maphash.MakeSeed(), hashes: map[*series]uint64{}}
	for _, side := range sides {
		for _, one := range side {
			var sum uint64
			for _, l := range one.labels {
				sum += maphash.Comparable(h.seed, l)
			}
			h.hashes[one] = sum
		}
	}
	return h
}

func (h *hasher) hashWithout(s *series, names []string) uint64 {
	sum := h.hashes[s]
	for _, name := range names {
		if i, found := s.find(name); found {
			sum -= maphash.Comparable(h.seed, s.labels[i])
		}
	}
	return sum
}

// differOnlyIn says whether two series have the same labels but for the given ones.
func differOnlyIn(a, b *series, names []string) bool {
	without := func(s *series) []label {
		return slices.DeleteFunc(slices.Clone(s.labels), func(l label) bool { return slices.Contains(names, l.name) })
	}
	return slices.Equal(without(a), without(b))
}

// describeLabels says in which labels a pair differs.
func describeLabels(p pair) string {
	names := map[string]bool{}
	for _, s := range []*series{p.pull, p.push} {
		for _, l := range s.labels {
			if p.pull.label(l.name) != p.push.label(l.name) {
				names[l.name] = true
			}
		}
	}
	var differences []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		differences = append(differences, quoteName(name)+": pull "+strconv.Quote(p.pull.label(name))+" push "+strconv.Quote(p.push.label(name)))
	}
	return strings.Join(differences, ", ")
}
