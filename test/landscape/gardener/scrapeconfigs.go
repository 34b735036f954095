// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"fmt"
	"os"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
)

// scrapeCredentials is the name of the Secret with the client certificate for the control plane's metrics.
const scrapeCredentials = "landscape-scrape-credentials" // #nosec G101 -- No credential.

// deployScrapeCredentials creates the Secret with which Prometheus may read the control plane's metrics.
func deployScrapeCredentials(ctx context.Context, c client.Client, seed *cluster.Cluster) error {
	data := map[string][]byte{}
	for key, file := range map[string]string{"ca.crt": "ca.crt", "tls.crt": "admin.crt", "tls.key": "admin.key"} {
		content, err := os.ReadFile(seed.PKIFile(file))
		if err != nil {
			return fmt.Errorf("failed to read a certificate of cluster %s: %w", seed.Name, err)
		}
		data[key] = content
	}
	return apply(ctx, c, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: scrapeCredentials, Namespace: Namespace}, Data: data})
}

// landscapeScrapeConfigs returns the ScrapeConfigs for the seed's own processes and its corpus exporter.
func landscapeScrapeConfigs(seed *cluster.Cluster) []*monitoringv1alpha1.ScrapeConfig {
	apiServer := scrapeConfig("kube-apiserver", seed.HostPort(6443))
	withClientCertificate(apiServer, false)
	controllerManager := scrapeConfig("kube-controller-manager", seed.HostPort(cluster.PortControllerManager))
	// Its certificate is self-signed.
	withClientCertificate(controllerManager, true)
	corpus := scrapeConfig("corpus", seed.HostPort(PortCorpus))
	corpus.Spec.HonorLabels = new(true)

	return []*monitoringv1alpha1.ScrapeConfig{
		apiServer,
		controllerManager,
		corpus,
		scrapeConfig("etcd", seed.HostPort(2379)),
		scrapeConfig("gardener-resource-manager", seed.HostPort(PortResourceManagerMetrics)),
		scrapeConfig("opentelemetry-operator", seed.HostPort(PortOpenTelemetryOperatorMetrics)),
		scrapeConfig("prometheus-operator", seed.HostPort(PortPrometheusOperator)),
	}
}

func scrapeConfig(job, target string) *monitoringv1alpha1.ScrapeConfig {
	return &monitoringv1alpha1.ScrapeConfig{
		ObjectMeta: metav1.ObjectMeta{Name: "landscape-" + job},
		Spec: monitoringv1alpha1.ScrapeConfigSpec{
			StaticConfigs: []monitoringv1alpha1.StaticConfig{{Targets: []monitoringv1alpha1.Target{monitoringv1alpha1.Target(target)}}},
			RelabelConfigs: []monitoringv1.RelabelConfig{{
				Action:      "replace",
				Replacement: new(job),
				TargetLabel: "job",
			}},
		},
	}
}

func withClientCertificate(config *monitoringv1alpha1.ScrapeConfig, insecureSkipVerify bool) {
	secretKey := func(key string) *corev1.SecretKeySelector {
		return &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: scrapeCredentials}, Key: key}
	}
	config.Spec.Scheme = new(monitoringv1.SchemeHTTPS)
	config.Spec.TLSConfig = &monitoringv1.SafeTLSConfig{
		CA:                 monitoringv1.SecretOrConfigMap{Secret: secretKey("ca.crt")},
		Cert:               monitoringv1.SecretOrConfigMap{Secret: secretKey("tls.crt")},
		KeySecret:          secretKey("tls.key"),
		InsecureSkipVerify: new(insecureSkipVerify),
	}
}
