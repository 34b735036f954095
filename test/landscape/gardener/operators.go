// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/gardener/gardener/imagevector"
	"github.com/gardener/gardener/pkg/utils/retry"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// Ports of the operators, of the corpus exporter and of the one that stands for gardener-metrics-exporter.
const (
	PortOpenTelemetryOperatorMetrics = 8090
	portOpenTelemetryOperatorHealth  = 8091
	PortPrometheusOperator           = 8092
	PortCorpus                       = 8093
	PortGardenMetricsExporter        = 8094
)

// OpenTelemetryOperator returns the opentelemetry-operator of a seed.
func OpenTelemetryOperator(c *cluster.Cluster) process.Spec {
	return process.Spec{
		Name: c.Name + "-opentelemetry-operator",
		Path: filepath.Join(c.BinDir, "opentelemetry-operator"),
		Args: []string{
			"--enable-webhooks=false",
			"--metrics-secure=false",
			"--metrics-addr=" + c.HostPort(PortOpenTelemetryOperatorMetrics),
			"--health-probe-addr=" + c.HostPort(portOpenTelemetryOperatorHealth),
			"--zap-log-level=info",
		},
		Env: []string{"KUBECONFIG=" + c.KubeconfigInside(), "ENABLE_WEBHOOKS=false", "NAMESPACE=" + Namespace, "SERVICE_ACCOUNT_NAME=opentelemetry-operator"},
	}
}

// PrometheusOperator returns the prometheus-operator of a seed, with the arguments that Gardener gives it.
func PrometheusOperator(c *cluster.Cluster) (process.Spec, error) {
	reloader, err := imagevector.Containers().FindImage(imagevector.ContainerImageNameConfigmapReloader)
	if err != nil {
		return process.Spec{}, err
	}
	return process.Spec{
		Name: c.Name + "-prometheus-operator",
		Path: filepath.Join(c.BinDir, "prometheus-operator"),
		Args: []string{
			"--prometheus-config-reloader=" + reloader.String(),
			"--config-reloader-cpu-request=0",
			"--config-reloader-cpu-limit=0",
			"--config-reloader-memory-request=20M",
			"--config-reloader-memory-limit=0",
			"--enable-config-reloader-probes=false",
			"--web.listen-address=" + c.HostPort(PortPrometheusOperator),
		},
		Env: []string{"KUBECONFIG=" + c.KubeconfigInside(), "GOGC=30"},
	}, nil
}

// waitForHTTP waits until a URL answers with 200.
func waitForHTTP(ctx context.Context, url string) error {
	httpClient := &http.Client{Timeout: 2 * time.Second}
	return retry.UntilTimeout(ctx, 200*time.Millisecond, 2*time.Minute, func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return retry.SevereError(err)
		}
		response, err := httpClient.Do(request)
		if err != nil {
			return retry.MinorError(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return retry.MinorError(fmt.Errorf("%s answers %s", url, response.Status))
		}
		return retry.Ok()
	})
}
