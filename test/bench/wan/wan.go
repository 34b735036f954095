// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package wan stands for the way between a seed and the garden: a TLS ingress that counts what crosses it.
package wan

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

const (
	shutdownTimeout = 5 * time.Second
	// idleConnections is enough for all that one client sends at a time.
	idleConnections = 32
)

// Traffic are bytes at the sockets of the ingress: with TLS and headers, without those of TCP and IP.
type Traffic struct {
	// FromClient and ToClient are the bytes in both directions.
	FromClient, ToClient int64
	// Requests is the number of requests.
	Requests int64
}

// Ingress terminates TLS in front of one backend, with the protocol settings that Gardener gives to its gateways.
type Ingress struct {
	server   *http.Server
	listener *countingListener
	requests atomic.Int64
	served   chan error
}

// Start starts an ingress that listens on an address and passes all requests to the backend, a host and port.
func Start(ctx context.Context, address, backend string, certificate tls.Certificate) (*Ingress, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("failed to listen on %s for the ingress: %w", address, err)
	}

	i := &Ingress{listener: &countingListener{Listener: listener}, served: make(chan error, 1)}
	target := &url.URL{Scheme: "http", Host: backend}
	proxy := &httputil.ReverseProxy{
		Rewrite:   func(request *httputil.ProxyRequest) { request.SetURL(target) },
		Transport: &http.Transport{MaxIdleConnsPerHost: idleConnections, DisableCompression: true},
		// Senders that are stopped at the end leave requests behind.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	i.server = &http.Server{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			i.requests.Add(1)
			proxy.ServeHTTP(w, r)
		}),
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}},
		ReadHeaderTimeout: time.Minute,
		IdleTimeout:       time.Hour,
		ErrorLog:          log.New(io.Discard, "", 0),
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          100,
			MaxReceiveBufferPerStream:     64 << 10,
			MaxReceiveBufferPerConnection: 1 << 20,
		},
	}
	go func() { i.served <- i.server.ServeTLS(i.listener, "", "") }()
	return i, nil
}

// Address returns the address that the ingress listens on.
func (i *Ingress) Address() string { return i.listener.Addr().String() }

// Traffic returns what has crossed the ingress so far.
func (i *Ingress) Traffic() Traffic {
	return Traffic{FromClient: i.listener.in.Load(), ToClient: i.listener.out.Load(), Requests: i.requests.Load()}
}

// Cut cuts all connections and lets nobody connect, or lets everybody connect again.
func (i *Ingress) Cut(cut bool) { i.listener.cut.Store(cut) }

// Stop ends the ingress.
func (i *Ingress) Stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	if err := i.server.Shutdown(ctx); err != nil {
		_ = i.server.Close()
	}
	if err := <-i.served; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("failed to serve the ingress: %w", err)
	}
	return nil
}

// countingListener counts what its connections transfer.
type countingListener struct {
	net.Listener

	in, out atomic.Int64
	cut     atomic.Bool
}

// Accept waits for a connection.
func (l *countingListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if l.cut.Load() {
			_ = conn.Close()
			continue
		}
		return &countingConn{Conn: conn, listener: l}, nil
	}
}

type countingConn struct {
	net.Conn

	listener *countingListener
}

// Read reads from the connection.
func (c *countingConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.listener.in.Add(int64(n))
	if c.listener.cut.Load() {
		return 0, net.ErrClosed
	}
	return n, err
}

// Write writes to the connection.
func (c *countingConn) Write(p []byte) (int, error) {
	if c.listener.cut.Load() {
		return 0, net.ErrClosed
	}
	n, err := c.Conn.Write(p)
	c.listener.out.Add(int64(n))
	return n, err
}
