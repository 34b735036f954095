// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package ingress stands in for the Istio ingress gateways of one cluster. Like them it is configured by nothing but the
// objects in the cluster's API server: Gateways, VirtualServices, DestinationRules, Secrets, Services and EndpointSlices.
// What Istio refuses (a wrong selector, exportTo, port or namespace of the credential) it refuses as well.
package ingress

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/go-logr/logr"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// DefaultPort is the port of a Gateway's server that a gateway workload serves.
	DefaultPort = 443
	// ExportToAll exports an object to all namespaces.
	ExportToAll = "*"
	// ExportToNone exports an object to no namespace. Gardener configures its Istio with this default for Services,
	// VirtualServices and DestinationRules.
	ExportToNone = "~"
	// ExportToSame exports an object to its own namespace.
	ExportToSame = "."
)

// Scheme knows the objects that configure the gateways.
var Scheme = runtime.NewScheme()

func init() {
	utilruntime.Must(corev1.AddToScheme(Scheme))
	utilruntime.Must(discoveryv1.AddToScheme(Scheme))
	utilruntime.Must(istionetworkingv1beta1.AddToScheme(Scheme))
}

// GatewayWorkload is a deployment of the gateway, as seen by Istio: a namespace, the labels of its pods, and an address.
type GatewayWorkload struct {
	// Namespace is the namespace of the gateway's pods. Credentials are looked up here.
	Namespace string
	// Labels are the labels of the gateway's pods. The selectors of Gateways are matched against them.
	Labels map[string]string
	// Address is the host:port on which the gateway listens. It defaults to Config.Address. Workloads with the same address
	// share a listener; SNI tells them apart.
	Address string
	// Port is the port of the Gateway's servers which the address stands for. It defaults to DefaultPort.
	Port uint32
}

// Config configures a Proxy.
type Config struct {
	// RESTConfig reaches the API server of the cluster.
	RESTConfig *rest.Config
	// Reader, if set, is read instead of a cache made from RESTConfig. Then nobody watches: call Refresh after changes.
	Reader client.Reader
	// Address is the default for the addresses of the gateway workloads.
	Address string
	// Gateways are the gateway workloads that exist in the cluster.
	Gateways []GatewayWorkload
	// DefaultExportTo is where Services, VirtualServices and DestinationRules without exportTo are visible
	// (defaultServiceExportTo and its siblings in Istio's mesh configuration). Empty means everywhere, Istio's own default.
	// Gardener sets ExportToNone.
	DefaultExportTo []string
	// MetricsAddress is the host:port of the metrics endpoint. If it is empty there is none.
	MetricsAddress string
	// DialContext, if set, opens the connections to the endpoints.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Logger is the logger.
	Logger logr.Logger
}

func (c *Config) complete() error {
	if c.RESTConfig == nil && c.Reader == nil {
		return errors.New("ingress needs RESTConfig or Reader to read the Istio objects from")
	}
	if len(c.Gateways) == 0 {
		return errors.New("ingress needs at least one gateway workload")
	}
	if len(c.DefaultExportTo) == 0 {
		c.DefaultExportTo = []string{ExportToAll}
	}

	gateways := make([]GatewayWorkload, 0, len(c.Gateways))
	for _, gateway := range c.Gateways {
		if gateway.Namespace == "" {
			return errors.New("gateway workload has no namespace")
		}
		if gateway.Address == "" {
			gateway.Address = c.Address
		}
		if _, _, err := net.SplitHostPort(gateway.Address); err != nil {
			return fmt.Errorf("address %q of gateway workload %q is not of the form host:port: %w", gateway.Address, gateway.Namespace, err)
		}
		if gateway.Port == 0 {
			gateway.Port = DefaultPort
		}
		gateways = append(gateways, gateway)
	}
	c.Gateways = gateways

	if c.DialContext == nil {
		c.DialContext = (&net.Dialer{}).DialContext
	}
	return nil
}
