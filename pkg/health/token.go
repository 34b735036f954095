// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"slices"
	"strings"
	"time"

	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

// Token is what is known of the token of a seed.
type Token struct {
	// Seed is the name of the seed.
	Seed string
	// Exists says that there is one.
	Exists bool
	// IssuedAt and Expiry are from when until when it is valid. They are zero if it does not tell.
	IssuedAt, Expiry time.Time
}

// NewToken returns what a token tells of itself. A token that was not issued by the garden part of the extension need not tell anything.
func NewToken(seedName, token string) Token {
	claims, _, err := credentials.Inspect(token)
	if err != nil {
		return Token{Seed: seedName, Exists: token != ""}
	}
	return Token{Seed: seedName, Exists: token != "", IssuedAt: claims.IssuedAt, Expiry: claims.Expiry}
}

func (t Token) isExpired(now time.Time) bool {
	return !t.Expiry.IsZero() && !now.Before(t.Expiry)
}

// IsOverdue says whether the token should have been replaced. It is to be renewed after half of its validity at the latest; a twentieth
// more is for clocks that differ, and for its way to the seed.
func (t Token) IsOverdue(now time.Time) bool {
	return !t.Expiry.IsZero() && t.Expiry.Sub(now) < t.Expiry.Sub(t.IssuedAt)*9/20
}

// MissingCredentials says that a seed has no usable credentials yet, and why.
func MissingCredentials(problem string, collectorRuns bool) Verdict {
	if collectorRuns {
		problem += " The collector goes on with what it has; changes of the configuration are not applied until then."
	}
	return isProgressing(conditions.ReasonCredentialsMissing, "%s", problem)
}

// UnknownCredentials says that the tokens in the virtual garden cannot be looked at, if that has lasted for so long.
func UnknownCredentials(disconnected time.Duration) Verdict {
	if disconnected < Patience {
		return Verdict{}
	}
	return isUnknown(conditions.ReasonVirtualGardenUnreachable, "There has been no connection with the virtual garden for at least a minute, so that no token is renewed. The seeds go on with what they have.")
}

// SeedCredentials judges the token of a seed, from within the seed.
func SeedCredentials(now time.Time, endpoint string, token Token) Verdict {
	switch {
	case token.Expiry.IsZero():
		return isTrue(conditions.ReasonCredentialsAvailable, "Credentials for %s are available. When they expire is not known: the token was not issued by the garden part of the extension.", endpoint)
	case token.isExpired(now):
		return isFalse(conditions.ReasonTokenExpired, "The token for %s has expired at %s, and the garden refuses what is pushed. It is renewed by the garden part of the extension in Secret seed-%s/%s of the virtual garden, and copied from there.",
			endpoint, clockTime(token.Expiry), token.Seed, constants.CredentialsSecretName)
	case token.IsOverdue(now):
		return isFalse(conditions.ReasonTokenRenewalOverdue, "The token for %s has not been renewed since %s, and expires at %s (%s left). It is renewed by the garden part of the extension in Secret seed-%s/%s of the virtual garden, and copied from there.",
			endpoint, clockTime(token.IssuedAt), clockTime(token.Expiry), left(token.Expiry.Sub(now)), token.Seed, constants.CredentialsSecretName)
	default:
		return isTrue(conditions.ReasonCredentialsAvailable, "The token for %s is valid until %s (%s left).", endpoint, clockTime(token.Expiry), left(token.Expiry.Sub(now)))
	}
}

// GardenCredentials judges the tokens of all seeds that are to have one, from within the garden.
func GardenCredentials(now time.Time, tokens []Token) Verdict {
	var expired, overdue, missing []string
	first := Token{}
	tokens = slices.Clone(tokens)
	slices.SortFunc(tokens, func(a, b Token) int { return strings.Compare(a.Seed, b.Seed) })
	for _, token := range tokens {
		switch {
		case !token.Exists:
			missing = append(missing, token.Seed)
			continue
		case token.isExpired(now):
			expired = append(expired, token.Seed)
		case token.IsOverdue(now):
			overdue = append(overdue, token.Seed)
		}
		if first.Expiry.IsZero() || token.Expiry.Before(first.Expiry) {
			first = token
		}
	}

	switch {
	case len(expired) > 0:
		return isFalse(conditions.ReasonTokenExpired, "The tokens of %d of %d seeds have expired: %s. Look at the log of the extension of class garden, controller credentials, for why they are not renewed.", len(expired), len(tokens), list(expired))
	case len(overdue) > 0:
		return isFalse(conditions.ReasonTokenRenewalOverdue, "The tokens of %d of %d seeds have not been renewed in time: %s; the first one expires at %s. Look at the log of the extension of class garden, controller credentials.",
			len(overdue), len(tokens), list(overdue), clockTime(first.Expiry))
	case len(missing) > 0:
		return isProgressing(conditions.ReasonCredentialsMissing, "%d of %d seeds have no token yet: %s. A seed gets one as soon as its namespace exists in the virtual garden.", len(missing), len(tokens), list(missing))
	case len(tokens) == 0:
		return isTrue(conditions.ReasonCredentialsAvailable, "There is no seed that is to have a token.")
	default:
		return isTrue(conditions.ReasonCredentialsAvailable, "All %d seeds have a token. The first one to expire is that of %s, at %s.", len(tokens), first.Seed, clockTime(first.Expiry))
	}
}
