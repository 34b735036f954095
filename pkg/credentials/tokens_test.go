// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

func newKeySecret(bits int) *corev1.Secret {
	GinkgoHelper()
	data, err := (&secretsutils.RSASecretConfig{Name: "key", Bits: bits}).Generate()
	Expect(err).NotTo(HaveOccurred())
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "key"}, Data: data.SecretData()}
}

// keySecrets returns two signing keys that are generated once, because that takes its time.
var keySecrets = sync.OnceValue(func() []*corev1.Secret {
	return []*corev1.Secret{newKeySecret(2048), newKeySecret(2048)}
})

var _ = Describe("Keys and tokens", func() {
	const day = 24 * time.Hour

	var (
		now            = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		key1, key2     *SigningKey
		secret1        *corev1.Secret
		issue          func(seedName string) string
		tampered       func(change func(claims map[string]any)) string
		needsRenewalOf func(token string, now time.Time) (bool, string)
	)

	BeforeEach(func() {
		secret1 = keySecrets()[0].DeepCopy()

		var err error
		key1, err = ParseSigningKey(secret1)
		Expect(err).NotTo(HaveOccurred())
		key2, err = ParseSigningKey(keySecrets()[1])
		Expect(err).NotTo(HaveOccurred())

		issue = func(seedName string) string {
			token, err := Issue(key1, seedName, now, 7*day)
			Expect(err).NotTo(HaveOccurred())
			return token
		}
		tampered = func(change func(claims map[string]any)) string {
			parts := strings.Split(issue("seed-1"), ".")
			payload, err := base64.RawURLEncoding.DecodeString(parts[1])
			Expect(err).NotTo(HaveOccurred())
			claims := map[string]any{}
			Expect(json.Unmarshal(payload, &claims)).To(Succeed())
			change(claims)
			payload, err = json.Marshal(claims)
			Expect(err).NotTo(HaveOccurred())
			parts[1] = base64.RawURLEncoding.EncodeToString(payload)
			return strings.Join(parts, ".")
		}
		needsRenewalOf = func(token string, now time.Time) (bool, string) {
			return NeedsRenewal(token, key1.ID, "seed-1", now, day)
		}
	})

	Describe("#ParseSigningKey", func() {
		It("should read the key of the secrets manager and not print it", func() {
			Expect(key1.ID).To(HaveLen(43))
			Expect(key1.ID).NotTo(Equal(key2.ID))
			Expect(KeyID(key1.Public())).To(Equal(key1.ID))

			for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
				Expect(fmt.Sprintf(format, key1)).To(Equal(key1.ID))
			}
		})

		It("should refuse a Secret without the key", func() {
			_, err := ParseSigningKey(&corev1.Secret{ObjectMeta: secret1.ObjectMeta})
			Expect(err).To(MatchError(`signing key Secret garden/key has no key "id_rsa"`))
		})

		It("should refuse other data and not reveal it", func() {
			secret1.Data["id_rsa"] = append([]byte("sesame"), secret1.Data["id_rsa"][60:]...)
			_, err := ParseSigningKey(secret1)
			Expect(err).To(MatchError(`key "id_rsa" of signing key Secret garden/key is no PEM-encoded RSA private key`))
		})

		It("should refuse a short key", func() {
			_, err := ParseSigningKey(newKeySecret(1024))
			Expect(err).To(MatchError(ContainSubstring("has 1024 bits, at least 2048 are needed")))
		})
	})

	Describe("#JWKS", func() {
		It("should contain the public keys only, independent of their order and number", func() {
			jwks, err := JWKS(key1.Public(), key2.Public())
			Expect(err).NotTo(HaveOccurred())
			Expect(JWKS(key2.Public(), key1.Public(), key2.Public())).To(Equal(jwks))

			raw := struct {
				Keys []map[string]string `json:"keys"`
			}{}
			Expect(json.Unmarshal(jwks, &raw)).To(Succeed())
			Expect(raw.Keys).To(HaveLen(2))
			Expect(raw.Keys[0]["kid"] < raw.Keys[1]["kid"]).To(BeTrue())
			for _, key := range raw.Keys {
				Expect(key).To(And(HaveLen(6), HaveKeyWithValue("alg", "RS256"), HaveKeyWithValue("use", "sig"), HaveKeyWithValue("kty", "RSA"),
					HaveKey("kid"), HaveKey("n"), HaveKey("e")))
			}
		})

		It("should be a valid set without keys", func() {
			Expect(JWKS()).To(MatchJSON(`{"keys":[]}`))
		})

		It("should refuse a missing key", func() {
			_, err := JWKS((*rsa.PublicKey)(nil))
			Expect(err).To(HaveOccurred())
		})
	})

	Describe("#Issue", func() {
		It("should issue a token that verifies with the JWKS and has the claims at the top level", func() {
			data, err := JWKS(key2.Public(), key1.Public())
			Expect(err).NotTo(HaveOccurred())
			jwks := jose.JSONWebKeySet{}
			Expect(json.Unmarshal(data, &jwks)).To(Succeed())

			parsed, err := jwt.ParseSigned(issue("seed-1"), []jose.SignatureAlgorithm{jose.RS256})
			Expect(err).NotTo(HaveOccurred())
			claims := map[string]any{}
			Expect(parsed.Claims(jwks, &claims)).To(Succeed())
			Expect(claims["jti"]).NotTo(BeEmpty())
			delete(claims, "jti")
			Expect(claims).To(Equal(map[string]any{
				"iss":  "https://otel-federation.extensions.gardener.cloud",
				"sub":  "system:gardener:seed:seed-1",
				"aud":  "otel-federation",
				"seed": "seed-1",
				"iat":  float64(now.Unix()),
				"nbf":  float64(now.Unix()),
				"exp":  float64(now.Add(7 * day).Unix()),
			}))
		})

		It("should give each token an id of its own", func() {
			Expect(issue("seed-1")).NotTo(Equal(issue("seed-1")))
		})

		It("should not verify with another key", func() {
			parsed, err := jwt.ParseSigned(issue("seed-1"), []jose.SignatureAlgorithm{jose.RS256})
			Expect(err).NotTo(HaveOccurred())
			Expect(parsed.Claims(key2.Public(), &map[string]any{})).NotTo(Succeed())
		})

		It("should refuse incomplete input", func() {
			for _, f := range []func() (string, error){
				func() (string, error) { return Issue(nil, "seed-1", now, day) },
				func() (string, error) { return Issue(key1, "", now, day) },
				func() (string, error) { return Issue(key1, "seed-1", now, 0) },
			} {
				_, err := f()
				Expect(err).To(HaveOccurred())
			}
		})
	})

	Describe("#Inspect", func() {
		It("should return the claims and the key id", func() {
			claims, keyID, err := Inspect(issue("seed-1"))
			Expect(err).NotTo(HaveOccurred())
			Expect(keyID).To(Equal(key1.ID))
			Expect(claims.ID).NotTo(BeEmpty())
			claims.ID = ""
			Expect(claims).To(Equal(Claims{
				Issuer:    "https://otel-federation.extensions.gardener.cloud",
				Subject:   "system:gardener:seed:seed-1",
				Audience:  []string{"otel-federation"},
				Seed:      "seed-1",
				IssuedAt:  now,
				NotBefore: now,
				Expiry:    now.Add(7 * day),
			}))
		})

		It("should refuse what is no token, without revealing any of it", func() {
			valid := issue("seed-1")
			parts := strings.Split(valid, ".")
			none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + "."
			for _, token := range []string{"", "sesame", "sesame.open.now", valid[:len(valid)/2], valid + ".x", none, parts[0] + ".c2VzYW1l." + parts[2],
				tampered(func(claims map[string]any) { claims["exp"] = "sesame" }), tampered(func(claims map[string]any) { claims["seed"] = []string{"sesame"} })} {
				_, _, err := Inspect(token)
				Expect(err).To(MatchError(MatchRegexp("^failed to inspect the (claims of the )?token: it is no JSON web token signed with RS256$")))
			}
		})
	})

	Describe("#NeedsRenewal", func() {
		expect := func(token string, at time.Time, reason string) {
			GinkgoHelper()
			renew, why := needsRenewalOf(token, at)
			Expect(why).To(Equal(reason))
			Expect(renew).To(Equal(reason != ""))
		}

		It("should keep a token until it is due", func() {
			expect(issue("seed-1"), now, "")
			expect(issue("seed-1"), now.Add(day-time.Second), "")
			expect(issue("seed-1"), now.Add(day), "the token is due for renewal")
			expect(issue("seed-1"), now.Add(8*day), "the token has expired")
		})

		It("should renew a token after half of its validity, though it may be older by now", func() {
			token, err := Issue(key1, "seed-1", now, time.Hour)
			Expect(err).NotTo(HaveOccurred())
			expect(token, now.Add(30*time.Minute-time.Second), "")
			expect(token, now.Add(30*time.Minute), "the token is due for renewal")
		})

		It("should renew what is no token", func() {
			expect("", now, "there is no token")
			expect("sesame", now, "the token cannot be read")
		})

		It("should renew a token of another key", func() {
			renew, why := NeedsRenewal(issue("seed-1"), key2.ID, "seed-1", now, day)
			Expect(renew).To(BeTrue())
			Expect(why).To(Equal("the token is signed with another key"))
		})

		It("should renew a token with other claims", func() {
			expect(issue("seed-2"), now, "the token has other claims")
			for claim, value := range map[string]any{"iss": "foo", "aud": []string{"otel-federation", "foo"}, "sub": "foo", "seed": "foo"} {
				expect(tampered(func(claims map[string]any) { claims[claim] = value }), now, "the token has other claims")
			}
		})

		It("should renew a token with implausible times", func() {
			expect(tampered(func(claims map[string]any) { delete(claims, "exp") }), now, "the token has implausible times")
			expect(tampered(func(claims map[string]any) { delete(claims, "iat") }), now, "the token has implausible times")
			expect(issue("seed-1"), now.Add(-4*time.Minute), "")
			expect(issue("seed-1"), now.Add(-6*time.Minute), "the token has implausible times")
		})
	})
})
