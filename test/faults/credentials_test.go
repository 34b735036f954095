// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"context"
	"crypto/x509"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// stopGardenExtension takes the extension of class garden away: nobody corrects the credentials of a seed.
func stopGardenExtension(ctx context.Context) {
	GinkgoHelper()
	Expect(ls.ScaleGardenExtension(ctx, 0)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(startGardenExtension(ctx)).To(Succeed()) })
	Eventually(ctx, func(g Gomega) {
		pods := &corev1.PodList{}
		g.Expect(ls.Runtime().List(ctx, pods, client.InNamespace(gardener.NamespaceRuntimeExtension))).To(Succeed())
		g.Expect(pods.Items).To(BeEmpty())
	}).Should(Succeed())
}

// changeCredentials changes what a seed has got from the garden.
func changeCredentials(ctx context.Context, key string, value []byte) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: gardenerutils.ComputeGardenNamespace(seed), Name: constants.CredentialsSecretName}}
	Expect(ls.VirtualGarden().Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
	patch := client.MergeFrom(secret.DeepCopy())
	secret.Data[key] = value
	Expect(ls.VirtualGarden().Patch(ctx, secret, patch)).To(Succeed())
	return secret
}

// expireToken lets the token of a seed expire while nobody is there to renew it.
func expireToken(ctx context.Context) {
	stopGardenExtension(ctx)
	before := dropped(ctx)
	token, err := credentials.Issue(signingKey(ctx), seed, time.Now(), 20*time.Second)
	Expect(err).NotTo(HaveOccurred())
	secret := changeCredentials(ctx, constants.DataKeyToken, []byte(token))
	Eventually(ctx, func(g Gomega) {
		g.Expect(metricOf(ctx, g, seedCluster, seedCollectorPod, "otelcol_exporter_send_failed_metric_points")).To(BeNumerically(">", before))
	}).Should(Succeed())

	Expect(startGardenExtension(ctx)).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		g.Expect(ls.VirtualGarden().Get(ctx, client.ObjectKeyFromObject(secret), secret)).To(Succeed())
		// Not in an assertion of its own: a token must not get into the output of a test that fails.
		renewed := string(secret.Data[constants.DataKeyToken]) != token
		g.Expect(renewed).To(BeTrue(), "the token has not been renewed")
	}).Should(Succeed())
}

// signingKey returns the newest key that signs tokens.
func signingKey(ctx context.Context) *credentials.SigningKey {
	GinkgoHelper()
	secrets := &corev1.SecretList{}
	Expect(ls.Runtime().List(ctx, secrets, client.InNamespace(gardener.Namespace), client.MatchingLabels{"name": constants.SigningKeySecretName})).To(Succeed())
	newest := 0
	for i := range secrets.Items {
		if secrets.Items[newest].CreationTimestamp.Before(&secrets.Items[i].CreationTimestamp) {
			newest = i
		}
	}
	Expect(secrets.Items).NotTo(BeEmpty())
	key, err := credentials.ParseSigningKey(&secrets.Items[newest])
	Expect(err).NotTo(HaveOccurred())
	return key
}

// rotateCA does what gardener-operator does when the CAs of the Garden are rotated. The seeds must get the new bundle before the server
// gets a certificate of the new CA.
func rotateCA(ctx context.Context) {
	gardens := &operatorv1alpha1.GardenList{}
	Expect(ls.Runtime().List(ctx, gardens)).To(Succeed())
	Expect(gardens.Items).To(HaveLen(1))
	var (
		garden = &gardens.Items[0]
		began  = metav1.Now()
		phase  = func(phase gardencorev1beta1.CredentialsRotationPhase) {
			patch := client.MergeFrom(garden.DeepCopy())
			garden.Status.Credentials = &operatorv1alpha1.Credentials{Rotation: &operatorv1alpha1.CredentialsRotation{
				CertificateAuthorities: &gardencorev1beta1.CARotation{Phase: phase, LastInitiationTime: &began},
			}}
			Expect(ls.Runtime().Status().Patch(ctx, garden, patch)).To(Succeed())
		}
	)
	before := serverCertificate(ctx, Default).SerialNumber
	phase(gardencorev1beta1.RotationPreparing)
	phase(gardencorev1beta1.RotationPrepared)
	// At once, which is the hardest: no seed can have the new bundle yet.
	phase(gardencorev1beta1.RotationCompleting)
	phase(gardencorev1beta1.RotationCompleted)
	Eventually(ctx, func(g Gomega) {
		// First what the seed trusts, as it is told about the new CA before the server changes.
		trusted, server := trustedBySeed(ctx, g), serverCertificate(ctx, g)
		if _, err := server.Verify(x509.VerifyOptions{Roots: trusted}); err != nil {
			StopTrying("the collector of the seed does not trust the fan-out").Wrap(err).Now()
		}
		g.Expect(server.SerialNumber).NotTo(Equal(before))
	}).WithTimeout(rollTimeout).Should(Succeed())
}

// serverCertificate returns the certificate of the fan-out.
func serverCertificate(ctx context.Context, g Gomega) *x509.Certificate {
	secrets := &corev1.SecretList{}
	g.Expect(ls.Runtime().List(ctx, secrets, client.InNamespace(gardener.Namespace), client.MatchingLabels{"name": "otel-federation-server"})).To(Succeed())
	g.Expect(secrets.Items).To(HaveLen(1))
	chain, err := certutil.ParseCertsPEM(secrets.Items[0].Data[corev1.TLSCertKey])
	g.Expect(err).NotTo(HaveOccurred())
	return chain[0]
}

// trustedBySeed returns the CAs by which the collector of the seed verifies the fan-out.
func trustedBySeed(ctx context.Context, g Gomega) *x509.CertPool {
	seedCollector := &otelv1beta1.OpenTelemetryCollector{}
	g.Expect(ls.Seed(seed).Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: constants.SeedCollectorName}, seedCollector)).To(Succeed())
	pool := x509.NewCertPool()
	for name, exporter := range seedCollector.Spec.Config.Exporters.Object {
		fields, ok := exporter.(map[string]any)
		g.Expect(ok).To(BeTrue(), "fields of exporter %s", name)
		bundle, _, err := unstructured.NestedString(fields, "tls", "ca_pem")
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(pool.AppendCertsFromPEM([]byte(bundle))).To(BeTrue(), "CAs of exporter %s", name)
	}
	return pool
}
