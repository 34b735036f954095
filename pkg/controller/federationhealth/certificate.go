// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package federationhealth

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"time"
)

const handshakeTimeout = 5 * time.Second

// verifyCertificate returns why the certificate of an endpoint cannot be verified by the given bundle, which may be empty for that of the
// system. It returns an empty string if it can, or if the endpoint cannot be reached. It sends no credentials.
func verifyCertificate(ctx context.Context, endpoint string, bundle []byte) string {
	address, err := url.Parse(endpoint)
	if err != nil || address.Scheme != "https" {
		return ""
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(bundle) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(bundle) {
			return "the bundle of CAs has no certificate"
		}
	}
	port := address.Port()
	if port == "" {
		port = "443"
	}

	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	connection, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", net.JoinHostPort(address.Hostname(), port))
	if err == nil {
		_ = connection.Close()
		return ""
	}
	if verification := (*tls.CertificateVerificationError)(nil); errors.As(err, &verification) {
		return verification.Err.Error()
	}
	return ""
}
