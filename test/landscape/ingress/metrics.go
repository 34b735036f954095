// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	labelGateway   = "gateway"
	labelHost      = "host"
	labelCode      = "code"
	labelDirection = "direction"
	labelReason    = "reason"
	labelResult    = "result"

	directionIn  = "in"
	directionOut = "out"

	reasonNoServer     = "no_server"
	reasonNoCredential = "no_credential" // #nosec G101 -- No credential.
)

// metrics count what passes the gateways. The label host only takes hosts of Gateways and VirtualServices.
type metrics struct {
	registry          *prometheus.Registry
	requests          *prometheus.CounterVec
	bodyBytes         *prometheus.CounterVec
	wireBytes         *prometheus.CounterVec
	handshakeFailures *prometheus.CounterVec
	connects          *prometheus.CounterVec
	refreshes         *prometheus.CounterVec
}

func newMetrics() *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "landscape", Subsystem: "ingress", Name: name, Help: help}, labels)
	}
	m := &metrics{
		registry:          prometheus.NewRegistry(),
		requests:          counter("requests_total", "Requests by host and status code of the response.", labelGateway, labelHost, labelCode),
		bodyBytes:         counter("body_bytes_total", "Bytes of the bodies of requests (in) and responses (out), as sent, without TLS and headers.", labelGateway, labelHost, labelDirection),
		wireBytes:         counter("wire_bytes_total", "Bytes read from (in) and written to (out) the connections of clients, with TLS and headers.", labelGateway, labelHost, labelDirection),
		handshakeFailures: counter("tls_handshake_failures_total", "TLS handshakes refused because no server or no credential is configured for the name.", labelReason),
		connects:          counter("upstream_attempts_total", "Attempts to send a request to an endpoint.", labelGateway, labelHost, labelResult),
		refreshes:         counter("refreshes_total", "Times the configuration was read.", labelResult),
	}
	m.registry.MustRegister(m.requests, m.bodyBytes, m.wireBytes, m.handshakeFailures, m.connects, m.refreshes)
	return m
}

// wireListener counts what its connections transfer.
type wireListener struct {
	net.Listener

	metrics *metrics
	proxy   *Proxy
}

// Accept waits for a connection.
func (l *wireListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &wireConn{Conn: newFaultyConn(conn, l.proxy), metrics: l.metrics}, nil
}

// wireConn counts what it transfers. Before the client has named a server nothing is attributed to a host.
type wireConn struct {
	net.Conn

	metrics *metrics

	lock              sync.Mutex
	earlyIn, earlyOut uint64
	in, out           prometheus.Counter
}

// identify attributes the connection to a host of a gateway, with all that was transferred before.
func (c *wireConn) identify(gateway, host string) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if c.in != nil {
		return
	}
	c.in = c.metrics.wireBytes.WithLabelValues(gateway, host, directionIn)
	c.out = c.metrics.wireBytes.WithLabelValues(gateway, host, directionOut)
	c.in.Add(float64(c.earlyIn))
	c.out.Add(float64(c.earlyOut))
}

func (c *wireConn) add(counter *prometheus.Counter, early *uint64, n int) {
	c.lock.Lock()
	defer c.lock.Unlock()
	if *counter == nil {
		*early += uint64(max(n, 0)) // #nosec G115 -- Not negative.
		return
	}
	(*counter).Add(float64(n))
}

// Read reads from the connection.
func (c *wireConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.add(&c.in, &c.earlyIn, n)
	return n, err
}

// Write writes to the connection.
func (c *wireConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.add(&c.out, &c.earlyOut, n)
	return n, err
}

// bodyReader counts what is read from the body of a request.
type bodyReader struct {
	io.ReadCloser

	n atomic.Int64
}

// Read reads from the body.
func (b *bodyReader) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// responseWriter remembers the status code and counts what is written to the body of a response.
type responseWriter struct {
	http.ResponseWriter

	code int
	n    int64
}

// WriteHeader sends the header.
func (w *responseWriter) WriteHeader(code int) {
	if w.code == 0 && code >= http.StatusOK || code == http.StatusSwitchingProtocols {
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

// Write writes to the body.
func (w *responseWriter) Write(p []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.n += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the features of the wrapped writer.
func (w *responseWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
