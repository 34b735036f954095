// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package secrets_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"
	secretsmanager "github.com/gardener/gardener/pkg/utils/secrets/manager"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/secrets"
)

var _ = Describe("Secrets", func() {
	It("should use different identities, because a cleanup deletes everything of its identity", func() {
		Expect(IdentityCertificates).NotTo(Equal(IdentitySigningKey))
	})

	Describe("#CertificateConfigs", func() {
		It("should describe a CA and a server certificate that it signs", func() {
			configs := CertificateConfigs("foo.example.com")

			Expect(configs).To(HaveLen(2))
			Expect(configs[0].Config).To(Equal(&secretsutils.CertificateSecretConfig{
				Name:       "ca-otel-federation",
				CommonName: "ca-otel-federation",
				CertType:   "ca",
			}))
			Expect(configs[1].Config).To(Equal(&secretsutils.CertificateSecretConfig{
				Name:                        "otel-federation-server",
				CommonName:                  "foo.example.com",
				DNSNames:                    []string{"foo.example.com"},
				CertType:                    "server",
				Validity:                    new(730 * 24 * time.Hour),
				SkipPublishingCACertificate: true,
			}))
			Expect(optionsOf(configs[0].Options).Persist).To(BeTrue())
			Expect(configs[1].Options).To(HaveLen(1))
		})
	})

	Describe("#SigningKeyConfig", func() {
		It("should describe a key whose predecessor is kept", func() {
			config, options := SigningKeyConfig(false)

			Expect(config).To(Equal(&secretsutils.RSASecretConfig{Name: "otel-federation-signing-key", Bits: 3072}))
			Expect(optionsOf(options).Persist).To(BeTrue())
			Expect(optionsOf(options).RotationStrategy).To(Equal(secretsmanager.KeepOld))
		})
	})
})

func optionsOf(options []secretsmanager.GenerateOption) *secretsmanager.GenerateOptions {
	GinkgoHelper()
	out := &secretsmanager.GenerateOptions{}
	for _, option := range options {
		Expect(option(nil, nil, out)).To(Succeed())
	}
	return out
}
