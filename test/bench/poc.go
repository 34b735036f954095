// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	_ "embed"
	"net"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
)

var (
	//go:embed poc/seed.yaml
	pocSeed string
	//go:embed poc/runtime.yaml
	pocRuntime string
)

const (
	// What the configurations of the proof of concept refer to. They have no TLS, without which they could not cross a WAN.
	pocAnyAddress = "0.0.0.0:4318"
	pocEndpoint   = "\"http://runtime-collector:4318\"\n    tls:\n      insecure: true"
	pocInterval   = "scrape_interval: 5s"
)

// startProofOfConcept starts the two collectors of the proof of concept, with their configurations as published but for addresses, TLS
// and the scrape interval.
func startProofOfConcept(ctx context.Context, s *site) error {
	if err := s.startReceivers(ctx, nil, flagOTLPReceiver); err != nil {
		return err
	}

	address, receivers := s.address(), s.receiverAddresses()
	endpoint, err := s.ingress(ctx, net.JoinHostPort(address, "4318"))
	if err != nil {
		return err
	}
	if err := s.startProofOfConceptCollector(RoleFanOut, "fan-out", address, pocRuntime, map[string]string{
		pocAnyAddress:     net.JoinHostPort(address, "4318"),
		gardenReplicas[0]: receivers[0],
		gardenReplicas[1]: receivers[1],
	}); err != nil {
		return err
	}
	return s.startProofOfConceptCollector(RoleSender, "sender", s.address(), pocSeed, map[string]string{
		aggregateService: s.aggregate,
		pocEndpoint:      "\"" + endpoint + "\"\n    tls:\n      insecure_skip_verify: true",
		pocInterval:      "scrape_interval: " + duration(s.interval) + "\n        scrape_timeout: " + duration(timeout(s.interval)),
	})
}

func (s *site) startProofOfConceptCollector(role Role, name, address, content string, replacements map[string]string) error {
	content, err := replace(content, replacements)
	if err != nil {
		return err
	}
	file, err := s.write(name+"/config.yaml", content)
	if err != nil {
		return err
	}
	// The OpenTelemetry operator adds this.
	metrics, err := s.write(name+"/telemetry.yaml", map[string]any{"service": map[string]any{"telemetry": map[string]any{"metrics": map[string]any{
		"readers": []any{map[string]any{"pull": map[string]any{"exporter": map[string]any{"prometheus": map[string]any{"host": address, "port": collector.MetricsPort}}}}},
	}}}})
	if err != nil {
		return err
	}
	return s.start(role, name, binaryCollector, nil, "--config="+file, "--config="+metrics)
}
