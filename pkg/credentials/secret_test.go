// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

// caPEM returns the certificate of a CA that is generated once, because that takes its time.
var caPEM = sync.OnceValue(func() []byte {
	ca, err := (&secretsutils.CertificateSecretConfig{Name: "ca", CommonName: "ca", CertType: secretsutils.CACert}).GenerateCertificate()
	Expect(err).NotTo(HaveOccurred())
	return ca.CertificatePEM
})

var _ = Describe("Secret", func() {
	newSeed := func(domain string) *gardencorev1beta1.Seed {
		return &gardencorev1beta1.Seed{Spec: gardencorev1beta1.SeedSpec{Ingress: &gardencorev1beta1.Ingress{Domain: domain}}}
	}

	Describe("#ObjectLabels, #IsOurs", func() {
		It("should recognise our objects", func() {
			Expect(IsOurs(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Labels: ObjectLabels()}})).To(BeTrue())
			Expect(IsOurs(&corev1.Secret{})).To(BeFalse())
			Expect(ObjectLabels()).NotTo(HaveKey("gardener.cloud/role"))
		})
	})

	DescribeTable("#Instance", func(seed *gardencorev1beta1.Seed, aggregateHost, expected string) {
		Expect(Instance(seed, aggregateHost)).To(Equal(expected))
	},
		Entry("the runtime cluster", newSeed("ingress.runtime.local"), "p-seed.ingress.runtime.local", "prometheus-aggregate"),
		Entry("another seed", newSeed("ingress.seed-2.local"), "p-seed.ingress.runtime.local", "p-seed.ingress.seed-2.local"),
		Entry("a runtime cluster without seed", newSeed("ingress.seed-2.local"), "", "p-seed.ingress.seed-2.local"),
		Entry("a seed without ingress", &gardencorev1beta1.Seed{}, "p-seed.ingress.runtime.local", ""),
	)

	Describe("#SecretData", func() {
		It("should contain what the seed needs", func() {
			config := &IssuerConfig{Endpoint: "https://foo", CABundle: "bundle", AggregatePrometheusHost: "bar"}
			Expect(config.SecretData(newSeed("ingress.local"), "token")).To(Equal(map[string][]byte{
				"endpoint":   []byte("https://foo"),
				"bundle.crt": []byte("bundle"),
				"token":      []byte("token"),
				"instance":   []byte("p-seed.ingress.local"),
			}))
		})

		It("should leave out what there is not", func() {
			Expect((&IssuerConfig{Endpoint: "https://foo"}).SecretData(&gardencorev1beta1.Seed{}, "token")).To(Equal(map[string][]byte{
				"endpoint": []byte("https://foo"),
				"token":    []byte("token"),
			}))
		})
	})

	Describe("#ValidateSecretData", func() {
		var data map[string][]byte

		BeforeEach(func() {
			data = map[string][]byte{"endpoint": []byte("https://foo"), "bundle.crt": caPEM(), "token": []byte("sesame")}
		})

		DescribeTable("should check each key and not reveal its content", func(change func(), matcher OmegaMatcher) {
			change()
			err := ValidateSecretData(data)
			Expect(err).To(matcher)
			if err != nil {
				Expect(err.Error()).NotTo(ContainSubstring("sesame"))
			}
		},
			Entry("complete", func() {}, Succeed()),
			Entry("without bundle", func() { delete(data, "bundle.crt") }, Succeed()),
			Entry("no endpoint", func() { delete(data, "endpoint") }, MatchError(HavePrefix(`key "endpoint":`))),
			Entry("endpoint without TLS", func() { data["endpoint"] = []byte("http://sesame") }, MatchError(HavePrefix(`key "endpoint":`))),
			Entry("no URL", func() { data["endpoint"] = []byte("https://sesame\n") }, MatchError(HavePrefix(`key "endpoint":`))),
			Entry("empty token", func() { data["token"] = nil }, MatchError(HavePrefix(`key "token":`))),
			Entry("token with a line break", func() { data["token"] = []byte("sesame\n") }, MatchError(HavePrefix(`key "token":`))),
			Entry("empty bundle", func() { data["bundle.crt"] = nil }, MatchError(HavePrefix(`key "bundle.crt":`))),
			Entry("no PEM", func() { data["bundle.crt"] = []byte("sesame") }, MatchError(HavePrefix(`key "bundle.crt":`))),
		)
	})
})
