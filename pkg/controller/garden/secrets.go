// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	certutil "k8s.io/client-go/util/cert"

	extensionssecretsmanager "github.com/gardener/gardener/extensions/pkg/util/secret/manager"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"
	secretsmanager "github.com/gardener/gardener/pkg/utils/secrets/manager"

	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/secrets"
)

func publicKeys(secrets []*corev1.Secret) ([]byte, error) {
	keys := make([]*rsa.PublicKey, 0, len(secrets))
	for _, secret := range secrets {
		key, err := credentials.ParseSigningKey(secret)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key.Public())
	}

	jwks, err := credentials.JWKS(keys...)
	if err != nil {
		return nil, fmt.Errorf("failed to render the public keys: %w", err)
	}
	return jwks, nil
}

// certificates are the server certificate of the fan-out and what verifies it.
type certificates struct {
	// server is the Secret with the server certificate.
	server *corev1.Secret
	// bundle are the CAs that verify it. If it is empty the system's pool does.
	bundle  []byte
	manager secretsmanager.Interface
}

// generateCertificates prefers the wildcard certificate of the garden. If there is none the secrets manager issues one, and
// rotates its CA in lockstep with those of the Garden.
func (a *actuator) generateCertificates(ctx context.Context, log logr.Logger, garden *operatorv1alpha1.Garden, namespace, host string) (*certificates, error) {
	configs := secrets.CertificateConfigs(host)

	sm, err := extensionssecretsmanager.SecretsManagerForGarden(ctx, log.WithName("secretsmanager"), a.clock, a.client, garden, secrets.IdentityCertificates, configs, namespace)
	if err != nil {
		return nil, fmt.Errorf("failed to create the secrets manager %s: %w", secrets.IdentityCertificates, err)
	}

	wildcard, err := gardenerutils.GetGardenWildcardCertificate(ctx, a.client, namespace)
	if err != nil {
		return nil, fmt.Errorf("failed to get the wildcard certificate of the garden: %w", err)
	}
	if wildcard != nil {
		bundle, err := issuerOf(wildcard)
		if err != nil {
			return nil, err
		}
		return &certificates{server: wildcard, bundle: bundle, manager: sm}, nil
	}

	generated, err := extensionssecretsmanager.GenerateAllSecrets(ctx, sm, configs)
	if err != nil {
		return nil, fmt.Errorf("failed to generate CA and server certificate: %w", err)
	}

	bundle, found := sm.Get(secrets.CAName)
	if !found {
		return nil, fmt.Errorf("the secrets manager has no CA %s", secrets.CAName)
	}

	return &certificates{
		server:  generated[secrets.ServerCertificateName],
		bundle:  bundle.Data[secretsutils.DataKeyCertificateBundle],
		manager: sm,
	}, nil
}

// issuerOf returns the private CA that issued a wildcard certificate: the self-signed root in its `ca.crt` or in its chain.
// Public CAs put neither there, at most an intermediate certificate, which may be another one after the next renewal; for them
// it returns nothing.
func issuerOf(wildcard *corev1.Secret) ([]byte, error) {
	for _, key := range []string{secretsutils.DataKeyCertificateCA, corev1.TLSCertKey} {
		if len(wildcard.Data[key]) == 0 {
			continue
		}

		chain, err := certutil.ParseCertsPEM(wildcard.Data[key])
		if err != nil {
			return nil, fmt.Errorf("%s of the wildcard certificate in Secret %s/%s is invalid: %w", key, wildcard.Namespace, wildcard.Name, err)
		}

		root := chain[len(chain)-1]
		if selfSigned := root.CheckSignatureFrom(root) == nil; selfSigned {
			return certutil.EncodeCertificates(root)
		}
	}
	return nil, nil
}

// cleanupSecrets deletes everything that the secrets managers have generated.
func (a *actuator) cleanupSecrets(ctx context.Context, log logr.Logger, namespace string) error {
	var errs []error
	for _, identity := range []string{secrets.IdentitySigningKey, secrets.IdentityCertificates} {
		sm, err := secretsmanager.New(ctx, log.WithName("secretsmanager"), a.clock, a.client, identity, secretsmanager.WithNamespaces(namespace))
		if err != nil {
			errs = append(errs, fmt.Errorf("failed to create the secrets manager %s: %w", identity, err))
			continue
		}
		if err := sm.Cleanup(ctx); err != nil {
			errs = append(errs, fmt.Errorf("failed to delete the secrets of %s: %w", identity, err))
		}
	}
	return errors.Join(errs...)
}
