// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	istioapiannotation "istio.io/api/annotation"
	istioapinetworkingv1beta1 "istio.io/api/networking/v1beta1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/pkg/utils/istio"
)

// defaultConnectTimeout is Istio's default for the time in which a connection to an endpoint must be made.
const defaultConnectTimeout = 10 * time.Second

// cluster is a port of a Service as one gateway workload sees it.
type cluster struct {
	name string
	// problem, if not empty, says why the cluster cannot be reached. Requests to it are answered with 503.
	problem string
	// endpoints are the ready endpoints (host:port), sorted.
	endpoints []string
	// hashHeader is the header whose value chooses the endpoint. If it is empty they take turns.
	hashHeader string
	upstream   *upstream
}

// serviceFor resolves the host of a destination. A name without dots is a Service in the namespace of the VirtualService.
func serviceFor(host, namespace string) (client.ObjectKey, bool) {
	if !strings.Contains(host, ".") {
		return client.ObjectKey{Namespace: namespace, Name: host}, host != ""
	}
	parts := strings.Split(strings.TrimSuffix(host, ".cluster.local"), ".")
	if len(parts) != 3 || parts[2] != "svc" {
		return client.ObjectKey{}, false
	}
	return client.ObjectKey{Namespace: parts[1], Name: parts[0]}, true
}

// cluster resolves a destination for a gateway workload.
func (b *builder) cluster(ctx context.Context, workload *GatewayWorkload, namespace string, destination *istioapinetworkingv1beta1.Destination) (*cluster, error) {
	result := &cluster{name: fmt.Sprintf("%s:%d", destination.GetHost(), destination.GetPort().GetNumber())}
	key, ok := serviceFor(destination.GetHost(), namespace)
	if !ok {
		result.problem = "the host is not of the form <service>.<namespace>.svc.cluster.local"
		return result, nil
	}

	service := &corev1.Service{}
	if err := b.reader.Get(ctx, key, service); err != nil {
		if apierrors.IsNotFound(err) {
			result.problem = fmt.Sprintf("service %s does not exist", key)
			return result, nil
		}
		return nil, fmt.Errorf("failed to read service %s: %w", key, err)
	}
	exportTo := splitExportTo(service.Annotations[istioapiannotation.NetworkingExportTo.Name])
	if !exportedTo(exportTo, b.config.DefaultExportTo, service.Namespace, workload.Namespace) {
		result.problem = fmt.Sprintf("annotation %s of service %s does not export it to namespace %s", istioapiannotation.NetworkingExportTo.Name, key, workload.Namespace)
		return result, nil
	}
	port, ok := servicePort(service, destination.GetPort().GetNumber())
	if !ok {
		result.problem = fmt.Sprintf("service %s has no port %d", key, destination.GetPort().GetNumber())
		return result, nil
	}

	var err error
	if result.endpoints, err = b.endpoints(ctx, key, port.Name); err != nil {
		return nil, err
	}
	return result, b.applyTrafficPolicy(ctx, workload, service, port, result)
}

func servicePort(service *corev1.Service, number uint32) (corev1.ServicePort, bool) {
	if number == 0 && len(service.Spec.Ports) == 1 {
		return service.Spec.Ports[0], true
	}
	i := slices.IndexFunc(service.Spec.Ports, func(port corev1.ServicePort) bool { return int64(port.Port) == int64(number) })
	if i < 0 {
		return corev1.ServicePort{}, false
	}
	return service.Spec.Ports[i], true
}

// endpoints lists the ready endpoints of a Service's port.
func (b *builder) endpoints(ctx context.Context, service client.ObjectKey, portName string) ([]string, error) {
	endpointSlices := &discoveryv1.EndpointSliceList{}
	if err := b.reader.List(ctx, endpointSlices, client.InNamespace(service.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service.Name}); err != nil {
		return nil, fmt.Errorf("failed to list EndpointSlices of service %s: %w", service, err)
	}

	var endpoints []string
	for _, endpointSlice := range endpointSlices.Items {
		for _, port := range endpointSlice.Ports {
			if port.Port == nil || (port.Name == nil && portName != "") || (port.Name != nil && *port.Name != portName) {
				continue
			}
			for _, endpoint := range endpointSlice.Endpoints {
				if endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready {
					continue
				}
				for _, address := range endpoint.Addresses {
					endpoints = append(endpoints, net.JoinHostPort(address, strconv.Itoa(int(*port.Port))))
				}
			}
		}
	}
	slices.Sort(endpoints)
	return slices.Compact(endpoints), nil
}

// applyTrafficPolicy decides, by the DestinationRule that applies, how connections are made and how endpoints are chosen.
func (b *builder) applyTrafficPolicy(ctx context.Context, workload *GatewayWorkload, service *corev1.Service, port corev1.ServicePort, result *cluster) error {
	rule := b.destinationRule(workload, service)
	loadBalancer, connectionPool, settings := effectivePolicy(rule.Spec.GetTrafficPolicy(), port)
	result.hashHeader = loadBalancer.GetConsistentHash().GetHttpHeaderName()

	options := upstreamOptions{
		service:        service.Namespace + "/" + service.Name + ":" + strconv.Itoa(int(port.Port)),
		protocol:       istio.DetermineProtocolMode(rule, port),
		connectTimeout: defaultConnectTimeout,
		maxConnections: connectionPool.GetTcp().GetMaxConnections(),
	}
	if timeout := connectionPool.GetTcp().GetConnectTimeout(); timeout != nil {
		options.connectTimeout = timeout.AsDuration()
	}

	switch settings.GetMode() {
	case istioapinetworkingv1beta1.ClientTLSSettings_DISABLE, istioapinetworkingv1beta1.ClientTLSSettings_ISTIO_MUTUAL:
		// There is no sidecar at the endpoints: without a mode that says otherwise gateways talk to them in plain text.
	case istioapinetworkingv1beta1.ClientTLSSettings_SIMPLE:
		if err := b.upstreamTLS(ctx, workload, settings, result, &options); err != nil || result.problem != "" {
			return err
		}
	default:
		result.problem = fmt.Sprintf("TLS mode %s of DestinationRule %s is not known to this stand-in for Istio", settings.GetMode(), client.ObjectKeyFromObject(rule))
		return nil
	}

	result.upstream = b.upstreams.get(options)
	return nil
}

// destinationRule returns the rule for a Service which Istio would apply: one in the namespace of the gateway workload first,
// then one in the namespace of the Service. If there is none it returns an empty rule.
func (b *builder) destinationRule(workload *GatewayWorkload, service *corev1.Service) *istionetworkingv1beta1.DestinationRule {
	for _, namespace := range []string{workload.Namespace, service.Namespace} {
		for _, rule := range b.rules {
			if rule.Namespace != namespace || !exportedTo(rule.Spec.GetExportTo(), b.config.DefaultExportTo, rule.Namespace, workload.Namespace) {
				continue
			}
			if key, ok := serviceFor(rule.Spec.GetHost(), rule.Namespace); ok && key == client.ObjectKeyFromObject(service) {
				return rule
			}
		}
	}
	return &istionetworkingv1beta1.DestinationRule{}
}

// effectivePolicy returns the settings for a port: where there are settings for the port they replace all others.
func effectivePolicy(policy *istioapinetworkingv1beta1.TrafficPolicy, port corev1.ServicePort) (*istioapinetworkingv1beta1.LoadBalancerSettings, *istioapinetworkingv1beta1.ConnectionPoolSettings, *istioapinetworkingv1beta1.ClientTLSSettings) {
	for _, settings := range policy.GetPortLevelSettings() {
		if int64(settings.GetPort().GetNumber()) == int64(port.Port) {
			return settings.GetLoadBalancer(), settings.GetConnectionPool(), settings.GetTls()
		}
	}
	return policy.GetLoadBalancer(), policy.GetConnectionPool(), policy.GetTls()
}

// upstreamTLS adds the TLS configuration for connections to the endpoints. Like Envoy it verifies the chain, and names only
// if subjectAltNames asks for that.
func (b *builder) upstreamTLS(ctx context.Context, workload *GatewayWorkload, settings *istioapinetworkingv1beta1.ClientTLSSettings, result *cluster, options *upstreamOptions) error {
	options.tls = true
	options.serverName = settings.GetSni()
	options.subjectAltNames = strings.Join(settings.GetSubjectAltNames(), ",")
	if settings.GetCredentialName() == "" {
		return nil
	}

	key := client.ObjectKey{Namespace: workload.Namespace, Name: settings.GetCredentialName()}
	secret := &corev1.Secret{}
	if err := b.reader.Get(ctx, key, secret); err != nil {
		if apierrors.IsNotFound(err) {
			result.problem = fmt.Sprintf("secret %s with the CA of the endpoints does not exist in the namespace of the gateway workload", key)
			return nil
		}
		return fmt.Errorf("failed to read secret %s with the CA of a DestinationRule: %w", key, err)
	}
	for _, dataKey := range []string{"cacert", "ca.crt"} {
		if bundle := secret.Data[dataKey]; len(bundle) > 0 {
			options.caBundle = string(bundle)
			return nil
		}
	}
	result.problem = fmt.Sprintf("secret %s has no CA of the endpoints under the key cacert", key)
	return nil
}

// clientTLS is the TLS configuration for connections to the endpoints.
func (o upstreamOptions) clientTLS() *tls.Config {
	var roots *x509.CertPool
	if o.caBundle != "" {
		roots = x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(o.caBundle))
	}
	return &tls.Config{
		ServerName: o.serverName,
		MinVersion: tls.VersionTLS12,
		// Names are verified below, and only if the DestinationRule lists some.
		InsecureSkipVerify: true, // #nosec G402 -- VerifyConnection verifies the chain.
		VerifyConnection: func(state tls.ConnectionState) error {
			intermediates := x509.NewCertPool()
			for _, certificate := range state.PeerCertificates[1:] {
				intermediates.AddCert(certificate)
			}
			leaf := state.PeerCertificates[0]
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates}); err != nil {
				return fmt.Errorf("failed to verify the certificate of an endpoint of service %s: %w", o.service, err)
			}
			if o.subjectAltNames == "" {
				return nil
			}
			names := strings.Split(o.subjectAltNames, ",")
			if !slices.ContainsFunc(names, func(name string) bool { return leaf.VerifyHostname(name) == nil }) {
				return fmt.Errorf("certificate of an endpoint of service %s is for none of the names %v", o.service, names)
			}
			return nil
		},
	}
}
