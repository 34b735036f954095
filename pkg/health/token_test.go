// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package health_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/health"
)

// aged returns a token of a week that is of the given age.
func aged(seed string, age time.Duration) Token {
	return Token{Seed: seed, Exists: true, IssuedAt: start.Add(-age), Expiry: start.Add(7*24*time.Hour - age)}
}

var _ = Describe("Credentials", func() {
	const day = 24 * time.Hour

	DescribeTable("of a seed", func(token Token, status gardencorev1beta1.ConditionStatus, reason string, message OmegaMatcher) {
		Expect(SeedCredentials(start, "https://foo", token)).To(be(status, reason, message))
	},
		Entry("new", aged("foo", 0), gardencorev1beta1.ConditionTrue, "CredentialsAvailable", Equal("The token for https://foo is valid until 2026-01-08T12:00:00Z (7 days left).")),
		Entry("at half of its validity", aged("foo", 84*time.Hour), gardencorev1beta1.ConditionTrue, "CredentialsAvailable", ContainSubstring("3 days left")),
		Entry("a while after that", aged("foo", 4*day), gardencorev1beta1.ConditionFalse, "TokenRenewalOverdue",
			And(ContainSubstring("since 2025-12-28T12:00:00Z"), ContainSubstring("(3 days left)"), ContainSubstring("Secret seed-foo/otel-federation"))),
		Entry("in the last hours", aged("foo", 7*day-3*time.Hour), gardencorev1beta1.ConditionFalse, "TokenRenewalOverdue", ContainSubstring("(3 hours left)")),
		Entry("in the last minutes", aged("foo", 7*day-3*time.Minute), gardencorev1beta1.ConditionFalse, "TokenRenewalOverdue", ContainSubstring("(3 minutes left)")),
		Entry("in the last seconds", aged("foo", 7*day-time.Second), gardencorev1beta1.ConditionFalse, "TokenRenewalOverdue", ContainSubstring("(less than 2 minutes left)")),
		Entry("expired", aged("foo", 7*day), gardencorev1beta1.ConditionFalse, "TokenExpired", ContainSubstring("has expired at 2026-01-01T12:00:00Z")),
		Entry("of somebody else", NewToken("foo", "opaque"), gardencorev1beta1.ConditionTrue, "CredentialsAvailable", ContainSubstring("When they expire is not known")),
	)

	DescribeTable("of the garden", func(tokens []Token, status gardencorev1beta1.ConditionStatus, reason string, message OmegaMatcher) {
		Expect(GardenCredentials(start, tokens)).To(be(status, reason, message))
	},
		Entry("without seeds", nil, gardencorev1beta1.ConditionTrue, "CredentialsAvailable", ContainSubstring("no seed")),
		Entry("all fresh", []Token{aged("b", time.Hour), aged("a", 0)}, gardencorev1beta1.ConditionTrue, "CredentialsAvailable",
			Equal("All 2 seeds have a token. The first one to expire is that of b, at 2026-01-08T11:00:00Z.")),
		Entry("one missing", []Token{aged("a", 0), NewToken("b", "")}, gardencorev1beta1.ConditionProgressing, "CredentialsMissing", ContainSubstring("1 of 2 seeds have no token yet: b.")),
		Entry("one overdue, one missing", []Token{NewToken("b", ""), aged("a", 4*day)}, gardencorev1beta1.ConditionFalse, "TokenRenewalOverdue",
			And(ContainSubstring("1 of 2 seeds have not been renewed in time: a;"), ContainSubstring("at 2026-01-04T12:00:00Z"))),
		Entry("some expired", []Token{aged("e", 8*day), aged("d", 8*day), aged("c", 8*day), aged("b", 8*day), aged("a", 4*day)}, gardencorev1beta1.ConditionFalse, "TokenExpired",
			ContainSubstring("4 of 5 seeds have expired: b, c, d and 1 more.")),
	)

	It("should not be known without a connection with the virtual garden, after a minute", func() {
		Expect(UnknownCredentials(59 * time.Second).IsZero()).To(BeTrue())
		Expect(UnknownCredentials(time.Minute)).To(be("Unknown", "VirtualGardenUnreachable", ContainSubstring("no token is renewed")))
	})
})
