// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	istioapinetworkingv1beta1 "istio.io/api/networking/v1beta1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// snapshot is the configuration of all gateway workloads at one moment. It is never changed, only replaced.
type snapshot struct {
	// servers are the servers by the address on which they are reached.
	servers map[string][]*server
}

// server is one server of a Gateway as one gateway workload serves it.
type server struct {
	workload *GatewayWorkload
	gateway  *istionetworkingv1beta1.Gateway
	// hosts are the server's hosts without their namespace part, hostNamespaces those parts ("*" if there is none).
	hosts, hostNamespaces []string
	// tlsConfig is nil if the credential is missing or unusable. Then problem says why.
	tlsConfig *tls.Config
	problem   string
	// domains and routes are the virtual hosts: routes[i] are tried in order for domains[i].
	domains []string
	routes  [][]*route
}

// serverFor returns the server that serves a name at an address, or nil.
func (s *snapshot) serverFor(address, serverName string) *server {
	var (
		patterns []string
		owners   []*server
	)
	for _, server := range s.servers[address] {
		for _, host := range server.hosts {
			patterns = append(patterns, host)
			owners = append(owners, server)
		}
	}
	if i := mostSpecific(patterns, strings.ToLower(serverName)); i >= 0 {
		return owners[i]
	}
	return nil
}

// routeFor returns the first route of the most specific virtual host that matches, and the virtual host's domain.
func (s *server) routeFor(host string, matches func(*route) bool) (*route, string) {
	i := mostSpecific(s.domains, host)
	if i < 0 {
		return nil, ""
	}
	for _, route := range s.routes[i] {
		if matches(route) {
			return route, s.domains[i]
		}
	}
	return nil, s.domains[i]
}

// builder makes a snapshot from the objects in the cluster.
type builder struct {
	config          *Config
	reader          client.Reader
	log             logr.Logger
	upstreams       *upstreams
	gateways        []*istionetworkingv1beta1.Gateway
	virtualServices []*istionetworkingv1beta1.VirtualService
	rules           []*istionetworkingv1beta1.DestinationRule
}

func (b *builder) build(ctx context.Context) (*snapshot, error) {
	if err := b.list(ctx); err != nil {
		return nil, err
	}

	result := &snapshot{servers: map[string][]*server{}}
	for i := range b.config.Gateways {
		workload := &b.config.Gateways[i]
		for _, gateway := range b.gateways {
			if !selects(gateway.Spec.GetSelector(), workload.Labels) {
				continue
			}
			for _, spec := range gateway.Spec.GetServers() {
				if spec.GetPort().GetNumber() != workload.Port || spec.GetTls() == nil {
					continue
				}
				server, err := b.server(ctx, workload, gateway, spec)
				if err != nil {
					return nil, err
				}
				result.servers[workload.Address] = append(result.servers[workload.Address], server)
			}
		}
	}
	return result, nil
}

// list reads the Istio objects, the oldest first: of two that claim the same the older one wins.
func (b *builder) list(ctx context.Context) error {
	gateways := &istionetworkingv1beta1.GatewayList{}
	if err := b.reader.List(ctx, gateways); err != nil {
		return fmt.Errorf("failed to list Gateways: %w", err)
	}
	virtualServices := &istionetworkingv1beta1.VirtualServiceList{}
	if err := b.reader.List(ctx, virtualServices); err != nil {
		return fmt.Errorf("failed to list VirtualServices: %w", err)
	}
	rules := &istionetworkingv1beta1.DestinationRuleList{}
	if err := b.reader.List(ctx, rules); err != nil {
		return fmt.Errorf("failed to list DestinationRules: %w", err)
	}

	b.gateways = oldestFirst(gateways.Items)
	b.virtualServices = oldestFirst(virtualServices.Items)
	b.rules = oldestFirst(rules.Items)
	return nil
}

func oldestFirst[T client.Object](objects []T) []T {
	slices.SortFunc(objects, func(a, b T) int {
		return cmp.Or(
			a.GetCreationTimestamp().Compare(b.GetCreationTimestamp().Time),
			strings.Compare(a.GetNamespace(), b.GetNamespace()),
			strings.Compare(a.GetName(), b.GetName()),
		)
	})
	return objects
}

func (b *builder) server(ctx context.Context, workload *GatewayWorkload, gateway *istionetworkingv1beta1.Gateway, spec *istioapinetworkingv1beta1.Server) (*server, error) {
	s := &server{workload: workload, gateway: gateway}
	for _, host := range spec.GetHosts() {
		namespace, name, ok := strings.Cut(host, "/")
		if !ok {
			namespace, name = ExportToAll, host
		}
		if namespace == ExportToSame {
			namespace = gateway.Namespace
		}
		s.hosts = append(s.hosts, strings.ToLower(name))
		s.hostNamespaces = append(s.hostNamespaces, namespace)
	}

	var err error
	if s.tlsConfig, s.problem, err = b.serverTLS(ctx, workload, spec.GetTls()); err != nil {
		return nil, err
	}
	if s.problem != "" {
		b.log.Info("A server of a Gateway cannot be served", "gateway", client.ObjectKeyFromObject(gateway), "workload", workload.Namespace, "hosts", s.hosts, "problem", s.problem)
	}
	return s, b.addVirtualHosts(ctx, s)
}

// serverTLS makes the TLS configuration of a server. The problem, if there is one, is the reason for which handshakes fail.
func (b *builder) serverTLS(ctx context.Context, workload *GatewayWorkload, settings *istioapinetworkingv1beta1.ServerTLSSettings) (*tls.Config, string, error) {
	if mode := settings.GetMode(); mode != istioapinetworkingv1beta1.ServerTLSSettings_SIMPLE {
		return nil, fmt.Sprintf("TLS mode %s is not known to this stand-in for Istio", mode), nil
	}
	if settings.GetCredentialName() == "" {
		return nil, "TLS mode SIMPLE needs a credentialName", nil
	}

	key := client.ObjectKey{Namespace: workload.Namespace, Name: settings.GetCredentialName()}
	secret := &corev1.Secret{}
	if err := b.reader.Get(ctx, key, secret); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, fmt.Sprintf("secret %s with the credential does not exist in the namespace of the gateway workload", key), nil
		}
		return nil, "", fmt.Errorf("failed to read secret %s with the credential of a Gateway: %w", key, err)
	}

	certificate, err := keyPair(secret)
	if err != nil {
		return nil, fmt.Sprintf("secret %s holds no usable key pair: %v", key, err), nil
	}
	config := &tls.Config{
		Certificates: []tls.Certificate{certificate},
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
	}
	if settings.GetMinProtocolVersion() == istioapinetworkingv1beta1.ServerTLSSettings_TLSV1_3 {
		config.MinVersion = tls.VersionTLS13
	}
	return config, "", nil
}

// keyPair reads a key pair under the keys that Istio knows.
func keyPair(secret *corev1.Secret) (tls.Certificate, error) {
	if certificate, ok := secret.Data[corev1.TLSCertKey]; ok {
		return tls.X509KeyPair(certificate, secret.Data[corev1.TLSPrivateKeyKey])
	}
	return tls.X509KeyPair(secret.Data["cert"], secret.Data["key"])
}
