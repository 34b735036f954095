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
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionssecretsmanager "github.com/gardener/gardener/extensions/pkg/util/secret/manager"
	operatorv1alpha1helper "github.com/gardener/gardener/pkg/api/operator/v1alpha1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"
	secretsmanager "github.com/gardener/gardener/pkg/utils/secrets/manager"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
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
	bundle []byte
	// waitFor are the seeds that do not trust the new CA yet. As long as there are some, the old one signs.
	waitFor []string
	manager secretsmanager.Interface
}

// generateCertificates prefers the wildcard certificate of the garden. If there is none the secrets manager issues one, and
// rotates its CA in lockstep with those of the Garden.
func (a *actuator) generateCertificates(ctx context.Context, log logr.Logger, garden *operatorv1alpha1.Garden, ex *extensionsv1alpha1.Extension, host string) (*certificates, error) {
	var (
		namespace = ex.Namespace
		configs   = secrets.CertificateConfigs(host)
	)
	sm, waitFor, err := a.certificatesManager(ctx, log, garden, ex, configs)
	if err != nil {
		return nil, err
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

	// The configurations above may have been used already: creating a CA changes the common name in its configuration, which would then
	// stand for another CA.
	generated, err := extensionssecretsmanager.GenerateAllSecrets(ctx, sm, secrets.CertificateConfigs(host))
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
		waitFor: waitFor,
		manager: sm,
	}, nil
}

// certificatesManager returns the secrets manager for CA and server certificate. The old CA, which signs the server certificate during a
// rotation, is not dropped before all seeds that push trust the new one, however soon the Garden completes its rotation: a collector
// that does not trust the server delivers nothing. It returns the seeds that this waits for.
func (a *actuator) certificatesManager(ctx context.Context, log logr.Logger, garden *operatorv1alpha1.Garden, ex *extensionsv1alpha1.Extension, configs []extensionssecretsmanager.SecretConfigWithOptions) (secretsmanager.Interface, []string, error) {
	managerFor := func(garden *operatorv1alpha1.Garden) (secretsmanager.Interface, error) {
		sm, err := extensionssecretsmanager.SecretsManagerForGarden(ctx, log.WithName("secretsmanager"), a.clock, a.client, garden, secrets.IdentityCertificates, configs, ex.Namespace)
		if err != nil {
			return nil, fmt.Errorf("failed to create the secrets manager %s: %w", secrets.IdentityCertificates, err)
		}
		return sm, nil
	}

	switch operatorv1alpha1helper.GetCARotationPhase(garden.Status.Credentials) {
	case gardencorev1beta1.RotationCompleting, gardencorev1beta1.RotationCompleted:
	default:
		sm, err := managerFor(garden)
		return sm, nil, err
	}

	garden = garden.DeepCopy()
	garden.Status.Credentials.Rotation.CertificateAuthorities.Phase = gardencorev1beta1.RotationPrepared
	sm, err := managerFor(garden)
	if err != nil {
		return nil, nil, err
	}
	if _, err := sm.Generate(ctx, configs[0].Config, configs[0].Options...); err != nil {
		return nil, nil, fmt.Errorf("failed to generate the CA: %w", err)
	}
	if _, rotates := sm.Get(secrets.CAName, secretsmanager.Old); !rotates {
		return sm, nil, nil
	}
	bundle, _ := sm.Get(secrets.CAName)
	if waitFor, err := seedsWithoutBundle(ex, bundle.Data[secretsutils.DataKeyCertificateBundle]); err != nil || len(waitFor) > 0 {
		return sm, waitFor, err
	}

	log.Info("All seeds that push trust the new CA: dropping the old one")
	garden.Status.Credentials.Rotation.CertificateAuthorities.Phase = gardencorev1beta1.RotationCompleting
	sm, err = managerFor(garden)
	return sm, nil, err
}

// seedsWithoutBundle returns the seeds that push, or are about to, and have not told that they verify the garden by the given bundle.
func seedsWithoutBundle(ex *extensionsv1alpha1.Extension, bundle []byte) ([]string, error) {
	status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
	if err != nil {
		return nil, fmt.Errorf("the states of the seeds in Extension %s cannot be read: %w", client.ObjectKeyFromObject(ex), err)
	}
	var names []string
	for _, seed := range status.Seeds {
		if pushes := seed.State != configv1alpha1.SeedFederationStatePull || seed.CABundle != ""; pushes && seed.CABundle != credentials.CABundleChecksum(bundle) {
			names = append(names, seed.Name)
		}
	}
	return names, nil
}

// caBundles returns by which bundles the seeds verify the garden.
func caBundles(ex *extensionsv1alpha1.Extension) map[string]bool {
	bundles := map[string]bool{}
	if status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus); err == nil {
		for _, seed := range status.Seeds {
			bundles[seed.CABundle] = true
		}
	}
	return bundles
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
