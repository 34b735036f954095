// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/secrets"
)

// signingKey is a key as the secrets manager generates it for this extension.
func signingKey(b *testing.B) *credentials.SigningKey {
	b.Helper()
	config, _ := secrets.SigningKeyConfig(false)
	data, err := config.Generate()
	if err != nil {
		b.Fatal(err)
	}
	key, err := credentials.ParseSigningKey(&corev1.Secret{Data: data.SecretData()})
	if err != nil {
		b.Fatal(err)
	}
	return key
}

// BenchmarkIssue issues tokens, which happens once a day per seed.
func BenchmarkIssue(b *testing.B) {
	key := signingKey(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := credentials.Issue(key, "seed", time.Now(), 7*24*time.Hour); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNeedsRenewal looks whether a token is still good, which happens with each reconciliation of a seed.
func BenchmarkNeedsRenewal(b *testing.B) {
	key, now := signingKey(b), time.Now()
	token, err := credentials.Issue(key, "seed", now, 7*24*time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if renew, reason := credentials.NeedsRenewal(token, key.ID, "seed", now, 24*time.Hour); renew {
			b.Fatal(reason)
		}
	}
}
