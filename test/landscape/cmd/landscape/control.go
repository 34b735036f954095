// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// progress collects what the daemon tells `landscape up`.
type progress struct {
	mu     sync.Mutex
	report landscape.Report
	start  time.Time
}

func newProgress() *progress { return &progress{start: time.Now()} }

// step reports that something has been done.
func (p *progress) step(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	text := fmt.Sprintf(format, args...)
	p.report.Steps = append(p.report.Steps, landscape.Step{Elapsed: time.Since(p.start), Text: text})
	fmt.Printf("%6.1fs %s\n", time.Since(p.start).Seconds(), text)
}

// finish reports the end of the start.
func (p *progress) finish(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.report.Done = true
	if err != nil {
		p.report.Error = err.Error()
		fmt.Printf("%6.1fs failed: %v\n", time.Since(p.start).Seconds(), err)
	}
}

func (p *progress) get() landscape.Report {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.report
}

// serveControl serves the control endpoint: the progress, the statuses of the processes and a few actions on them, the metrics of
// pods and gateways, and faults.
func (d *daemon) serveControl(ctx context.Context, listener net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /report", func(w http.ResponseWriter, _ *http.Request) {
		report := d.progress.get()
		report.Processes = d.supervisor.Statuses()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(report)
	})
	mux.HandleFunc("POST /processes/{name}/{action}", func(w http.ResponseWriter, r *http.Request) {
		if err := act(d.supervisor, r.PathValue("name"), r.PathValue("action")); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("GET /clusters/{cluster}/pods/{pod}/{port}/metrics", d.servePodMetrics)
	mux.HandleFunc("POST /clusters/{cluster}/pods/{pod}/{container}/{action}", d.actOnContainer)
	mux.HandleFunc("GET /clusters/{cluster}/ingress/metrics", d.serveIngressMetrics)
	mux.HandleFunc("PUT /clusters/{cluster}/ingress/faults", d.setFaults)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	_ = server.Serve(listener)
}

// servePodMetrics passes on what a pod of the namespace garden answers under the path /metrics.
func (d *daemon) servePodMetrics(w http.ResponseWriter, r *http.Request) {
	address, err := d.podAddress(r.Context(), r.PathValue("cluster"), r.PathValue("pod"), r.PathValue("port"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(request *httputil.ProxyRequest) {
		request.Out.URL = &url.URL{Scheme: "http", Host: address, Path: "/metrics"}
	}}
	proxy.ServeHTTP(w, r)
}

// actOnContainer does something to a container of a pod in the namespace garden.
func (d *daemon) actOnContainer(w http.ResponseWriter, r *http.Request) {
	clusterName, pod, container := r.PathValue("cluster"), r.PathValue("pod"), r.PathValue("container")
	signal, ok := map[string]syscall.Signal{"kill": syscall.SIGKILL, "pause": syscall.SIGSTOP, "continue": syscall.SIGCONT}[r.PathValue("action")]
	if !ok {
		http.Error(w, "the action must be kill, pause or continue", http.StatusBadRequest)
		return
	}
	d.parts.Lock()
	n := d.nodes[clusterName]
	d.parts.Unlock()
	if n == nil {
		http.Error(w, "there is no node of a cluster "+clusterName, http.StatusNotFound)
		return
	}
	for _, info := range n.Processes() {
		if info.Namespace != gardener.Namespace || info.Pod != pod || info.Container != container {
			continue
		}
		if err := syscall.Kill(info.PID, signal); err != nil {
			http.Error(w, fmt.Sprintf("failed to signal process %d: %v", info.PID, err), http.StatusInternalServerError)
		}
		return
	}
	http.Error(w, fmt.Sprintf("container %s of pod %s does not run", container, pod), http.StatusNotFound)
}

// setFaults replaces the faults of the WAN in front of the gateways of a cluster.
func (d *daemon) setFaults(w http.ResponseWriter, r *http.Request) {
	faults := ingress.Faults{}
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&faults); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if proxy := d.gatewaysOf(w, r); proxy != nil {
		proxy.SetFaults(faults)
	}
}

// serveIngressMetrics tells what has passed the gateways of a cluster.
func (d *daemon) serveIngressMetrics(w http.ResponseWriter, r *http.Request) {
	if proxy := d.gatewaysOf(w, r); proxy != nil {
		promhttp.HandlerFor(proxy.Gatherer(), promhttp.HandlerOpts{}).ServeHTTP(w, r)
	}
}

// gatewaysOf returns the gateways of the cluster that a request is about. If there are none it answers the request.
func (d *daemon) gatewaysOf(w http.ResponseWriter, r *http.Request) *ingress.Proxy {
	d.parts.Lock()
	defer d.parts.Unlock()
	proxy := d.gateways[r.PathValue("cluster")]
	if proxy == nil {
		http.Error(w, "there are no gateways of a cluster "+r.PathValue("cluster"), http.StatusNotFound)
	}
	return proxy
}

func act(supervisor *process.Supervisor, name, action string) error {
	switch action {
	case "stop":
		return supervisor.Stop(name)
	case "restart":
		return supervisor.Restart(name)
	case "kill":
		return supervisor.Signal(name, syscall.SIGKILL)
	case "pause":
		return supervisor.Signal(name, syscall.SIGSTOP)
	case "continue":
		return supervisor.Signal(name, syscall.SIGCONT)
	default:
		return fmt.Errorf("unknown action %q: use stop, restart, kill, pause or continue", action)
	}
}
