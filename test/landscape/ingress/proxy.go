// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const shutdownTimeout = 5 * time.Second

// Proxy is the gateway workloads of one cluster.
type Proxy struct {
	config    Config
	cache     cache.Cache
	reader    client.Reader
	metrics   *metrics
	upstreams *upstreams
	snapshot  atomic.Pointer[snapshot]
	faults    atomic.Pointer[Faults]

	refreshLock sync.Mutex
	ready       chan struct{}
	addresses   map[string]string
}

// New returns a new Proxy.
func New(config Config) (*Proxy, error) {
	if err := config.complete(); err != nil {
		return nil, err
	}

	p := &Proxy{
		config:    config,
		reader:    config.Reader,
		metrics:   newMetrics(),
		upstreams: &upstreams{dial: config.DialContext},
		ready:     make(chan struct{}),
		addresses: map[string]string{},
	}
	p.snapshot.Store(&snapshot{})
	p.faults.Store(&Faults{})

	if p.reader == nil {
		var err error
		if p.cache, err = newCache(config); err != nil {
			return nil, err
		}
		p.reader = p.cache
	}
	return p, nil
}

// Gatherer gathers the metrics.
func (p *Proxy) Gatherer() prometheus.Gatherer { return p.metrics.registry }

// Ready is closed when the gateways listen.
func (p *Proxy) Ready() <-chan struct{} { return p.ready }

// ListenAddress returns where the gateway workload with the given Address listens (they differ if the port is 0). It is valid
// once the Proxy is ready.
func (p *Proxy) ListenAddress(address string) string { return p.addresses[address] }

// Refresh reads the objects and replaces the configuration. If that fails the previous one stays in use.
func (p *Proxy) Refresh(ctx context.Context) error {
	p.refreshLock.Lock()
	defer p.refreshLock.Unlock()

	p.upstreams.begin()
	b := &builder{config: &p.config, reader: p.reader, log: p.config.Logger, upstreams: p.upstreams}
	next, err := b.build(ctx)
	p.upstreams.end(err == nil)
	if err != nil {
		p.metrics.refreshes.WithLabelValues("failure").Inc()
		return fmt.Errorf("failed to read the configuration of the gateways: %w", err)
	}

	p.snapshot.Store(next)
	p.metrics.refreshes.WithLabelValues("success").Inc()
	return nil
}

// Start runs the gateways until the context ends.
func (p *Proxy) Start(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	group, ctx := errgroup.WithContext(ctx)

	if err := p.start(ctx, group); err != nil && ctx.Err() == nil {
		cancel()
		return errors.Join(err, group.Wait())
	}
	defer cancel()
	return group.Wait()
}

func (p *Proxy) start(ctx context.Context, group *errgroup.Group) error {
	changes := make(chan struct{}, 1)
	if p.cache != nil {
		group.Go(func() error { return p.cache.Start(ctx) })
		if err := p.watch(ctx, changes); err != nil {
			return err
		}
		if !p.cache.WaitForCacheSync(ctx) {
			return errors.New("failed to read the objects that configure the gateways")
		}
	}
	if err := p.Refresh(ctx); err != nil {
		return err
	}
	group.Go(func() error { return p.refreshOnChanges(ctx, changes) })

	listeners, err := p.listen(ctx)
	if err != nil {
		return err
	}
	for address, listener := range listeners {
		group.Go(func() error { return p.serve(ctx, address, listener) })
	}
	if p.config.MetricsAddress != "" {
		group.Go(func() error { return p.serveMetrics(ctx) })
	}
	close(p.ready)
	return nil
}

func (p *Proxy) listen(ctx context.Context) (map[string]net.Listener, error) {
	listeners := map[string]net.Listener{}
	for _, gateway := range p.config.Gateways {
		if _, ok := listeners[gateway.Address]; ok {
			continue
		}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", gateway.Address)
		if err != nil {
			for _, other := range listeners {
				_ = other.Close()
			}
			return nil, fmt.Errorf("failed to listen on %s for the gateway workload in namespace %s: %w", gateway.Address, gateway.Namespace, err)
		}
		listeners[gateway.Address] = &wireListener{Listener: listener, metrics: p.metrics, proxy: p}
		p.addresses[gateway.Address] = listener.Addr().String()
	}
	return listeners, nil
}

// serve serves an address with the protocol settings that Gardener gives its gateways.
func (p *Proxy) serve(ctx context.Context, address string, listener net.Listener) error {
	handler := newHandler(p, address)
	handler.reverse.ErrorLog = errorLog(p.config.Logger)
	server := &http.Server{
		Handler:           handler,
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: handler.tlsConfig},
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       time.Hour,
		ErrorLog:          errorLog(p.config.Logger),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          100,
			MaxReceiveBufferPerStream:     64 << 10,
			MaxReceiveBufferPerConnection: 1 << 20,
		},
	}
	p.config.Logger.Info("Gateway listens", "address", p.addresses[address])
	return serveUntilDone(ctx, server, func() error { return server.ServeTLS(listener, "", "") })
}

func (p *Proxy) serveMetrics(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(p.metrics.registry, promhttp.HandlerOpts{}))
	server := &http.Server{Addr: p.config.MetricsAddress, Handler: mux, ReadHeaderTimeout: time.Minute}
	return serveUntilDone(ctx, server, server.ListenAndServe)
}

// serveUntilDone serves until the context ends, and then finishes what is under way.
func serveUntilDone(ctx context.Context, server *http.Server, serve func() error) error {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		if err := server.Shutdown(shutdownCtx); err != nil {
			_ = server.Close()
		}
	})

	err := serve()
	if !stop() {
		<-done
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("failed to serve the gateway: %w", err)
	}
	return nil
}

// errorLog passes what the HTTP server has to say, such as failed handshakes, to the logger.
func errorLog(logger logr.Logger) *log.Logger {
	return log.New(writerFunc(func(line []byte) { logger.Info(strings.TrimSpace(string(line))) }), "", 0)
}

type writerFunc func([]byte)

var _ io.Writer = writerFunc(nil)

// Write calls the function.
func (f writerFunc) Write(line []byte) (int, error) {
	f(line)
	return len(line), nil
}
