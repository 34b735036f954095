// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"k8s.io/apimachinery/pkg/util/uuid"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	// subjectPrefix is what the subject of a seed's token starts with.
	subjectPrefix = "system:gardener:seed:"
	// maximumClockSkew is how far in the future a token may have been issued before it is taken for one issued by a wrong clock.
	maximumClockSkew = 5 * time.Minute
)

// errNoToken does not wrap the cause of a failure to read a token, because that may contain pieces of it.
var errNoToken = errors.New("it is no JSON web token signed with " + string(signatureAlgorithm))

// Claims are the claims of a token that matter to this extension.
type Claims struct {
	// Issuer is the claim `iss`.
	Issuer string
	// Subject is the claim `sub`.
	Subject string
	// Audience is the claim `aud`.
	Audience []string
	// ID is the claim `jti`.
	ID string
	// Seed is the claim `seed`.
	Seed string
	// IssuedAt is the claim `iat`.
	IssuedAt time.Time
	// NotBefore is the claim `nbf`.
	NotBefore time.Time
	// Expiry is the claim `exp`.
	Expiry time.Time
}

// RenewalTime returns when the token has to be renewed: at the given age, but when half of its own validity has passed at the latest. The
// validity may have been configured shorter when it was issued.
func (c *Claims) RenewalTime(renewAfter time.Duration) time.Time {
	return c.IssuedAt.Add(min(renewAfter, c.Expiry.Sub(c.IssuedAt)/2))
}

// Issue issues a token for the given seed.
func Issue(key *SigningKey, seedName string, now time.Time, validity time.Duration) (string, error) {
	if key == nil || seedName == "" || validity <= 0 {
		return "", errors.New("failed to issue a token: a signing key, the name of a seed and a positive validity are needed")
	}

	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: signatureAlgorithm, Key: jose.JSONWebKey{Key: key.private, KeyID: key.ID}},
		(&jose.SignerOptions{}).WithType("JWT"),
	)
	if err != nil {
		return "", fmt.Errorf("failed to create a signer with key %s: %w", key.ID, err)
	}

	token, err := jwt.Signed(signer).
		Claims(jwt.Claims{
			Issuer:    constants.TokenIssuer,
			Subject:   subjectPrefix + seedName,
			Audience:  jwt.Audience{constants.TokenAudience},
			ID:        string(uuid.NewUUID()),
			IssuedAt:  jwt.NewNumericDate(now),
			NotBefore: jwt.NewNumericDate(now),
			Expiry:    jwt.NewNumericDate(now.Add(validity)),
		}).
		Claims(map[string]any{constants.ClaimSeed: seedName}).
		Serialize()
	if err != nil {
		return "", fmt.Errorf("failed to sign the token of seed %q with key %s: %w", seedName, key.ID, err)
	}
	return token, nil
}

// Inspect returns the claims and the key id of a token without verifying it. It is for decisions about a token that lies where
// only its issuer can write, such as whether it has to be renewed; it proves nothing about who sends a token.
func Inspect(token string) (Claims, string, error) {
	parsed, err := jwt.ParseSigned(token, []jose.SignatureAlgorithm{signatureAlgorithm})
	if err != nil || len(parsed.Headers) != 1 {
		return Claims{}, "", fmt.Errorf("failed to inspect the token: %w", errNoToken)
	}

	var (
		registered jwt.Claims
		private    struct {
			Seed string `json:"seed"`
		}
	)
	if err := parsed.UnsafeClaimsWithoutVerification(&registered, &private); err != nil {
		return Claims{}, "", fmt.Errorf("failed to inspect the claims of the token: %w", errNoToken)
	}

	return Claims{
		Issuer:    registered.Issuer,
		Subject:   registered.Subject,
		Audience:  registered.Audience,
		ID:        registered.ID,
		Seed:      private.Seed,
		IssuedAt:  timeOf(registered.IssuedAt),
		NotBefore: timeOf(registered.NotBefore),
		Expiry:    timeOf(registered.Expiry),
	}, parsed.Headers[0].KeyID, nil
}

// NeedsRenewal tells whether the token of the given seed has to be replaced by one that is signed with the key of the given
// id, and why.
func NeedsRenewal(token, wantKeyID, seedName string, now time.Time, renewAfter time.Duration) (bool, string) {
	if token == "" {
		return true, "there is no token"
	}
	claims, keyID, err := Inspect(token)
	if err != nil {
		return true, "the token cannot be read"
	}

	switch {
	case keyID != wantKeyID:
		return true, "the token is signed with another key"
	case claims.Issuer != constants.TokenIssuer,
		claims.Subject != subjectPrefix+seedName,
		claims.Seed != seedName,
		len(claims.Audience) != 1 || claims.Audience[0] != constants.TokenAudience:
		return true, "the token has other claims"
	case claims.IssuedAt.IsZero(), claims.Expiry.IsZero(), claims.IssuedAt.After(now.Add(maximumClockSkew)):
		return true, "the token has implausible times"
	case !now.Before(claims.Expiry):
		return true, "the token has expired"
	case !now.Before(claims.RenewalTime(renewAfter)):
		return true, "the token is due for renewal"
	}
	return false, ""
}

func timeOf(date *jwt.NumericDate) time.Time {
	if date == nil {
		return time.Time{}
	}
	return date.Time().UTC()
}
