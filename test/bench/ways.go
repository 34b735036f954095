// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"net"
	"slices"
	"strings"
)

// Names of the ways.
const (
	// WayPull is today's federation: both garden Prometheis pull.
	WayPull = "pull"
	// WayProofOfConcept is the configuration of the proof of concept.
	WayProofOfConcept = "poc"
	// WayExtension is this extension.
	WayExtension = "extension"
	// WayRemoteWrite1 is a Prometheus agent that sends remote write 1.0.
	WayRemoteWrite1 = "remote-write-1"
	// WayRemoteWrite2 is a Prometheus agent that sends remote write 2.0.
	WayRemoteWrite2 = "remote-write-2"
	// WayVMAgent is vmagent.
	WayVMAgent = "vmagent"

	// wayNone is for the aggregate Prometheus that nobody reads from.
	wayNone = "none"

	remoteWritePath = "/api/v1/write"
	// maxScrapeSize is the size up to which vmagent accepts a scrape. Its default is too small for 200,000 series.
	maxScrapeSize = "256MB"
)

// way is a way for samples from the aggregate Prometheus of a seed to both garden Prometheis.
type way struct {
	name, title string
	// pulled says that the garden asks.
	pulled bool
	// start starts all but the aggregate Prometheus.
	start func(context.Context, *site) error
}

// ways are all ways. Pull is what the others are compared with.
var ways = []way{
	{name: WayPull, title: "pull, as today (gzip)", pulled: true, start: startPull},
	{name: WayProofOfConcept, title: "proof of concept", start: startProofOfConcept},
	{name: WayExtension, title: "**this extension**", start: startExtension()},
	{name: WayRemoteWrite1, title: "Prometheus agent, remote write 1.0", start: startAgent("prometheus.WriteRequest")},
	{name: WayRemoteWrite2, title: "Prometheus agent, remote write 2.0", start: startAgent("io.prometheus.write.v2.Request")},
	{name: WayVMAgent, title: "vmagent", start: startVMAgent},
}

// WayNames returns the names of all ways that are measured by default.
func WayNames() []string { return namesOf(ways) }

// VariantNames returns the names of this extension with other settings.
func VariantNames() []string { return namesOf(variants) }

func namesOf(ways []way) []string {
	var names []string
	for _, one := range ways {
		names = append(names, one.name)
	}
	return names
}

func findWays(names []string) []way {
	var found []way
	for _, one := range slices.Concat(ways, variants) {
		if slices.Contains(names, one.name) {
			found = append(found, one)
		}
	}
	return found
}

// startPull starts garden Prometheis that pull through the ingress of the seed.
func startPull(ctx context.Context, s *site) error {
	url, err := s.ingress(ctx, s.aggregate)
	if err != nil {
		return err
	}
	config, err := s.federationScrapeConfig(strings.TrimPrefix(url, "https://"), true)
	if err != nil {
		return err
	}
	return s.startReceivers(ctx, map[string]any{"scrape_configs": []any{config}})
}

// startAgent returns a function that starts a Prometheus agent which sends messages of a type to each garden Prometheus.
func startAgent(message string) func(context.Context, *site) error {
	return func(ctx context.Context, s *site) error {
		urls, err := s.startRemoteWriteReceivers(ctx)
		if err != nil {
			return err
		}
		config, err := s.federationScrapeConfig(s.aggregate, false)
		if err != nil {
			return err
		}
		var destinations []any
		for _, url := range urls {
			destinations = append(destinations, map[string]any{
				"url":              url + remoteWritePath,
				"protobuf_message": message,
				"basic_auth":       s.basicAuth(),
				"tls_config":       map[string]any{"insecure_skip_verify": true},
			})
		}
		_, err = s.startPrometheus(RoleSender, "sender", map[string]any{
			"global": s.global(), "scrape_configs": []any{config}, "remote_write": destinations,
		}, "--agent", "--storage.agent.path="+s.directory+"/sender/data")
		return err
	}
}

// startVMAgent starts vmagent, which writes to each garden Prometheus.
func startVMAgent(ctx context.Context, s *site) error {
	urls, err := s.startRemoteWriteReceivers(ctx)
	if err != nil {
		return err
	}
	config, err := s.federationScrapeConfig(s.aggregate, false)
	if err != nil {
		return err
	}
	file, err := s.write("sender/scrape.yaml", map[string]any{"global": map[string]any{"scrape_interval": duration(s.interval)}, "scrape_configs": []any{config}})
	if err != nil {
		return err
	}
	password, err := s.write("sender/password", s.credentials.password)
	if err != nil {
		return err
	}

	args := []string{
		"-promscrape.config=" + file,
		"-promscrape.maxScrapeSize=" + maxScrapeSize,
		"-httpListenAddr=" + net.JoinHostPort(s.address(), "8429"),
		"-remoteWrite.tmpDataPath=" + s.directory + "/sender/data",
	}
	for _, url := range urls {
		args = append(args,
			"-remoteWrite.url="+url+remoteWritePath,
			"-remoteWrite.tlsInsecureSkipVerify=true",
			"-remoteWrite.basicAuth.username="+userName,
			"-remoteWrite.basicAuth.passwordFile="+password,
		)
	}
	return s.start(RoleSender, "sender", binaryVMAgent, nil, args...)
}

// startRemoteWriteReceivers starts garden Prometheis that accept remote write, and an ingress in front of each.
func (s *site) startRemoteWriteReceivers(ctx context.Context) ([]string, error) {
	if err := s.startReceivers(ctx, nil, flagRemoteWriteReceiver); err != nil {
		return nil, err
	}
	var urls []string
	for _, address := range s.receiverAddresses() {
		url, err := s.ingress(ctx, address)
		if err != nil {
			return nil, err
		}
		urls = append(urls, url)
	}
	return urls, nil
}
