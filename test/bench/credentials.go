// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"fmt"
	"net"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/gardener/gardener/pkg/utils"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	federationcredentials "github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/secrets"
)

const (
	// seedName is the name of the seed.
	seedName = "local"

	tokenValidity = 24 * time.Hour
	userName      = "bench"
)

// credentials are what the ways authenticate with.
type credentials struct {
	// ca, certificate and certificateKey are for TLS.
	ca, certificate, certificateKey []byte
	// token and jwks are those of this extension.
	token string
	jwks  []byte
	// password is for basic authentication, by which Gardener protects the ingresses of Prometheis.
	password string
}

// newCredentials generates credentials for ingresses on the given addresses.
func newCredentials(addresses []net.IP) (*credentials, error) {
	ca, err := (&secretsutils.CertificateSecretConfig{Name: "ca", CommonName: secrets.CAName, CertType: secretsutils.CACert}).GenerateCertificate()
	if err != nil {
		return nil, fmt.Errorf("failed to generate the CA of the ingresses: %w", err)
	}
	server, err := (&secretsutils.CertificateSecretConfig{
		Name: "server", CommonName: secrets.ServerCertificateName, IPAddresses: addresses, CertType: secretsutils.ServerCert, SigningCA: ca,
	}).GenerateCertificate()
	if err != nil {
		return nil, fmt.Errorf("failed to generate the certificate of the ingresses: %w", err)
	}

	keyConfig, _ := secrets.SigningKeyConfig(false)
	keyData, err := keyConfig.Generate()
	if err != nil {
		return nil, fmt.Errorf("failed to generate the signing key: %w", err)
	}
	key, err := federationcredentials.ParseSigningKey(&corev1.Secret{Data: keyData.SecretData()})
	if err != nil {
		return nil, err
	}
	token, err := federationcredentials.Issue(key, seedName, time.Now(), tokenValidity)
	if err != nil {
		return nil, err
	}
	jwks, err := federationcredentials.JWKS(key.Public())
	if err != nil {
		return nil, err
	}
	password, err := utils.GenerateRandomString(32)
	if err != nil {
		return nil, fmt.Errorf("failed to generate a password: %w", err)
	}

	return &credentials{
		ca: ca.CertificatePEM, certificate: server.CertificatePEM, certificateKey: server.PrivateKeyPEM,
		token: token, jwks: jwks, password: password,
	}, nil
}
