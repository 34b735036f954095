// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/miekg/dns"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	dnsTTL     = 5
	dnsTimeout = 2 * time.Second
)

// dnsServer is the DNS of one cluster.
type dnsServer struct {
	reader        client.Reader
	address       string
	externalHosts map[string]string
	log           logr.Logger
}

func newDNSServer(reader client.Reader, config Config) *dnsServer {
	return &dnsServer{
		reader:        reader,
		address:       net.JoinHostPort(DNSIP(config.Index), "53"),
		externalHosts: config.ExternalHosts,
		log:           config.Logger.WithName("dns").WithValues("cluster", config.Cluster),
	}
}

// run serves until the context ends.
func (s *dnsServer) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	packets, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp", s.address)
	if err != nil {
		return fmt.Errorf("failed to listen for DNS queries: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.address)
	if err != nil {
		_ = packets.Close()
		return fmt.Errorf("failed to listen for DNS queries: %w", err)
	}
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: s}, {Listener: listener, Handler: s}} {
		group.Go(func() error {
			if err := server.ActivateAndServe(); err != nil && ctx.Err() == nil {
				return fmt.Errorf("failed to serve DNS queries on %s: %w", s.address, err)
			}
			return nil
		})
	}
	group.Go(func() error {
		<-ctx.Done()
		_ = packets.Close()
		_ = listener.Close()
		return nil
	})
	return group.Wait()
}

// ServeDNS implements dns.Handler.
func (s *dnsServer) ServeDNS(writer dns.ResponseWriter, request *dns.Msg) {
	ctx, cancel := context.WithTimeout(context.Background(), dnsTimeout)
	defer cancel()

	response := s.answer(ctx, request)
	if writer.LocalAddr().Network() == "udp" {
		size := dns.MinMsgSize
		if options := request.IsEdns0(); options != nil {
			size = max(size, int(options.UDPSize()))
		}
		response.Truncate(size)
	}
	if err := writer.WriteMsg(response); err != nil {
		s.log.V(1).Info("Failed to answer DNS query", "error", err.Error())
	}
}

func (s *dnsServer) answer(ctx context.Context, request *dns.Msg) *dns.Msg {
	response := (&dns.Msg{}).SetReply(request)
	response.Authoritative, response.RecursionAvailable = true, true
	if request.IsEdns0() != nil {
		response.SetEdns0(dns.DefaultMsgSize, false)
	}
	if len(request.Question) != 1 {
		response.Rcode = dns.RcodeFormatError
		return response
	}

	question := request.Question[0]
	records, found, err := s.lookUp(ctx, question.Name)
	switch {
	case err != nil:
		s.log.Error(err, "Failed to answer DNS query", "name", question.Name)
		response.Rcode = dns.RcodeServerFailure
	case !found:
		response.Rcode = dns.RcodeNameError
	}
	for _, record := range records {
		if recordType := record.Header().Rrtype; recordType == question.Qtype || recordType == dns.TypeCNAME || question.Qtype == dns.TypeANY {
			response.Answer = append(response.Answer, record)
		} else if recordType == dns.TypeA && question.Qtype == dns.TypeSRV {
			response.Extra = append(response.Extra, record)
		}
		// A CNAME is followed by the records of its target.
		if alias, ok := record.(*dns.CNAME); ok && question.Qtype == dns.TypeA {
			targets, _, err := s.lookUp(ctx, alias.Target)
			if err == nil {
				response.Answer = append(response.Answer, targets...)
			}
		}
	}
	return response
}

// lookUp returns all records of a name, and whether the name exists.
func (s *dnsServer) lookUp(ctx context.Context, queried string) ([]dns.RR, bool, error) {
	name := strings.ToLower(strings.TrimSuffix(queried, "."))
	if ip, ok := s.external(name); ok {
		return []dns.RR{addressRecord(queried, ip)}, true, nil
	}
	rest, ok := strings.CutSuffix(name, ".svc."+clusterDomain)
	if !ok {
		return nil, false, nil
	}
	labels := strings.Split(rest, ".")
	if len(labels) < 2 {
		return nil, false, nil
	}
	key := types.NamespacedName{Namespace: labels[len(labels)-1], Name: labels[len(labels)-2]}
	service := &corev1.Service{}
	if err := s.reader.Get(ctx, key, service); err != nil {
		return nil, false, client.IgnoreNotFound(err)
	}
	return s.serviceRecords(ctx, queried, labels[:len(labels)-2], service)
}

func (s *dnsServer) external(name string) (string, bool) {
	if ip, ok := s.externalHosts[name]; ok {
		return ip, true
	}
	for parent := name; ; {
		_, rest, ok := strings.Cut(parent, ".")
		if !ok {
			return "", false
		}
		if ip, ok := s.externalHosts["*."+rest]; ok {
			return ip, true
		}
		parent = rest
	}
}

// serviceRecords returns the records of a name below a service. prefix are its labels in front of the service's name.
func (s *dnsServer) serviceRecords(ctx context.Context, queried string, prefix []string, service *corev1.Service) ([]dns.RR, bool, error) {
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return []dns.RR{&dns.CNAME{Hdr: header(queried, dns.TypeCNAME), Target: dns.Fqdn(service.Spec.ExternalName)}}, len(prefix) == 0, nil
	}
	domain := fmt.Sprintf("%s.%s.svc.%s", service.Name, service.Namespace, clusterDomain)
	headless := service.Spec.ClusterIP == corev1.ClusterIPNone

	var endpoints []dnsEndpoint
	if headless {
		var err error
		if endpoints, err = s.endpoints(ctx, service); err != nil {
			return nil, false, err
		}
	}
	var records []dns.RR
	switch {
	case len(prefix) == 0 && !headless:
		records = append(records, addressRecord(queried, service.Spec.ClusterIP))
	case len(prefix) == 0:
		seen := map[string]bool{}
		for _, endpoint := range endpoints {
			if !seen[endpoint.ip] {
				records = append(records, addressRecord(queried, endpoint.ip))
				seen[endpoint.ip] = true
			}
		}
	case len(prefix) == 1 && headless:
		for _, endpoint := range endpoints {
			if endpoint.name == prefix[0] && len(records) == 0 {
				records = append(records, addressRecord(queried, endpoint.ip))
			}
		}
	case len(prefix) == 2 && headless:
		for _, endpoint := range endpoints {
			if prefix[0] == "_"+endpoint.portName && prefix[1] == "_"+endpoint.protocol {
				target := endpoint.name + "." + domain
				records = append(records, serviceRecord(queried, target, endpoint.port), addressRecord(target, endpoint.ip))
			}
		}
	case len(prefix) == 2:
		for _, port := range service.Spec.Ports {
			if prefix[0] == "_"+port.Name && prefix[1] == "_"+strings.ToLower(string(port.Protocol)) {
				records = append(records, serviceRecord(queried, domain, port.Port), addressRecord(domain, service.Spec.ClusterIP))
			}
		}
	}
	return records, len(records) > 0, nil
}

// dnsEndpoint is one port of one endpoint of a headless service.
type dnsEndpoint struct {
	ip, name, portName, protocol string
	port                         int32
}

func (s *dnsServer) endpoints(ctx context.Context, service *corev1.Service) ([]dnsEndpoint, error) {
	slices := &discoveryv1.EndpointSliceList{}
	if err := s.reader.List(ctx, slices, client.InNamespace(service.Namespace), client.MatchingLabels{discoveryv1.LabelServiceName: service.Name}); err != nil {
		return nil, fmt.Errorf("failed to list the endpoints of service %s/%s: %w", service.Namespace, service.Name, err)
	}
	var result []dnsEndpoint
	for _, slice := range slices.Items {
		if slice.AddressType != discoveryv1.AddressTypeIPv4 {
			continue
		}
		ports := slice.Ports
		if len(ports) == 0 {
			ports = []discoveryv1.EndpointPort{{}}
		}
		for _, endpoint := range slice.Endpoints {
			if !isReady(&endpoint) && !service.Spec.PublishNotReadyAddresses {
				continue
			}
			for _, ip := range endpoint.Addresses {
				name := strings.ReplaceAll(ip, ".", "-")
				if endpoint.Hostname != nil && *endpoint.Hostname != "" {
					name = *endpoint.Hostname
				}
				for _, port := range ports {
					result = append(result, dnsEndpoint{
						ip: ip, name: name, portName: value(port.Name), protocol: strings.ToLower(string(value(port.Protocol))), port: value(port.Port),
					})
				}
			}
		}
	}
	return result, nil
}

// isReady treats an unknown readiness as ready, as the API asks for.
func isReady(endpoint *discoveryv1.Endpoint) bool {
	return endpoint.Conditions.Ready == nil || *endpoint.Conditions.Ready
}

func value[T any](pointer *T) T {
	var zero T
	if pointer == nil {
		return zero
	}
	return *pointer
}

func header(name string, recordType uint16) dns.RR_Header {
	return dns.RR_Header{Name: dns.Fqdn(name), Rrtype: recordType, Class: dns.ClassINET, Ttl: dnsTTL}
}

func addressRecord(name, ip string) dns.RR {
	address, err := netip.ParseAddr(ip)
	if err != nil || address.Is6() {
		return &dns.AAAA{Hdr: header(name, dns.TypeAAAA), AAAA: net.ParseIP(ip)}
	}
	return &dns.A{Hdr: header(name, dns.TypeA), A: address.AsSlice()}
}

func serviceRecord(name, target string, port int32) dns.RR {
	return &dns.SRV{Hdr: header(name, dns.TypeSRV), Priority: 0, Weight: 100, Port: uint16(port), Target: dns.Fqdn(target)} // #nosec G115 -- A port.
}
