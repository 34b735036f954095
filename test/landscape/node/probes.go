// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// containerHealth is what the probes of a running container have found out.
type containerHealth struct {
	mu        sync.Mutex
	started   bool
	ready     bool
	unhealthy string
}

func (h *containerHealth) get() (started, ready bool, unhealthy string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.started, h.started && h.ready, h.unhealthy
}

func (h *containerHealth) set(change func(*containerHealth)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	change(h)
}

// prober runs the probes of one container of a pod.
type prober struct {
	container *corev1.Container
	podIP     string
	health    *containerHealth
	// changed is called when the health may have changed.
	changed func()
}

// checkProbes rejects what cannot be probed, so that nobody believes that it is probed.
func checkProbes(container *corev1.Container) error {
	for _, probe := range []*corev1.Probe{container.StartupProbe, container.LivenessProbe, container.ReadinessProbe} {
		if probe != nil && probe.HTTPGet == nil && probe.TCPSocket == nil {
			return fmt.Errorf("only httpGet and tcpSocket probes are supported by the landscape's node")
		}
	}
	return nil
}

// run probes until the context ends, i.e. until the container ends.
func (p *prober) run(ctx context.Context) {
	if probe := p.container.StartupProbe; probe != nil && !p.awaitStart(ctx, probe) {
		return
	}
	p.update(func(h *containerHealth) { h.started, h.ready = true, p.container.ReadinessProbe == nil })

	var group sync.WaitGroup
	if probe := p.container.ReadinessProbe; probe != nil {
		group.Go(func() {
			p.repeat(ctx, probe, func(ok bool, _ string) bool {
				p.update(func(h *containerHealth) { h.ready = ok })
				return true
			})
		})
	}
	if probe := p.container.LivenessProbe; probe != nil {
		group.Go(func() {
			p.repeat(ctx, probe, func(ok bool, message string) bool {
				if !ok {
					p.update(func(h *containerHealth) { h.unhealthy = "liveness probe failed: " + message })
				}
				return ok
			})
		})
	}
	group.Wait()
}

func (p *prober) awaitStart(ctx context.Context, probe *corev1.Probe) bool {
	started := false
	p.repeat(ctx, probe, func(ok bool, message string) bool {
		if !ok {
			p.update(func(h *containerHealth) { h.unhealthy = "startup probe failed: " + message })
		}
		started = ok
		return false
	})
	return started
}

func (p *prober) update(change func(*containerHealth)) {
	p.health.set(change)
	p.changed()
}

// repeat probes periodically. It reports results after as many equal ones in a row as the probe's thresholds ask for, until
// report returns false or the context ends.
func (p *prober) repeat(ctx context.Context, probe *corev1.Probe, report func(ok bool, message string) bool) {
	if !sleep(ctx, seconds(probe.InitialDelaySeconds, 0)) {
		return
	}
	successes, failures := int32(0), int32(0)
	for {
		err := p.probe(ctx, probe)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			successes, failures = successes+1, 0
			if successes == max(probe.SuccessThreshold, 1) && !report(true, "") {
				return
			}
		} else {
			successes, failures = 0, failures+1
			if failures == max(probe.FailureThreshold, 1) && !report(false, err.Error()) {
				return
			}
		}
		if !sleep(ctx, seconds(probe.PeriodSeconds, 10)) {
			return
		}
	}
}

func (p *prober) probe(ctx context.Context, probe *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, seconds(probe.TimeoutSeconds, 1))
	defer cancel()

	if probe.TCPSocket != nil {
		port, err := p.port(probe.TCPSocket.Port)
		if err != nil {
			return err
		}
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(p.host(probe.TCPSocket.Host), port))
		if err != nil {
			return err
		}
		return connection.Close()
	}
	return p.probeHTTP(ctx, probe.HTTPGet)
}

func (p *prober) probeHTTP(ctx context.Context, action *corev1.HTTPGetAction) error {
	port, err := p.port(action.Port)
	if err != nil {
		return err
	}
	scheme := "http"
	if action.Scheme == corev1.URISchemeHTTPS {
		scheme = "https"
	}
	path := action.Path
	if path == "" || path[0] != '/' {
		path = "/" + path
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+net.JoinHostPort(p.host(action.Host), port)+path, nil)
	if err != nil {
		return err
	}
	request.Header.Set("User-Agent", "kube-probe/landscape")
	for _, header := range action.HTTPHeaders {
		if http.CanonicalHeaderKey(header.Name) == "Host" {
			request.Host = header.Value
			continue
		}
		request.Header.Add(header.Name, header.Value)
	}
	httpClient := &http.Client{
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // #nosec G402 -- Probes do not verify, as in kubelet.
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := httpClient.Do(request)
	if err != nil {
		return err
	}
	if err := response.Body.Close(); err != nil {
		return err
	}
	if response.StatusCode < http.StatusOK || response.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("HTTP probe failed with status code %d", response.StatusCode)
	}
	return nil
}

func (p *prober) host(host string) string {
	if host != "" {
		return host
	}
	return p.podIP
}

func (p *prober) port(port intstr.IntOrString) (string, error) {
	if port.Type == intstr.Int {
		return strconv.Itoa(port.IntValue()), nil
	}
	for _, candidate := range p.container.Ports {
		if candidate.Name == port.StrVal {
			return strconv.Itoa(int(candidate.ContainerPort)), nil
		}
	}
	if number, err := strconv.Atoi(port.StrVal); err == nil {
		return strconv.Itoa(number), nil
	}
	return "", fmt.Errorf("container %s has no port named %q", p.container.Name, port.StrVal)
}

func seconds(value, fallback int32) time.Duration {
	if value <= 0 {
		value = fallback
	}
	return time.Duration(value) * time.Second
}

// sleep waits and returns false if the context has ended meanwhile.
func sleep(ctx context.Context, duration time.Duration) bool {
	timer := time.NewTimer(duration)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
