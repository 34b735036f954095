// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"cmp"
	"crypto"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
	corev1 "k8s.io/api/core/v1"

	"github.com/gardener/gardener/pkg/utils"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"
)

const (
	signatureAlgorithm = jose.RS256
	minimumKeyBits     = 2048
)

// SigningKey is a private key that tokens are signed with.
type SigningKey struct {
	// ID is the key id: the thumbprint of the public key (RFC 7638).
	ID string

	private *rsa.PrivateKey
}

// String returns the key id, so that nobody prints the private key by accident.
func (k *SigningKey) String() string {
	return k.ID
}

// GoString returns the key id, so that nobody prints the private key by accident.
func (k *SigningKey) GoString() string {
	return k.ID
}

// Public returns the public part of the key.
func (k *SigningKey) Public() *rsa.PublicKey {
	return &k.private.PublicKey
}

// ParseSigningKey reads the signing key from a Secret that the secrets manager generated from a RSASecretConfig.
func ParseSigningKey(secret *corev1.Secret) (*SigningKey, error) {
	data, ok := secret.Data[secretsutils.DataKeyRSAPrivateKey]
	if !ok {
		return nil, fmt.Errorf("signing key Secret %s/%s has no key %q", secret.Namespace, secret.Name, secretsutils.DataKeyRSAPrivateKey)
	}

	private, err := utils.DecodePrivateKey(data)
	if err != nil {
		// The cause is left out: it must never carry a piece of the key.
		return nil, fmt.Errorf("key %q of signing key Secret %s/%s is no PEM-encoded RSA private key", secretsutils.DataKeyRSAPrivateKey, secret.Namespace, secret.Name)
	}
	if bits := private.N.BitLen(); bits < minimumKeyBits {
		return nil, fmt.Errorf("the key in signing key Secret %s/%s has %d bits, at least %d are needed", secret.Namespace, secret.Name, bits, minimumKeyBits)
	}

	id, err := KeyID(&private.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("failed to compute the key id of signing key Secret %s/%s: %w", secret.Namespace, secret.Name, err)
	}
	return &SigningKey{ID: id, private: private}, nil
}

// KeyID returns the id of a public key: its SHA-256 thumbprint (RFC 7638).
func KeyID(key *rsa.PublicKey) (string, error) {
	// The library would panic.
	if key == nil || key.N == nil || key.N.Sign() <= 0 || key.E <= 0 {
		return "", errors.New("the public key is no RSA key")
	}
	thumbprint, err := (&jose.JSONWebKey{Key: key}).Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("failed to compute the thumbprint of the public key: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(thumbprint), nil
}

// JWKS returns the JSON web key set with the given public keys. It does not depend on the order of the keys, and a key that
// is given twice is in it once, so that a checksum of it changes only when the keys do.
func JWKS(keys ...*rsa.PublicKey) ([]byte, error) {
	set := jose.JSONWebKeySet{Keys: make([]jose.JSONWebKey, 0, len(keys))}
	for _, key := range keys {
		id, err := KeyID(key)
		if err != nil {
			return nil, err
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: id, Algorithm: string(signatureAlgorithm), Use: "sig"})
	}

	slices.SortFunc(set.Keys, func(a, b jose.JSONWebKey) int { return cmp.Compare(a.KeyID, b.KeyID) })
	set.Keys = slices.CompactFunc(set.Keys, func(a, b jose.JSONWebKey) bool { return a.KeyID == b.KeyID })

	data, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal the JSON web key set: %w", err)
	}
	return data, nil
}
