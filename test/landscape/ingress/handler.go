// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httputil"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-logr/logr"
)

const (
	headerForwardedFor = "X-Forwarded-For"

	hostUnknown = ""
)

// handler serves the requests that arrive at one address.
type handler struct {
	proxy   *Proxy
	address string
	reverse *httputil.ReverseProxy
}

// exchange is what the parts of the handler know about a request.
type exchange struct {
	route   *route
	cluster *cluster
	major   int
	connect func(connected bool)
	problem error
}

type exchangeKey struct{}

func newHandler(proxy *Proxy, address string) *handler {
	h := &handler{proxy: proxy, address: address}
	h.reverse = &httputil.ReverseProxy{
		Rewrite:       rewrite,
		Transport:     roundTripperFunc(roundTrip),
		FlushInterval: -1,
		ErrorHandler:  answerError,
	}
	return h
}

// tlsConfig chooses the server, and with it the certificate, by SNI.
func (h *handler) tlsConfig(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	server := h.proxy.snapshot.Load().serverFor(h.address, hello.ServerName)
	if server == nil {
		h.proxy.metrics.handshakeFailures.WithLabelValues(reasonNoServer).Inc()
		return nil, errors.New("no Gateway has a server for the name " + strconv.Quote(hello.ServerName))
	}
	if server.tlsConfig == nil {
		h.proxy.metrics.handshakeFailures.WithLabelValues(reasonNoCredential).Inc()
		return nil, errors.New("server for the name " + strconv.Quote(hello.ServerName) + " cannot be served: " + server.problem)
	}
	if conn, ok := hello.Conn.(*wireConn); ok {
		conn.identify(server.workload.Namespace, h.knownHost(server, hello.ServerName))
	}
	return server.tlsConfig, nil
}

// knownHost bounds the values of the label host: a host under a wildcard is counted under the wildcard.
func (h *handler) knownHost(server *server, name string) string {
	name = strings.ToLower(name)
	if slices.Contains(server.hosts, name) || slices.Contains(server.domains, name) {
		return name
	}
	if i := mostSpecific(server.hosts, name); i >= 0 {
		return server.hosts[i]
	}
	return hostUnknown
}

// ServeHTTP answers a request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var (
		start    = time.Now()
		response = &responseWriter{ResponseWriter: w}
		request  = &bodyReader{ReadCloser: r.Body}
		host     = requestHost(r.Host)
		gateway  = ""
		known    = hostUnknown
		state    = &exchange{major: r.ProtoMajor}
	)
	r.Body = request
	if r.ContentLength == 0 {
		r.Body = http.NoBody
	}

	// Like Envoy, let an endpoint answer before it has read the whole body. HTTP/2 always does.
	if r.ProtoMajor == 1 {
		_ = http.NewResponseController(w).EnableFullDuplex()
	}

	server := h.proxy.snapshot.Load().serverFor(h.address, r.TLS.ServerName)
	if server != nil {
		gateway = server.workload.Namespace
		known = h.knownHost(server, r.TLS.ServerName)
	}
	state.connect = func(connected bool) {
		h.proxy.metrics.connects.WithLabelValues(gateway, known, connectResult(connected)).Inc()
	}
	defer func() {
		code := response.code
		if code == 0 {
			code = http.StatusOK
		}
		h.proxy.metrics.requests.WithLabelValues(gateway, known, strconv.Itoa(code)).Inc()
		h.proxy.metrics.bodyBytes.WithLabelValues(gateway, known, directionIn).Add(float64(request.n.Load()))
		h.proxy.metrics.bodyBytes.WithLabelValues(gateway, known, directionOut).Add(float64(response.n))
		logAccess(h.proxy.config.Logger, r, state, code, request.n.Load(), response.n, time.Since(start))
	}()

	h.answer(response, r, server, host, state)
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, server *server, host string, state *exchange) {
	if status := h.proxy.faults.Load().Status; status != 0 {
		state.problem = errors.New("a fault")
		w.WriteHeader(status)
		return
	}

	switch {
	case r.TLS.ServerName != "" && strings.ToLower(r.TLS.ServerName) != host:
		// Gardener's gateways answer so, to stop clients from reusing a connection for another host.
		state.problem = errors.New("the name in the TLS handshake differs from the requested host")
		http.Error(w, "Misdirected Request", http.StatusMisdirectedRequest)
		return
	case server == nil || server.tlsConfig == nil:
		// The server has disappeared since the connection was made.
		state.problem = errors.New("no server")
		w.Header().Set("Connection", "close")
		w.WriteHeader(http.StatusNotFound)
		return
	}

	if state.route, _ = server.routeFor(host, func(candidate *route) bool { return candidate.matches(r) }); state.route != nil {
		state.cluster = state.route.cluster()
	}
	if state.cluster == nil {
		state.problem = errors.New("no route")
		w.WriteHeader(http.StatusNotFound)
		return
	}

	ctx := context.WithValue(r.Context(), exchangeKey{}, state)
	if state.route.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, state.route.timeout)
		defer cancel()
	}
	h.reverse.ServeHTTP(w, r.WithContext(ctx))
}

func connectResult(connected bool) string {
	if connected {
		return "connected"
	}
	return "connect_failure"
}

// rewrite keeps the host and appends the client to X-Forwarded-For.
func rewrite(r *httputil.ProxyRequest) {
	r.Out.Host = r.In.Host
	r.Out.Header[headerForwardedFor] = r.In.Header[headerForwardedFor]
	r.SetXForwarded()
}

func roundTrip(r *http.Request) (*http.Response, error) {
	state := r.Context().Value(exchangeKey{}).(*exchange)
	return state.cluster.roundTrip(r, state.major, state.route.retries, state.connect)
}

// answerError answers a request for which there is no response: 503, or 504 if the route's timeout is over.
func answerError(w http.ResponseWriter, r *http.Request, err error) {
	r.Context().Value(exchangeKey{}).(*exchange).problem = err
	if errors.Is(err, context.DeadlineExceeded) && errors.Is(r.Context().Err(), context.DeadlineExceeded) {
		http.Error(w, "upstream request timeout", http.StatusGatewayTimeout)
		return
	}
	http.Error(w, "no healthy upstream", http.StatusServiceUnavailable)
}

// logAccess writes what a gateway's access log would hold. Headers are left out: they carry tokens.
func logAccess(log logr.Logger, r *http.Request, state *exchange, code int, in, out int64, duration time.Duration) {
	log = log.WithValues("method", r.Method, "host", r.Host, "path", r.URL.Path, "protocol", r.Proto, "code", code,
		"bytesIn", in, "bytesOut", out, "durationSeconds", duration.Seconds(), "client", r.RemoteAddr)
	if state.cluster != nil {
		log = log.WithValues("cluster", state.cluster.name)
	}
	if state.problem != nil {
		log.Info("The gateway refused a request", "problem", state.problem.Error())
		return
	}
	log.V(1).Info("Request")
}

type roundTripperFunc func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripperFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
