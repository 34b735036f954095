// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/pkg/utils"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// claims are the claims of a token.
type claims map[string]any

// validClaims are those of a token that the fan-out accepts.
func validClaims() claims {
	now := time.Now()
	return claims{
		"iss": constants.TokenIssuer, "aud": constants.TokenAudience, "sub": "system:gardener:seed:" + attackerSeed,
		constants.ClaimSeed: attackerSeed, "iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(2 * time.Hour).Unix(),
	}
}

// issueTokens gives the attacker and the witness what seeds get.
func issueTokens(ctx context.Context) {
	key := privateKey(ctx)
	token = sign(key, validClaims())
	witnessToken = sign(key, validClaims().with(constants.ClaimSeed, witnessSeed))
}

// with returns the claims with some replaced.
func (c claims) with(keysAndValues ...any) claims {
	c = maps.Clone(c)
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		c[keysAndValues[i].(string)] = keysAndValues[i+1]
	}
	return c
}

// privateKey is the newest key that signs tokens. Only the test may read it.
func privateKey(ctx context.Context) *rsa.PrivateKey {
	key, err := utils.DecodePrivateKey(signingKeySecret(ctx).Data[secretsutils.DataKeyRSAPrivateKey])
	Expect(err).NotTo(HaveOccurred())
	return key
}

// signingKeySecret is the Secret with that key.
func signingKeySecret(ctx context.Context) corev1.Secret {
	secrets := &corev1.SecretList{}
	Expect(ls.Runtime().List(ctx, secrets, client.InNamespace(gardener.Namespace), client.MatchingLabels{"name": constants.SigningKeySecretName})).To(Succeed())
	Expect(secrets.Items).NotTo(BeEmpty())
	newest := 0
	for i := range secrets.Items {
		if secrets.Items[newest].CreationTimestamp.Before(&secrets.Items[i].CreationTimestamp) {
			newest = i
		}
	}
	return secrets.Items[newest]
}

func keyID(key *rsa.PublicKey) string {
	id, err := credentials.KeyID(key)
	Expect(err).NotTo(HaveOccurred())
	return id
}

// sign signs a token as the extension does.
func sign(key *rsa.PrivateKey, c claims) string {
	return signWith(jose.RS256, key, keyID(&key.PublicKey), c)
}

// signWith signs a token with any algorithm and key, under any key id.
func signWith(algorithm jose.SignatureAlgorithm, key any, id string, c claims) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: jose.JSONWebKey{Key: key, KeyID: id}}, (&jose.SignerOptions{}).WithType("JWT"))
	Expect(err).NotTo(HaveOccurred())
	signed, err := jwt.Signed(signer).Claims(map[string]any(c)).Serialize()
	Expect(err).NotTo(HaveOccurred())
	return signed
}

// unsigned is a token with the given header and signature.
func unsigned(header map[string]any, c claims, signature string) string {
	return encoded(header) + "." + encoded(c) + "." + signature
}

func encoded(value any) string {
	return base64.RawURLEncoding.EncodeToString(payloadOf(value))
}

func payloadOf(value any) []byte {
	data, err := json.Marshal(value)
	Expect(err).NotTo(HaveOccurred())
	return data
}
