// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	protobuf    = "application/x-protobuf"
	metricsPath = "/v1/metrics"
	// answerTimeout is longer than the fan-out holds any request.
	answerTimeout = 90 * time.Second
	// maxAnswer is how much of an answer is read.
	maxAnswer = 4 << 10
)

// answer is what an attacker is told.
type answer struct {
	status int
	body   string
	err    error
}

// String tells the status. The body may repeat what was sent.
func (a answer) String() string {
	if a.err != nil {
		return "connection ended"
	}
	return fmt.Sprint(a.status)
}

// attempt is a request to the garden. What is empty is as a seed sends it.
type attempt struct {
	client *http.Client
	method string
	path   string
	host   string
	// header replaces headers. An empty value removes one.
	header map[string]string
	body   []byte
	// stream is a body that is not known before.
	stream io.Reader
}

// send sends a request through the gateway of the garden.
func (a attempt) send(ctx context.Context) answer {
	path := metricsPath
	if a.path != "" {
		path = a.path
	}
	method := http.MethodPost
	if a.method != "" {
		method = a.method
	}
	body := a.stream
	if body == nil {
		body = bytes.NewReader(a.body)
	}
	request, err := http.NewRequestWithContext(ctx, method, garden.endpoint.ResolveReference(&url.URL{Path: path}).String(), body)
	Expect(err).NotTo(HaveOccurred())
	if a.host != "" {
		request.Host = a.host
	}
	request.Header.Set("Content-Type", protobuf)
	request.Header.Set("Authorization", "Bearer "+token)
	for name, value := range a.header {
		if value == "" {
			request.Header.Del(name)
		} else {
			request.Header.Set(name, value)
		}
	}

	c := a.client
	if c == nil {
		c = connect(http1)
		defer c.CloseIdleConnections()
	}
	response, err := c.Do(request)
	if err != nil {
		return answer{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return answer{status: response.StatusCode, body: string(content), err: err}
}

// push sends metrics as the attacker, who has a valid token.
func push(ctx context.Context, body []byte) answer {
	return attempt{body: body}.send(ctx)
}

func http1(protocols *http.Protocols) { protocols.SetHTTP1(true) }
func http2(protocols *http.Protocols) { protocols.SetHTTP2(true) }

// connect returns a client for the gateway of the garden that verifies its certificate, as seeds do.
func connect(protocols func(*http.Protocols)) *http.Client {
	gateway, err := url.Parse(ls.GardenIngressURL)
	Expect(err).NotTo(HaveOccurred())
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, gateway.Host)
		},
		TLSClientConfig:    &tls.Config{RootCAs: garden.roots, MinVersion: tls.VersionTLS12},
		Protocols:          new(http.Protocols),
		DisableCompression: true,
	}
	protocols(transport.Protocols)
	return &http.Client{
		Transport:     transport,
		Timeout:       answerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// destination is where seeds push to, and the CAs by which they verify it.
type destination struct {
	endpoint *url.URL
	roots    *x509.CertPool
}

// destinationOf returns what a seed is told.
func destinationOf(ctx context.Context, seed string) destination {
	GinkgoHelper()
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: gardenerutils.ComputeGardenNamespace(seed), Name: constants.CredentialsSecretName}
	Expect(ls.VirtualGarden().Get(ctx, key, secret)).To(Succeed())
	endpoint, err := url.Parse(string(secret.Data[constants.DataKeyEndpoint]))
	Expect(err).NotTo(HaveOccurred())
	roots := x509.NewCertPool()
	Expect(roots.AppendCertsFromPEM(secret.Data[constants.DataKeyCABundle])).To(BeTrue())
	return destination{endpoint: endpoint, roots: roots}
}
