// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package validation_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/validation"
)

var _ = Describe("#ValidateGardenFederationConfig", func() {
	var cfg *config.GardenFederationConfig

	BeforeEach(func() {
		cfg = defaulted(&v1alpha1.GardenFederationConfig{}, &config.GardenFederationConfig{})
	})

	It("should accept the defaults", func() {
		Expect(ValidateGardenFederationConfig(cfg, rootPath)).To(BeEmpty())
	})

	DescribeTable("rules",
		func(mutate func(), matcher gomegatypes.GomegaMatcher) {
			mutate()
			Expect(ValidateGardenFederationConfig(cfg, rootPath)).To(matcher)
		},

		Entry("no host prefix", func() { cfg.Ingress.HostPrefix = nil },
			all(failure(field.ErrorTypeRequired, "ingress.hostPrefix", ""))),
		Entry("host prefix of two labels", func() { cfg.Ingress.HostPrefix = new("a.b") },
			all(failure(field.ErrorTypeInvalid, "ingress.hostPrefix", "must not contain dots"))),
		Entry("host prefix too long", func() { cfg.Ingress.HostPrefix = new(strings.Repeat("a", 64)) },
			all(failure(field.ErrorTypeInvalid, "ingress.hostPrefix", "no more than 63"))),

		Entry("no replicas", func() { cfg.Replicas = nil }, all(failure(field.ErrorTypeRequired, "replicas", ""))),
		Entry("0 replicas", func() { cfg.Replicas = new(int32(0)) },
			all(failure(field.ErrorTypeInvalid, "replicas", "between 1 and 20"))),
		Entry("1 replica", func() { cfg.Replicas = new(int32(1)) }, BeEmpty()),
		Entry("20 replicas", func() { cfg.Replicas = new(int32(20)) }, BeEmpty()),
		Entry("21 replicas", func() { cfg.Replicas = new(int32(21)) },
			all(failure(field.ErrorTypeInvalid, "replicas", "between 1 and 20"))),

		Entry("resources", func() {
			cfg.Resources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("0")}}
		}, all(failure(field.ErrorTypeInvalid, "resources.limits[cpu]", "more than zero"))),
		Entry("queue", func() { cfg.Queue.Capacity = new(int64(-1)) },
			all(failure(field.ErrorTypeInvalid, "queue.capacity", "at least 1"))),

		Entry("no validity", func() { cfg.Token.Validity = nil }, all(failure(field.ErrorTypeRequired, "token.validity", ""))),
		Entry("no renewal", func() { cfg.Token.RenewAfter = nil }, all(failure(field.ErrorTypeRequired, "token.renewAfter", ""))),
		Entry("shortest validity and latest renewal", func() {
			cfg.Token = config.TokenConfiguration{Validity: duration(10 * time.Minute), RenewAfter: duration(5 * time.Minute)}
		}, BeEmpty()),
		Entry("longest validity and earliest renewal", func() {
			cfg.Token = config.TokenConfiguration{Validity: duration(2160 * time.Hour), RenewAfter: duration(time.Minute)}
		}, BeEmpty()),
		Entry("validity too short", func() {
			cfg.Token = config.TokenConfiguration{Validity: duration(9 * time.Minute), RenewAfter: duration(time.Minute)}
		}, all(failure(field.ErrorTypeInvalid, "token.validity", "at least 10m0s"))),
		Entry("validity too long", func() { cfg.Token.Validity = duration(2161 * time.Hour) },
			all(failure(field.ErrorTypeInvalid, "token.validity", "at most 2160h0m0s"))),
		Entry("validity with a fraction of a second", func() { cfg.Token.Validity = duration(time.Hour*168 + time.Millisecond) },
			all(failure(field.ErrorTypeInvalid, "token.validity", "multiple of 1s"))),
		Entry("renewal too early", func() { cfg.Token.RenewAfter = duration(59 * time.Second) },
			all(failure(field.ErrorTypeInvalid, "token.renewAfter", "at least 1m0s"))),
		Entry("renewal with a fraction of a second", func() { cfg.Token.RenewAfter = duration(time.Minute + time.Millisecond) },
			all(failure(field.ErrorTypeInvalid, "token.renewAfter", "multiple of 1s"))),
		Entry("renewal too late", func() { cfg.Token.RenewAfter = duration(84*time.Hour + time.Second) },
			all(failure(field.ErrorTypeInvalid, "token.renewAfter", "at most half of the validity, which is 168h0m0s"))),

		Entry("no out-of-order window", func() { cfg.OutOfOrderTimeWindow = nil },
			all(failure(field.ErrorTypeRequired, "outOfOrderTimeWindow", ""))),
		Entry("out-of-order window zero", func() { cfg.OutOfOrderTimeWindow = duration(0) },
			all(failure(field.ErrorTypeInvalid, "outOfOrderTimeWindow", "at least 1ms"))),

		Entry("mode Shadow", func() { cfg.HandOver.Mode = config.HandOverModeShadow }, BeEmpty()),
		Entry("mode Push", func() { cfg.HandOver.Mode = config.HandOverModePush }, BeEmpty()),
		Entry("unknown mode", func() { cfg.HandOver.Mode = "Pull" },
			all(failure(field.ErrorTypeNotSupported, "handOver.mode", `"Automatic"`))),
		Entry("fresh for no time", func() { cfg.HandOver.FreshFor = duration(0) },
			all(failure(field.ErrorTypeInvalid, "handOver.freshFor", "at least 1ms"))),
		Entry("no freshFor", func() { cfg.HandOver.FreshFor = nil },
			all(failure(field.ErrorTypeRequired, "handOver.freshFor", ""))),
		Entry("fresh for less than the last samples are fresh", func() { cfg.HandOver.FreshFor = duration(time.Minute) },
			all(failure(field.ErrorTypeInvalid, "handOver.freshFor", "must not be less than returnAfter"))),
		Entry("fresh for as long as the last samples are fresh", func() { cfg.HandOver.FreshFor = duration(2 * time.Minute) }, BeEmpty()),
		Entry("return after a negative time", func() { cfg.HandOver.ReturnAfter = duration(-time.Second) },
			all(failure(field.ErrorTypeInvalid, "handOver.returnAfter", "at least 1ms"))),
		Entry("no returnAfter", func() { cfg.HandOver.ReturnAfter = nil },
			all(failure(field.ErrorTypeRequired, "handOver.returnAfter", ""))),

		Entry("no seed selector", func() { cfg.SeedSelector = nil }, BeEmpty()),
		Entry("seed selector", func() { cfg.SeedSelector.MatchLabels = map[string]string{"a": "b"} }, BeEmpty()),
		Entry("invalid label", func() { cfg.SeedSelector.MatchLabels = map[string]string{"a b": "c"} },
			all(failure(field.ErrorTypeInvalid, "seedSelector.matchLabels", "name part"))),
		Entry("invalid operator", func() {
			cfg.SeedSelector.MatchExpressions = []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Like"}}
		}, all(failure(field.ErrorTypeInvalid, "seedSelector.matchExpressions[0].operator", "not a valid selector operator"))),

		Entry("denied seeds", func() { cfg.DeniedSeeds = []string{"a", "b-1"} }, BeEmpty()),
		Entry("invalid denied seed", func() { cfg.DeniedSeeds = []string{"a", "B", ""} }, all(
			failure(field.ErrorTypeInvalid, "deniedSeeds[1]", "RFC 1123 label"),
			failure(field.ErrorTypeInvalid, "deniedSeeds[2]", "RFC 1123 label"),
		)),
		Entry("duplicate denied seed", func() { cfg.DeniedSeeds = []string{"a", "a"} },
			all(failure(field.ErrorTypeDuplicate, "deniedSeeds[1]", ""))),
	)
})
