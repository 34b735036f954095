// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const dialTimeout = 5 * time.Second

// serviceProxy forwards the TCP connections to the addresses of services to their endpoints. A service without ready
// endpoints is not listened on, so that connections to it are refused.
type serviceProxy struct {
	reader    client.Reader
	log       logr.Logger
	kick      chan struct{}
	listeners map[string]*proxyListener
}

func newServiceProxy(reader client.Reader, log logr.Logger) *serviceProxy {
	return &serviceProxy{reader: reader, log: log.WithName("proxy"), kick: make(chan struct{}, 1), listeners: map[string]*proxyListener{}}
}

func (p *serviceProxy) wake() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// run keeps the listeners up to date until the context ends.
func (p *serviceProxy) run(ctx context.Context) {
	for {
		retry := resyncPeriod
		if err := p.sync(ctx); err != nil && ctx.Err() == nil {
			p.log.Error(err, "Failed to update the services")
			retry = retryPeriod
		}
		timer := time.NewTimer(retry)
		select {
		case <-ctx.Done():
			timer.Stop()
			for _, listener := range p.listeners {
				listener.close()
			}
			return
		case <-p.kick:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func (p *serviceProxy) sync(ctx context.Context) error {
	services := &corev1.ServiceList{}
	if err := p.reader.List(ctx, services); err != nil {
		return err
	}
	endpointSlices := &discoveryv1.EndpointSliceList{}
	if err := p.reader.List(ctx, endpointSlices); err != nil {
		return err
	}

	backends := proxyBackends(services.Items, endpointSlices.Items)
	for address, listener := range p.listeners {
		if len(backends[address]) == 0 {
			listener.close()
			delete(p.listeners, address)
		}
	}
	var failure error
	for address, targets := range backends {
		if listener := p.listeners[address]; listener != nil {
			listener.set(targets)
			continue
		}
		listener, err := listenProxy(ctx, address, targets)
		if err != nil {
			failure = err
			continue
		}
		p.listeners[address] = listener
	}
	return failure
}

// proxyBackends returns the addresses of the ready endpoints by the address of the service's port.
func proxyBackends(services []corev1.Service, endpointSlices []discoveryv1.EndpointSlice) map[string][]string {
	byService := map[string][]*discoveryv1.EndpointSlice{}
	for i := range endpointSlices {
		slice := &endpointSlices[i]
		key := slice.Namespace + "/" + slice.Labels[discoveryv1.LabelServiceName]
		byService[key] = append(byService[key], slice)
	}

	backends := map[string][]string{}
	for _, service := range services {
		if ip, err := netip.ParseAddr(service.Spec.ClusterIP); err != nil || !ip.Is4() {
			continue
		}
		for _, port := range service.Spec.Ports {
			if port.Protocol != corev1.ProtocolTCP && port.Protocol != "" {
				continue
			}
			var targets []string
			for _, slice := range byService[service.Namespace+"/"+service.Name] {
				targets = append(targets, sliceTargets(slice, port.Name, service.Spec.PublishNotReadyAddresses)...)
			}
			if len(targets) > 0 {
				slices.Sort(targets)
				backends[net.JoinHostPort(service.Spec.ClusterIP, strconv.Itoa(int(port.Port)))] = slices.Compact(targets)
			}
		}
	}
	return backends
}

func sliceTargets(slice *discoveryv1.EndpointSlice, portName string, publishNotReady bool) []string {
	var targets []string
	for _, port := range slice.Ports {
		if value(port.Name) != portName || port.Port == nil {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			if !isReady(&endpoint) && !publishNotReady {
				continue
			}
			for _, ip := range endpoint.Addresses {
				targets = append(targets, net.JoinHostPort(ip, strconv.Itoa(int(*port.Port))))
			}
		}
	}
	return targets
}

// proxyListener listens on one port of a service.
type proxyListener struct {
	listener net.Listener
	mu       sync.Mutex
	targets  []string
	next     int
}

func listenProxy(ctx context.Context, address string, targets []string) (*proxyListener, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	p := &proxyListener{listener: listener, targets: targets}
	go p.serve(ctx)
	return p, nil
}

func (p *proxyListener) close() { _ = p.listener.Close() }

func (p *proxyListener) set(targets []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.targets = targets
}

// target returns the targets in turn.
func (p *proxyListener) target() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next++
	return p.targets[p.next%len(p.targets)]
}

func (p *proxyListener) serve(ctx context.Context) {
	for {
		connection, err := p.listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) || !sleep(ctx, 100*time.Millisecond) {
				return
			}
			continue
		}
		if frontend, ok := connection.(*net.TCPConn); ok {
			go forward(ctx, frontend, p.target())
		}
	}
}

// forward connects a client to a target. Either side may close its half; a failure of one side resets the other.
func forward(ctx context.Context, frontend *net.TCPConn, target string) {
	defer frontend.Close()
	connection, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", target)
	if err != nil {
		_ = frontend.SetLinger(0)
		return
	}
	backend, ok := connection.(*net.TCPConn)
	if !ok {
		return
	}
	defer backend.Close()
	stop := context.AfterFunc(ctx, func() { reset(frontend, backend) })
	defer stop()

	var group sync.WaitGroup
	for _, pair := range [][2]*net.TCPConn{{frontend, backend}, {backend, frontend}} {
		group.Go(func() {
			if err := pass(pair[0], pair[1]); err != nil {
				reset(frontend, backend)
				return
			}
			_ = pair[0].CloseWrite()
		})
	}
	group.Wait()
}

// pass copies what is read to the other side. It hides from io.Copy that it could splice, which takes four files more for each connection, and
// there may be thousands.
func pass(to io.Writer, from io.Reader) error {
	_, err := io.CopyBuffer(struct{ io.Writer }{to}, struct{ io.Reader }{from}, make([]byte, 8<<10))
	return err
}

func reset(connections ...*net.TCPConn) {
	for _, connection := range connections {
		_ = connection.SetLinger(0)
		_ = connection.Close()
	}
}
