// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/gardener/gardener/pkg/utils/istio"
)

const (
	idleTimeout  = time.Minute
	retryBackoff = 25 * time.Millisecond
)

// upstreamOptions are everything by which connections to the endpoints of a Service's port differ.
type upstreamOptions struct {
	service         string
	protocol        istio.HTTPProtocolPolicy
	connectTimeout  time.Duration
	maxConnections  int32
	tls             bool
	serverName      string
	subjectAltNames string
	caBundle        string
}

// upstream holds the connections to the endpoints of a Service's port. It outlives the snapshots that use it.
type upstream struct {
	http1, http2 *http.Transport
	protocol     istio.HTTPProtocolPolicy
	scheme       string
	next         atomic.Uint64
}

func newUpstream(options upstreamOptions, dial func(ctx context.Context, network, address string) (net.Conn, error)) *upstream {
	dial = limitConnections(dial, options)
	transport := func(protocols func(*http.Protocols)) *http.Transport {
		result := &http.Transport{
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := dial(ctx, network, address)
				if err != nil {
					return nil, &connectError{err}
				}
				return conn, nil
			},
			DisableCompression:  true,
			MaxIdleConnsPerHost: 100,
			IdleConnTimeout:     idleTimeout,
			TLSHandshakeTimeout: options.connectTimeout,
			Protocols:           new(http.Protocols),
		}
		protocols(result.Protocols)
		if options.tls {
			result.TLSClientConfig = options.clientTLS()
		}
		return result
	}

	result := &upstream{
		protocol: options.protocol,
		scheme:   "http",
		http1:    transport(func(p *http.Protocols) { p.SetHTTP1(true) }),
		http2:    transport(func(p *http.Protocols) { p.SetHTTP2(options.tls); p.SetUnencryptedHTTP2(!options.tls) }),
	}
	if options.tls {
		result.scheme = "https"
	}
	return result
}

// transport chooses the protocol as Istio does: that of the Service's port unless the DestinationRule asks for the client's.
func (u *upstream) transport(downstreamMajor int) *http.Transport {
	if u.protocol == istio.HTTPProtocolPolicyExplicitHTTP2 || (u.protocol == istio.HTTPProtocolPolicyUseClientProtocol && downstreamMajor == 2) {
		return u.http2
	}
	return u.http1
}

// limitConnections limits the time in which a connection must be made, and how many are open at a time. Like Envoy it lets requests wait for one
// that becomes free for as long as they like.
func limitConnections(dial func(ctx context.Context, network, address string) (net.Conn, error), options upstreamOptions) func(ctx context.Context, network, address string) (net.Conn, error) {
	slots := semaphore.NewWeighted(cmp.Or(int64(options.maxConnections), math.MaxInt64))
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		if err := slots.Acquire(ctx, 1); err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, options.connectTimeout)
		defer cancel()
		conn, err := dial(ctx, network, address)
		if err != nil {
			slots.Release(1)
			return nil, err
		}
		return &limitedConn{Conn: conn, release: sync.OnceFunc(func() { slots.Release(1) })}, nil
	}
}

// limitedConn is a connection of which there are only so many.
type limitedConn struct {
	net.Conn

	release func()
}

// Close closes the connection, and lets another one be made.
func (c *limitedConn) Close() error {
	defer c.release()
	return c.Conn.Close()
}

func (u *upstream) close() {
	u.http1.CloseIdleConnections()
	u.http2.CloseIdleConnections()
}

// upstreams keeps the upstreams from one snapshot to the next.
type upstreams struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)

	lock            sync.Mutex
	current, before map[upstreamOptions]*upstream
}

// begin starts a new generation, get adds to it, and end closes what only the previous one used.
func (u *upstreams) begin() {
	u.lock.Lock()
	defer u.lock.Unlock()
	u.before, u.current = u.current, map[upstreamOptions]*upstream{}
}

func (u *upstreams) get(options upstreamOptions) *upstream {
	u.lock.Lock()
	defer u.lock.Unlock()
	if existing, ok := u.current[options]; ok {
		return existing
	}
	result, ok := u.before[options]
	if !ok {
		result = newUpstream(options, u.dial)
	}
	u.current[options] = result
	return result
}

func (u *upstreams) end(succeeded bool) {
	u.lock.Lock()
	defer u.lock.Unlock()
	if !succeeded {
		// The previous snapshot stays in use, and so do its upstreams.
		for options, upstream := range u.before {
			u.current[options] = upstream
		}
	}
	for options, upstream := range u.before {
		if _, ok := u.current[options]; !ok {
			upstream.close()
		}
	}
	u.before = nil
}

// order lists the endpoints in the order in which a request tries them.
func (c *cluster) order(header http.Header) []string {
	if value := header.Get(c.hashHeader); c.hashHeader != "" && value != "" {
		// Rendezvous hashing: an endpoint that comes or goes moves only the values that it gets or had.
		weights := make(map[string]uint64, len(c.endpoints))
		for _, endpoint := range c.endpoints {
			sum := sha256.Sum256([]byte(endpoint + "\x00" + value))
			weights[endpoint] = binary.BigEndian.Uint64(sum[:])
		}
		ordered := slices.Clone(c.endpoints)
		slices.SortFunc(ordered, func(a, b string) int {
			if weights[a] > weights[b] {
				return -1
			}
			return 1
		})
		return ordered
	}

	start := int((c.upstream.next.Add(1) - 1) % uint64(len(c.endpoints))) // #nosec G115 -- Smaller than the number of endpoints.
	return slices.Concat(c.endpoints[start:], c.endpoints[:start])
}

// connectError marks the failure to connect to an endpoint: the request has not been sent.
type connectError struct{ error }

// Unwrap returns the cause.
func (e *connectError) Unwrap() error { return e.error }

var errNoEndpoints = errors.New("no ready endpoints")

// roundTrip sends a request to an endpoint of the cluster, and to others if the connection fails.
func (c *cluster) roundTrip(request *http.Request, downstreamMajor, retries int, observe func(connected bool)) (*http.Response, error) {
	if c.problem != "" {
		return nil, errors.New(c.problem)
	}
	if len(c.endpoints) == 0 {
		return nil, errNoEndpoints
	}

	var (
		endpoints = c.order(request.Header)
		transport = c.upstream.transport(downstreamMajor)
		body      = &replayableBody{ReadCloser: request.Body}
	)
	for attempt := 0; ; attempt++ {
		outgoing := request.Clone(request.Context())
		outgoing.URL.Scheme = c.upstream.scheme
		outgoing.URL.Host = endpoints[attempt%len(endpoints)]
		if request.Body != nil && request.Body != http.NoBody {
			outgoing.Body = body
		}

		response, err := transport.RoundTrip(outgoing)
		var failed *connectError
		connectFailed := errors.As(err, &failed)
		observe(!connectFailed)
		if !connectFailed || body.read.Load() || attempt >= retries {
			return response, err
		}

		select {
		case <-time.After(retryBackoff):
		case <-request.Context().Done():
			return nil, request.Context().Err()
		}
	}
}

// replayableBody survives an attempt that fails before it has read anything. The server closes the body in the end.
type replayableBody struct {
	io.ReadCloser

	read atomic.Bool
}

// Read reads from the body.
func (b *replayableBody) Read(p []byte) (int, error) {
	b.read.Store(true)
	return b.ReadCloser.Read(p)
}

// Close does nothing.
func (b *replayableBody) Close() error { return nil }
