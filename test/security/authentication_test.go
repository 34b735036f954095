// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

var _ = Describe("Authentication", Ordered, func() {
	const bearer = "Bearer "

	var (
		watched  *observation
		value    = mark()
		sent     []string
		refusals float64
	)

	BeforeAll(func(ctx SpecContext) {
		watched = observe(ctx)
		refusals = refused(ctx)
	})

	DescribeTable("is refused by 401", func(ctx SpecContext, header func(ctx context.Context) string) {
		authorization := header(ctx)
		got := attempt{
			header: map[string]string{"Authorization": authorization},
			body:   request(gauge("attack:authentication", point(time.Now(), value))),
		}.send(ctx)
		sent = append(sent, authorization)
		tell(sectionAuthentication, CurrentSpecReport().LeafNodeText, got.String(), nothing)
		Expect(got.err).NotTo(HaveOccurred())
		Expect(got.status).To(Equal(http.StatusUnauthorized))
		Expect(revealsToken(got.body, authorization)).To(BeFalse(), "the answer repeats the token")
	},
		Entry("no token", func(context.Context) string { return "" }),
		Entry("something else than a token", func(context.Context) string { return bearer + "garbage" }),
		Entry("an empty token", func(context.Context) string { return bearer }),
		Entry("three parts that are no token", func(context.Context) string { return bearer + "a.b.c" }),
		Entry("name and password", func(context.Context) string { return "Basic bWFsbG9yeTpzZWNyZXQ=" }),
		Entry("a token without a scheme", func(context.Context) string { return token }),
		Entry("a token that has expired a minute ago", func(ctx context.Context) string {
			return bearer + sign(privateKey(ctx), validClaims().with("exp", time.Now().Add(-time.Minute).Unix()))
		}),
		Entry("a token without an expiry", func(ctx context.Context) string {
			c := validClaims()
			delete(c, "exp")
			return bearer + sign(privateKey(ctx), c)
		}),
		Entry("a token that is valid in six minutes", func(ctx context.Context) string {
			return bearer + sign(privateKey(ctx), validClaims().with("nbf", time.Now().Add(6*time.Minute).Unix()))
		}),
		Entry("a token of another issuer", func(ctx context.Context) string {
			return bearer + sign(privateKey(ctx), validClaims().with("iss", "https://issuer.example.org"))
		}),
		Entry("a token for another audience", func(ctx context.Context) string {
			return bearer + sign(privateKey(ctx), validClaims().with("aud", "kubernetes"))
		}),
		Entry("`alg: none`", func(context.Context) string {
			return bearer + unsigned(map[string]any{"alg": "none", "typ": "JWT"}, validClaims(), "")
		}),
		Entry("`alg: none` with a signature", func(context.Context) string {
			return bearer + unsigned(map[string]any{"alg": "none", "typ": "JWT"}, validClaims(), signatureOf(token))
		}),
		Entry("HS256 with the public key (PKIX)", func(ctx context.Context) string {
			key := privateKey(ctx)
			der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
			Expect(err).NotTo(HaveOccurred())
			return bearer + signWith(jose.HS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), keyID(&key.PublicKey), validClaims())
		}),
		Entry("HS256 with the public key (PKCS #1)", func(ctx context.Context) string {
			key := privateKey(ctx)
			secret := pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&key.PublicKey)})
			return bearer + signWith(jose.HS256, secret, keyID(&key.PublicKey), validClaims())
		}),
		Entry("HS256 with the set of public keys", func(ctx context.Context) string {
			key := privateKey(ctx)
			set, err := credentials.JWKS(&key.PublicKey)
			Expect(err).NotTo(HaveOccurred())
			return bearer + signWith(jose.HS256, set, keyID(&key.PublicKey), validClaims())
		}),
		Entry("the right key by another algorithm (PS256)", func(ctx context.Context) string {
			key := privateKey(ctx)
			return bearer + signWith(jose.PS256, key, keyID(&key.PublicKey), validClaims())
		}),
		Entry("an unknown key", func(context.Context) string { return bearer + sign(newKey(), validClaims()) }),
		Entry("an unknown key under the id of the right one", func(ctx context.Context) string {
			return bearer + signWith(jose.RS256, newKey(), keyID(&privateKey(ctx).PublicKey), validClaims())
		}),
		Entry("an unknown key that comes with the token (`jwk`)", func(context.Context) string {
			key := newKey()
			signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, &jose.SignerOptions{EmbedJWK: true})
			Expect(err).NotTo(HaveOccurred())
			signed, err := signer.Sign(payloadOf(validClaims()))
			Expect(err).NotTo(HaveOccurred())
			compact, err := signed.CompactSerialize()
			Expect(err).NotTo(HaveOccurred())
			return bearer + compact
		}),
		Entry("a token whose seed was changed", func(context.Context) string {
			parts := strings.Split(token, ".")
			return bearer + parts[0] + "." + encoded(validClaims().with(constants.ClaimSeed, seedOther)) + "." + parts[2]
		}),
		Entry("a token without its signature", func(context.Context) string {
			return bearer + strings.TrimSuffix(token, signatureOf(token))
		}),
		Entry("a token with something behind it", func(context.Context) string { return bearer + token + "x" }),
	)

	It("stores nothing of that, counts it, and keeps the tokens out of the logs", func(ctx SpecContext) {
		settle(ctx)
		Expect(stored(ctx, value)).To(Equal(nothing))
		Expect(refused(ctx)-refusals).To(BeEquivalentTo(len(sent)), "requests that the fan-out has counted as refused")
		for _, log := range logs() {
			for _, authorization := range sent {
				Expect(revealsToken(log.content(), authorization)).To(BeFalse(), "a token is in %s", log)
			}
		}
		watched.expectUnharmed(ctx, allowedQuick)
	})

	It("looks at nothing but the token, and allows clocks to differ by five minutes", func(ctx SpecContext) {
		for name, authorization := range map[string]string{
			"a valid token under another scheme": "Basic " + token,
			"a token that is valid in four minutes": bearer + sign(privateKey(ctx), validClaims().with(
				"nbf", time.Now().Add(4*time.Minute).Unix())),
			"a token of a seed that is gone, and not denied": bearer + token,
		} {
			value := mark()
			got := attempt{header: map[string]string{"Authorization": authorization}, body: request(gauge("attack:accepted", point(time.Now(), value)))}.send(ctx)
			Expect(got.status).To(Equal(http.StatusOK), name)
			settle(ctx)
			Expect(stored(ctx, value)).To(ContainSubstring(attackerSeed))
			tell(sectionAuthentication, name, got.String(), "under its own name, until the token expires or the seed is denied")
		}
	})
})

func newKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	Expect(err).NotTo(HaveOccurred())
	return key
}

func signatureOf(token string) string {
	return token[strings.LastIndexByte(token, '.')+1:]
}

// revealsToken says whether a text has a token, or so much of it that it can be guessed: claims and signature.
func revealsToken(text, authorization string) bool {
	_, raw, _ := strings.Cut(authorization, " ")
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || len(parts[1]) < 20 {
		return false
	}
	return strings.Contains(text, parts[1]) || len(parts[2]) > 20 && strings.Contains(text, parts[2])
}

// refused is how many requests the fan-out has answered by 401.
func refused(ctx context.Context) float64 {
	GinkgoHelper()
	return fanOutMetric(ctx, Default, strings.TrimSuffix(collector.MetricRequests, "_count"), map[string]string{collector.LabelStatus: fmt.Sprint(http.StatusUnauthorized)})
}
