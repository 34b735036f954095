// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package secrets describes what the secrets manager generates for this extension.
package secrets

import (
	"time"

	"github.com/gardener/gardener/extensions/pkg/util/secret/manager"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"
	secretsmanager "github.com/gardener/gardener/pkg/utils/secrets/manager"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	// IdentityCertificates is the identity of the secrets manager for CA and server certificate. There are two identities,
	// because the cleanup of a secrets manager deletes whatever of the same identity was not generated in the same run, and
	// because CAs rotate in lockstep with the Garden, which the signing key must not.
	IdentityCertificates = "extension-otel-federation-runtime"
	// IdentitySigningKey is the identity of the secrets manager for the signing key.
	IdentitySigningKey = "extension-otel-federation-runtime-signing"

	// CAName is the name of the CA that signs the server certificate of the fan-out.
	CAName = "ca-otel-federation"
	// ServerCertificateName is the name of that server certificate.
	ServerCertificateName = "otel-federation-server"

	// serverCertificateValidity is limited to what TLS clients accept.
	serverCertificateValidity = 730 * 24 * time.Hour
	signingKeyBits            = 3072
)

// CertificateConfigs returns the configurations of the CA and of the server certificate for the given host.
func CertificateConfigs(host string) []manager.SecretConfigWithOptions {
	return []manager.SecretConfigWithOptions{
		{
			Config: &secretsutils.CertificateSecretConfig{
				Name:       CAName,
				CommonName: CAName,
				CertType:   secretsutils.CACert,
			},
			Options: []secretsmanager.GenerateOption{secretsmanager.Persist()},
		},
		{
			Config: &secretsutils.CertificateSecretConfig{
				Name:                        ServerCertificateName,
				CommonName:                  host,
				DNSNames:                    []string{host},
				CertType:                    secretsutils.ServerCert,
				Validity:                    new(serverCertificateValidity),
				SkipPublishingCACertificate: true,
			},
			Options: []secretsmanager.GenerateOption{secretsmanager.SignedByCA(CAName)},
		},
	}
}

// SigningKeyConfig returns the configuration of the key that signs the tokens of the seeds. The old key is kept, so that
// tokens which it signed stay valid, unless it is not needed any more.
func SigningKeyConfig(dropOld bool) (secretsutils.ConfigInterface, []secretsmanager.GenerateOption) {
	options := []secretsmanager.GenerateOption{secretsmanager.Persist(), secretsmanager.Rotate(secretsmanager.KeepOld)}
	if dropOld {
		options = append(options, secretsmanager.IgnoreOldSecrets())
	}
	return &secretsutils.RSASecretConfig{Name: constants.SigningKeySecretName, Bits: signingKeyBits}, options
}
