// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/gardener/gardener-extension-otel-federation/test/bench/wan"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// Role is what a process does for a way.
type Role string

const (
	// RoleAggregate is the aggregate Prometheus in the seed.
	RoleAggregate Role = "aggregate"
	// RoleSender is what reads from the aggregate Prometheus and sends to the garden.
	RoleSender Role = "sender"
	// RoleFanOut is what receives in the garden and writes to its Prometheis.
	RoleFanOut Role = "fan-out"
	// RoleReceiver is a garden Prometheus.
	RoleReceiver Role = "receiver"
)

const (
	readyTimeout   = 2 * time.Minute
	ingressPort    = "8443"
	prometheusPort = "9090"

	binaryPrometheus = "prometheus"
	binaryCollector  = "otelcol"
	binaryVMAgent    = "vmagent"
)

// site is where one way runs: a seed with an aggregate Prometheus and a garden with two Prometheis. All its processes listen on
// addresses of their own, so that each may have the ports that it has in a cluster.
type site struct {
	name string
	// directory is for the files of the processes.
	directory string
	// network are the first three octets of all addresses.
	network string
	hosts   int

	binaries    map[string]string
	supervisor  *process.Supervisor
	credentials *credentials
	exporter    string
	interval    time.Duration

	// aggregate is the host and port of the aggregate Prometheus.
	aggregate string
	receivers []*landscape.Prometheus
	processes map[string]Role
	ingresses []*wan.Ingress
	// pulled says that the clients of the ingresses are in the garden.
	pulled bool
}

// address returns an address that nothing listens on yet.
func (s *site) address() string {
	s.hosts++
	return s.network + "." + strconv.Itoa(s.hosts)
}

// write writes a file, strings and bytes as they are and everything else as YAML.
func (s *site) write(name string, content any) (string, error) {
	var data []byte
	switch c := content.(type) {
	case []byte:
		data = c
	case string:
		data = []byte(c)
	default:
		var err error
		if data, err = yaml.Marshal(content); err != nil {
			return "", fmt.Errorf("failed to marshal the file %s: %w", name, err)
		}
	}

	path := filepath.Join(s.directory, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", fmt.Errorf("failed to create the directory of the file %s: %w", name, err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", fmt.Errorf("failed to write the file %s: %w", name, err)
	}
	return path, nil
}

// start starts a process.
func (s *site) start(role Role, name, binary string, env []string, args ...string) error {
	spec := process.Spec{Name: s.name + "-" + name, Path: s.binaries[binary], Args: args, Env: env, Dir: s.directory}
	if err := s.supervisor.Start(spec); err != nil {
		return err
	}
	s.processes[spec.Name] = role
	return nil
}

// ingress starts a TLS ingress in front of a host and port and returns its URL.
func (s *site) ingress(ctx context.Context, backend string) (string, error) {
	certificate, err := tls.X509KeyPair(s.credentials.certificate, s.credentials.certificateKey)
	if err != nil {
		return "", fmt.Errorf("failed to load the certificate of the ingress: %w", err)
	}
	address := net.JoinHostPort(s.address(), ingressPort)
	started, err := wan.Start(ctx, address, backend, certificate)
	if err != nil {
		return "", err
	}
	s.ingresses = append(s.ingresses, started)
	return "https://" + address, nil
}

// stop stops all of the site, and removes its files.
func (s *site) stop() error {
	var errs []error
	for name := range s.processes {
		errs = append(errs, s.supervisor.Stop(name))
	}
	return errors.Join(append(errs, s.stopIngresses(), os.RemoveAll(s.directory))...)
}

func (s *site) stopIngresses() error {
	var errs []error
	for _, ingress := range s.ingresses {
		errs = append(errs, ingress.Stop())
	}
	return errors.Join(errs...)
}

// traffic returns what has crossed all ingresses so far.
func (s *site) traffic() wan.Traffic {
	var sum wan.Traffic
	for _, ingress := range s.ingresses {
		traffic := ingress.Traffic()
		sum.FromClient += traffic.FromClient
		sum.ToClient += traffic.ToClient
		sum.Requests += traffic.Requests
	}
	return sum
}

// pids returns the ids of the processes.
func (s *site) pids() map[string]int {
	pids := map[string]int{}
	for _, status := range s.supervisor.Statuses() {
		if _, ok := s.processes[status.Name]; ok && status.State == process.StateRunning {
			pids[status.Name] = status.PID
		}
	}
	return pids
}

// replace replaces texts in a configuration that was made for pods by what stands for them here. A text that is not there is an error:
// then the configuration is another one than this was written for.
func replace(config string, replacements map[string]string) (string, error) {
	var pairs []string
	for from, to := range replacements {
		if !strings.Contains(config, from) {
			return "", fmt.Errorf("the configuration has no %q to be replaced by %q", from, to)
		}
		pairs = append(pairs, from, to)
	}
	return strings.NewReplacer(pairs...).Replace(config), nil
}

// waitFor waits until a URL answers with 200.
func waitFor(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	return poll(ctx, 200*time.Millisecond, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("%s answers %s", url, response.Status)
		}
		return nil
	})
}

// poll calls a function until it succeeds or the context is done, and returns its last error then.
func poll(ctx context.Context, interval time.Duration, f func(context.Context) error) error {
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		if pause(ctx, interval) != nil {
			return errors.Join(err, context.Cause(ctx))
		}
	}
}

// pause waits for a while.
func pause(ctx context.Context, duration time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(duration):
		return nil
	}
}
