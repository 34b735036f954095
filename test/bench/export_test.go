// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"time"

	"github.com/gardener/gardener-extension-otel-federation/test/bench/usage"
	"github.com/gardener/gardener-extension-otel-federation/test/bench/wan"
)

// Replace replaces texts in a configuration.
var Replace = replace

// FederationScrapeConfig returns the configuration of the pull from a target.
func FederationScrapeConfig(target string, interval time.Duration, throughIngress bool) (map[string]any, error) {
	return (&site{interval: interval, credentials: &credentials{password: "secret"}}).federationScrapeConfig(target, throughIngress)
}

// OTLPReceiverConfig returns the configuration of a Prometheus that accepts OTLP.
var OTLPReceiverConfig = otlpReceiverConfig

// SeedCollectorConfig and FanOutConfig return configuration and environment of the collectors, for processes in the directory /dir.
func SeedCollectorConfig(ctx context.Context) (string, []string, error) {
	rendered, err := renderSeedCollector(ctx, "https://endpoint", []byte("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"), time.Minute)
	if err != nil {
		return "", nil, err
	}
	return forProcess(rendered, "127.0.0.2", "/dir/queue", map[string]string{aggregateService: "127.0.0.1:9090", credentialsDirectory: "/dir/credentials"})
}

// FanOutConfig returns configuration and environment of the fan-out.
func FanOutConfig(ctx context.Context) (string, []string, error) {
	rendered, err := renderFanOut(ctx, []byte("{}"))
	if err != nil {
		return "", nil, err
	}
	return forProcess(rendered, "127.0.0.2", "/dir/queue", map[string]string{jwksDirectory: "/dir/jwks", gardenReplicas[0]: "127.0.0.3:9090", gardenReplicas[1]: "127.0.0.4:9090"})
}

// ProofOfConceptConfigs are the configurations of the proof of concept.
var ProofOfConceptConfigs = []string{pocSeed, pocRuntime}

// Groups returns the names of the ways that run at the same time.
func (o *Options) Groups(series int) [][]string {
	var groups [][]string
	for _, group := range o.groups(series) {
		var names []string
		for _, one := range group {
			names = append(names, one.name)
		}
		groups = append(groups, names)
	}
	return groups
}

// MeasureSite returns what a site with the given processes has used between two times.
func MeasureSite(roles map[string]Role, pulled bool, before, after map[string]usage.Process, from, to wan.Traffic, scrapes, samples int) *Measurement {
	s := &site{name: "site", processes: roles, pulled: pulled}
	return measure(s, "Site",
		snapshot{processes: before, traffic: map[string]wan.Traffic{"site": from}},
		snapshot{processes: after, traffic: map[string]wan.Traffic{"site": to}},
		scrapes, samples)
}
