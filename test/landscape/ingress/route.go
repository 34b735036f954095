// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"context"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	istioapinetworkingv1beta1 "istio.io/api/networking/v1beta1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// defaultRetries is how often Istio tries again by default.
const defaultRetries = 2

// route is one HTTP route of a VirtualService.
type route struct {
	matchers     []requestMatcher
	destinations []weightedCluster
	totalWeight  uint64
	next         atomic.Uint64
	timeout      time.Duration
	retries      int
}

type weightedCluster struct {
	*cluster

	weight uint64
}

// matches tells if one of the route's matchers matches. A route without matchers matches everything.
func (r *route) matches(request *http.Request) bool {
	return len(r.matchers) == 0 || slices.ContainsFunc(r.matchers, func(match requestMatcher) bool { return match(request) })
}

// cluster picks a destination by weight. It returns nil if the route has none.
func (r *route) cluster() *cluster {
	if len(r.destinations) == 0 {
		return nil
	}
	position := (r.next.Add(1) - 1) % r.totalWeight
	for _, destination := range r.destinations {
		if position < destination.weight {
			return destination.cluster
		}
		position -= destination.weight
	}
	return r.destinations[0].cluster
}

// addVirtualHosts adds the routes of all VirtualServices that are bound to the server's Gateway, share a host with the server
// and are visible to the gateway workload.
func (b *builder) addVirtualHosts(ctx context.Context, s *server) error {
	for _, virtualService := range b.virtualServices {
		if !exportedTo(virtualService.Spec.GetExportTo(), b.config.DefaultExportTo, virtualService.Namespace, s.workload.Namespace) {
			continue
		}
		gatewayNames := []string{s.gateway.Namespace + "/" + s.gateway.Name}
		if virtualService.Namespace == s.gateway.Namespace {
			gatewayNames = append(gatewayNames, s.gateway.Name)
		}
		if !slices.ContainsFunc(virtualService.Spec.GetGateways(), func(name string) bool { return slices.Contains(gatewayNames, name) }) {
			continue
		}

		domains := s.sharedDomains(virtualService)
		if len(domains) == 0 {
			continue
		}
		routes, err := b.routes(ctx, s, virtualService, gatewayNames)
		if err != nil {
			return err
		}
		for _, domain := range domains {
			i := slices.Index(s.domains, domain)
			if i < 0 {
				i = len(s.domains)
				s.domains = append(s.domains, domain)
				s.routes = append(s.routes, nil)
			}
			s.routes[i] = append(s.routes[i], routes...)
		}
	}

	// Istio moves the routes that match everything behind those of other VirtualServices for the same host.
	for i := range s.routes {
		slices.SortStableFunc(s.routes[i], func(x, y *route) int {
			switch {
			case len(x.matchers) == 0 && len(y.matchers) > 0:
				return 1
			case len(x.matchers) > 0 && len(y.matchers) == 0:
				return -1
			default:
				return 0
			}
		})
	}
	return nil
}

// sharedDomains are the hosts on which the server and a VirtualService agree.
func (s *server) sharedDomains(virtualService *istionetworkingv1beta1.VirtualService) []string {
	var domains []string
	for _, host := range virtualService.Spec.GetHosts() {
		for i, serverHost := range s.hosts {
			if namespace := s.hostNamespaces[i]; namespace != ExportToAll && namespace != virtualService.Namespace {
				continue
			}
			if domain, ok := intersectHosts(serverHost, host); ok && !slices.Contains(domains, domain) {
				domains = append(domains, domain)
			}
		}
	}
	return domains
}

func (b *builder) routes(ctx context.Context, s *server, virtualService *istionetworkingv1beta1.VirtualService, gatewayNames []string) ([]*route, error) {
	log := b.log.WithValues("virtualService", client.ObjectKeyFromObject(virtualService))

	var routes []*route
	for _, spec := range virtualService.Spec.GetHttp() {
		result := &route{retries: defaultRetries}
		if spec.GetTimeout() != nil {
			result.timeout = spec.GetTimeout().AsDuration()
		}
		if spec.GetRetries() != nil {
			result.retries = int(spec.GetRetries().GetAttempts())
		}
		if spec.GetRewrite() != nil || spec.GetRedirect() != nil || spec.GetDirectResponse() != nil || spec.GetFault() != nil || spec.GetMirror() != nil || spec.GetHeaders() != nil {
			log.Info("The route asks for a rewrite, redirect, direct response, fault, mirror or header operation: this stand-in for Istio does not do that", "route", spec.GetName())
		}

		usable := true
		for _, match := range spec.GetMatch() {
			matcher, err := newRequestMatcher(match, gatewayNames, s.workload.Port)
			if err != nil {
				log.Error(err, "The route is left out", "route", spec.GetName())
				usable = false
				break
			}
			result.matchers = append(result.matchers, matcher)
		}
		if !usable {
			continue
		}

		if err := b.addDestinations(ctx, s.workload, virtualService, spec, result); err != nil {
			return nil, err
		}
		routes = append(routes, result)
	}
	return routes, nil
}

func (b *builder) addDestinations(ctx context.Context, workload *GatewayWorkload, virtualService *istionetworkingv1beta1.VirtualService, spec *istioapinetworkingv1beta1.HTTPRoute, result *route) error {
	for _, destination := range spec.GetRoute() {
		cluster, err := b.cluster(ctx, workload, virtualService.Namespace, destination.GetDestination())
		if err != nil {
			return err
		}
		if cluster.problem != "" {
			b.log.Info("A destination cannot be reached", "virtualService", client.ObjectKeyFromObject(virtualService), "workload", workload.Namespace, "destination", cluster.name, "problem", cluster.problem)
		}

		weight := uint64(max(destination.GetWeight(), 0)) // #nosec G115 -- Not negative.
		if len(spec.GetRoute()) == 1 {
			weight = 1
		}
		if weight == 0 {
			continue
		}
		result.totalWeight += weight
		result.destinations = append(result.destinations, weightedCluster{cluster: cluster, weight: weight})
	}
	return nil
}
