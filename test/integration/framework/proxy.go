// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"io"
	"net"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

// Proxy stands between a client and a server, and can cut the connection between them. If there are several servers it uses the
// first one that accepts connections, so that it can play a Service with replicas.
type Proxy struct {
	listener net.Listener
	targets  []string

	mutex       sync.Mutex
	down        bool
	connections map[net.Conn]struct{}
}

// StartProxy starts a proxy that runs until the suite ends.
func StartProxy(targets ...string) *Proxy {
	GinkgoHelper()
	listener, err := (&net.ListenConfig{}).Listen(GinkgoT().Context(), "tcp", "127.0.0.1:0")
	Expect(err).NotTo(HaveOccurred())

	proxy := &Proxy{listener: listener, targets: targets, connections: map[net.Conn]struct{}{}}
	go proxy.accept()
	DeferCleanup(func() {
		proxy.SetDown(true)
		Expect(listener.Close()).To(Succeed())
	})
	return proxy
}

// Address is the address of the proxy.
func (p *Proxy) Address() string {
	return p.listener.Addr().String()
}

// SetDown cuts all connections and refuses new ones, or accepts them again.
func (p *Proxy) SetDown(down bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()

	p.down = down
	if down {
		for connection := range p.connections {
			_ = connection.Close()
		}
	}
}

func (p *Proxy) accept() {
	for {
		connection, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.serve(connection)
	}
}

func (p *Proxy) serve(incoming net.Conn) {
	if !p.track(incoming) {
		return
	}
	defer p.untrack(incoming)

	outgoing := p.dial()
	if outgoing == nil || !p.track(outgoing) {
		return
	}
	defer p.untrack(outgoing)

	done := make(chan struct{}, 2)
	for from, to := range map[net.Conn]net.Conn{incoming: outgoing, outgoing: incoming} {
		go func() {
			_, _ = io.Copy(to, from)
			done <- struct{}{}
		}()
	}
	<-done
}

func (p *Proxy) dial() net.Conn {
	for _, target := range p.targets {
		if connection, err := (&net.Dialer{}).Dial("tcp", target); err == nil {
			return connection
		}
	}
	return nil
}

func (p *Proxy) track(connection net.Conn) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()

	if p.down {
		_ = connection.Close()
		return false
	}
	p.connections[connection] = struct{}{}
	return true
}

func (p *Proxy) untrack(connection net.Conn) {
	p.mutex.Lock()
	defer p.mutex.Unlock()

	_ = connection.Close()
	delete(p.connections, connection)
}
