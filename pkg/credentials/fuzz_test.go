// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

// fuzzKey returns a signing key, which is generated once.
func fuzzKey(f *testing.F) *SigningKey {
	key, err := ParseSigningKey(&corev1.Secret{Data: fuzzKeyData(f)})
	if err != nil {
		f.Fatal(err)
	}
	return key
}

func fuzzKeyData(f *testing.F) map[string][]byte {
	data, err := (&secretsutils.RSASecretConfig{Name: "key", Bits: 2048}).Generate()
	if err != nil {
		f.Fatal(err)
	}
	return data.SecretData()
}

// FuzzInspect checks that no text makes reading a token fail other than by an error which holds nothing of it, and that only a token of
// the seed itself is kept.
func FuzzInspect(f *testing.F) {
	const seedName = "seed"
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	key := fuzzKey(f)
	for _, name := range []string{seedName, "other", "*", "\u0000"} {
		token, err := Issue(key, name, now, time.Hour)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
	}
	for _, token := range []string{
		"", ".", "..", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJIUzI1NiJ9.e30.AA", "eyJhbGciOiJSUzI1NiJ9.e30.AA",
		"eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjFlMzA4fQ.AA", "eyJhbGciOiJSUzI1NiJ9.eyJpYXQiOi0xLCJhdWQiOlsiYSIsMV19.AA", "eyJhbGciOiJSUzI1NiJ9.bnVsbA.AA",
		"eyJhbGciOiJSUzI1NiIsImNyaXQiOlsiYjY0Il0sImI2NCI6ZmFsc2V9.e30.AA", `{"payload":"e30","signatures":[]}`,
	} {
		f.Add(token)
	}

	f.Fuzz(func(t *testing.T, token string) {
		g := NewWithT(t)
		claims, keyID, err := Inspect(token)
		if err != nil {
			g.Expect(claims).To(BeZero())
			g.Expect(keyID).To(BeEmpty())
			g.Expect(err.Error()).To(HaveSuffix("it is no JSON web token signed with RS256"), "the error must hold nothing of the token")
		}

		renew, reason := NeedsRenewal(token, key.ID, seedName, now, 24*time.Hour)
		g.Expect(renew).To(Equal(reason != ""))
		if !renew {
			g.Expect(err).NotTo(HaveOccurred())
			g.Expect(claims.Seed).To(Equal(seedName))
			g.Expect(keyID).To(Equal(key.ID))
			g.Expect(now.Before(claims.Expiry)).To(BeTrue())
		}
	})
}

// FuzzParseSigningKey checks that no text makes reading a key fail other than by an error which holds nothing of it, and that a key which
// is read can sign.
func FuzzParseSigningKey(f *testing.F) {
	f.Add(fuzzKeyData(f)[secretsutils.DataKeyRSAPrivateKey])
	for _, data := range []string{"", "text", "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		f.Add([]byte(data))
	}

	f.Fuzz(func(t *testing.T, data []byte) {
		g := NewWithT(t)
		key, err := ParseSigningKey(&corev1.Secret{Data: map[string][]byte{secretsutils.DataKeyRSAPrivateKey: data}})
		if err != nil {
			g.Expect(key).To(BeNil())
			if len(data) > 16 {
				g.Expect(err.Error()).NotTo(ContainSubstring(string(data)))
			}
			return
		}
		g.Expect(key.ID).NotTo(BeEmpty())
		_, err = Issue(key, "seed", time.Now(), time.Hour)
		g.Expect(err).NotTo(HaveOccurred())
	})
}

// FuzzJWKS checks that the key set can be read by whoever verifies tokens, has nothing private, and each key once.
func FuzzJWKS(f *testing.F) {
	f.Add(fuzzKey(f).Public().N.Bytes(), 65537, []byte{1, 2, 3})
	f.Add([]byte{}, 0, []byte{0})
	f.Add([]byte{255}, -1, []byte{255})

	f.Fuzz(func(t *testing.T, modulus []byte, exponent int, other []byte) {
		g := NewWithT(t)
		a := &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: exponent}
		b := &rsa.PublicKey{N: new(big.Int).SetBytes(other), E: 65537}
		data, err := JWKS(a, b, a)
		if err != nil {
			return
		}
		g.Expect(JWKS(b, a)).To(Equal(data))

		set := jose.JSONWebKeySet{}
		if err := json.Unmarshal(data, &set); err != nil {
			// The library refuses to read keys that it has written and that nobody generates, like those of a few bits.
			return
		}
		for _, key := range set.Keys {
			g.Expect(key.IsPublic()).To(BeTrue())
			g.Expect(set.Key(key.KeyID)).To(HaveLen(1))
		}
	})
}

// FuzzParseIssuerConfig checks that whatever is accepted leads seeds to nothing but https, and can be written and read again.
func FuzzParseIssuerConfig(f *testing.F) {
	for _, data := range []string{
		"", "{}", "[", "\x00",
		"endpoint: https://host\nsigningKeySecretName: key\ntokenValidity: 168h\ntokenRenewAfter: 24h\n",
		"endpoint: http://host\nsigningKeySecretName: key\ntokenValidity: 168h\ntokenRenewAfter: 24h\n",
		"endpoint: https://host\nsigningKeySecretName: key\ntokenValidity: 168h\ntokenRenewAfter: 24h\ndeniedSeeds: [a, a]\nseedSelector: {matchLabels: {a: b}}\n",
		"endpoint: https://host\nsigningKeySecretName: key\ntokenValidity: 1h\ntokenRenewAfter: 1h\ncaBundle: text\n",
	} {
		f.Add(data)
	}

	f.Fuzz(func(t *testing.T, data string) {
		g := NewWithT(t)
		config, err := ParseIssuerConfig(&corev1.ConfigMap{Data: map[string]string{DataKeyIssuerConfig: data}})
		if err != nil {
			g.Expect(config).To(BeNil())
			return
		}
		g.Expect(config.Endpoint).To(MatchRegexp("^(?i:https)://"))
		g.Expect(config.TokenValidity.Duration).To(BeNumerically(">", config.TokenRenewAfter.Duration))
		g.Expect(ParseIssuerConfig(config.ConfigMap("garden"))).To(BeComparableTo(config))
	})
}

// FuzzValidateSecretData checks that the error about credentials holds nothing of the token.
func FuzzValidateSecretData(f *testing.F) {
	f.Add("https://host", "token", []byte("bundle"))
	f.Add("http://host", "to\nken", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Add("", "", []byte{})
	f.Add("https://user:secret@host/", "token ", []byte{0})

	f.Fuzz(func(t *testing.T, endpoint, token string, bundle []byte) {
		g := NewWithT(t)
		err := ValidateSecretData(map[string][]byte{"endpoint": []byte(endpoint), "token": []byte(token), "bundle.crt": bundle})
		if err == nil {
			g.Expect(endpoint).To(MatchRegexp("^(?i:https)://"))
			g.Expect(token).NotTo(BeEmpty())
			return
		}
		if len(token) > 32 {
			g.Expect(err.Error()).NotTo(ContainSubstring(token))
		}
	})
}
