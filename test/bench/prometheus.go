// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"net"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gardenprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"

	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

const (
	// instance is the `instance` label of the federation target: what the garden knows the seed's ingress by.
	instance = "p-seed.ingress.local.example.com"

	jobCorpus = "corpus"

	flagOTLPReceiver        = "--web.enable-otlp-receiver"
	flagRemoteWriteReceiver = "--web.enable-remote-write-receiver"
)

// gardenReplicas are the hosts of the replicas of the garden Prometheus in a cluster.
var gardenReplicas = []string{"prometheus-garden-0.prometheus-operated:9090", "prometheus-garden-1.prometheus-operated:9090"}

// startPrometheus starts a Prometheus and returns its host and port.
func (s *site) startPrometheus(role Role, name string, config map[string]any, flags ...string) (string, error) {
	address := net.JoinHostPort(s.address(), prometheusPort)
	file, err := s.write(name+"/prometheus.yaml", config)
	if err != nil {
		return "", err
	}
	return address, s.start(role, name, binaryPrometheus, nil, append([]string{
		"--config.file=" + file,
		"--web.listen-address=" + address,
	}, flags...)...)
}

func (s *site) storage(name string) string {
	return "--storage.tsdb.path=" + s.directory + "/" + name + "/data"
}

func (s *site) global() map[string]any {
	return map[string]any{"scrape_interval": duration(s.interval), "scrape_timeout": duration(timeout(s.interval)), "evaluation_interval": duration(s.interval)}
}

// startAggregate starts the aggregate Prometheus, which scrapes the exporter.
func (s *site) startAggregate(ctx context.Context) error {
	global := s.global()
	// Those that Gardener and the prometheus-operator set. /federate adds them to all series.
	global["external_labels"] = map[string]any{"seed": seedName, "prometheus": "garden/aggregate", "prometheus_replica": "prometheus-aggregate-0"}

	var err error
	s.aggregate, err = s.startPrometheus(RoleAggregate, "aggregate", map[string]any{
		"global": global,
		"scrape_configs": []any{map[string]any{
			"job_name":       jobCorpus,
			"honor_labels":   true,
			"static_configs": []any{map[string]any{"targets": []any{s.exporter}}},
		}},
	}, s.storage("aggregate"))
	if err != nil {
		return err
	}
	return waitFor(ctx, "http://"+s.aggregate+"/-/ready")
}

// startReceivers starts two garden Prometheis with the same configuration.
func (s *site) startReceivers(ctx context.Context, config map[string]any, flags ...string) error {
	complete := map[string]any{"global": s.global()}
	for key, value := range config {
		complete[key] = value
	}
	for i := range gardenReplicas {
		name := fmt.Sprintf("garden-%d", i)
		address, err := s.startPrometheus(RoleReceiver, name, complete, append([]string{s.storage(name)}, flags...)...)
		if err != nil {
			return err
		}
		s.receivers = append(s.receivers, &landscape.Prometheus{Name: s.name + "-" + name, URL: "http://" + address})
	}
	for _, one := range s.receivers {
		if err := waitFor(ctx, one.URL+"/-/ready"); err != nil {
			return err
		}
	}
	return nil
}

// receiverAddresses returns the hosts and ports of the garden Prometheis.
func (s *site) receiverAddresses() []string {
	var addresses []string
	for _, one := range s.receivers {
		addresses = append(addresses, one.URL[len("http://"):])
	}
	return addresses
}

// otlpReceiverConfig returns the configuration by which this extension lets a garden Prometheus accept OTLP, as the prometheus-operator
// renders it.
func otlpReceiverConfig() (map[string]any, error) {
	prometheus := &monitoringv1.Prometheus{}
	if err := receiver.Enable(prometheus, receiver.DefaultOutOfOrderTimeWindow); err != nil {
		return nil, err
	}
	return map[string]any{
		"otlp": map[string]any{
			"translation_strategy":        string(*prometheus.Spec.OTLP.TranslationStrategy),
			"promote_resource_attributes": prometheus.Spec.OTLP.PromoteResourceAttributes,
		},
		"storage": map[string]any{"tsdb": map[string]any{"out_of_order_time_window": string(*prometheus.Spec.TSDB.OutOfOrderTimeWindow)}},
	}, nil
}

// federationScrapeConfig returns Gardener's own configuration for the pull from the aggregate Prometheus at a host and port, as the
// prometheus-operator renders it: through the ingress of a seed, or directly.
func (s *site) federationScrapeConfig(target string, throughIngress bool) (map[string]any, error) {
	var (
		targets = []monitoringv1alpha1.Target{monitoringv1alpha1.Target(target)}
		configs = gardenprometheus.CentralScrapeConfigs(targets, nil, nil)
	)
	if throughIngress {
		configs = gardenprometheus.CentralScrapeConfigs(nil, targets, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "unused"}})
	}
	for _, config := range configs {
		spec := config.Spec
		if len(spec.Params) == 0 {
			continue
		}
		rendered := map[string]any{
			"job_name":               config.Name,
			"honor_labels":           *spec.HonorLabels,
			"honor_timestamps":       *spec.HonorTimestamps,
			"metrics_path":           *spec.MetricsPath,
			"params":                 spec.Params,
			"scrape_interval":        duration(s.interval),
			"scrape_timeout":         duration(timeout(s.interval)),
			"relabel_configs":        relabelConfigs(spec.RelabelConfigs),
			"metric_relabel_configs": relabelConfigs(spec.MetricRelabelConfigs),
			// The target has no name here, so it is given one.
			"static_configs": []any{map[string]any{"targets": []any{target}, "labels": map[string]any{"instance": instance}}},
		}
		if throughIngress {
			rendered["scheme"] = "https"
			rendered["tls_config"] = map[string]any{"insecure_skip_verify": *spec.TLSConfig.InsecureSkipVerify}
			rendered["basic_auth"] = s.basicAuth()
		}
		return rendered, nil
	}
	return nil, fmt.Errorf("Gardener has no ScrapeConfig for the federation from %s", target)
}

func (s *site) basicAuth() map[string]any {
	return map[string]any{"username": userName, "password": s.credentials.password}
}

func relabelConfigs(configs []monitoringv1.RelabelConfig) []any {
	var rendered []any
	for _, config := range configs {
		one := map[string]any{"target_label": config.TargetLabel}
		if len(config.SourceLabels) > 0 {
			one["source_labels"] = config.SourceLabels
		}
		if config.Replacement != nil {
			one["replacement"] = *config.Replacement
		}
		if config.Action != "" {
			one["action"] = config.Action
		}
		rendered = append(rendered, one)
	}
	return rendered
}

// timeout is the timeout of a scrape.
func timeout(interval time.Duration) time.Duration {
	return max(interval-time.Second, interval/2)
}

func duration(d time.Duration) string { return model.Duration(d).String() }
