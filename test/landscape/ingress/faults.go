// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"time"
)

// faultPoll is how often a connection that stands still looks whether it may go on.
const faultPoll = 100 * time.Millisecond

// Faults are what is wrong with the WAN in front of the gateways of a cluster. The zero value is a WAN without faults.
type Faults struct {
	// Cut lets nothing pass, in either direction: connections stand still, and are not closed.
	Cut bool `json:"cut,omitempty"`
	// Reset is the share of the reads and writes, from 0 to 1, that end in a reset of the connection.
	Reset float64 `json:"reset,omitempty"`
	// Latency is by how much each read and each write is delayed.
	Latency time.Duration `json:"latency,omitempty"`
	// BytesPerSecond limits each connection, in each direction. 0 is no limit.
	BytesPerSecond int `json:"bytesPerSecond,omitempty"`
	// Status, if not 0, is answered to every request instead of passing it on.
	Status int `json:"status,omitempty"`
}

// SetFaults replaces the faults. Connections that exist have them as well.
func (p *Proxy) SetFaults(faults Faults) {
	p.faults.Store(&faults)
}

// faultyConn is a connection that crosses a WAN with faults.
type faultyConn struct {
	net.Conn

	proxy  *Proxy
	closed chan struct{}
	once   sync.Once
}

func newFaultyConn(conn net.Conn, proxy *Proxy) *faultyConn {
	return &faultyConn{Conn: conn, proxy: proxy, closed: make(chan struct{})}
}

// Read reads what the WAN lets through.
func (c *faultyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if faultErr := c.suffer(n); faultErr != nil {
		return 0, faultErr
	}
	return n, err
}

// Write writes as the WAN lets it.
func (c *faultyConn) Write(p []byte) (int, error) {
	if err := c.suffer(len(p)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close closes the connection and ends what stands still.
func (c *faultyConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

// suffer is what n bytes suffer on the WAN.
func (c *faultyConn) suffer(n int) error {
	faults := c.proxy.faults.Load()
	for faults.Cut {
		if err := c.sleep(faultPoll); err != nil {
			return err
		}
		faults = c.proxy.faults.Load()
	}
	if faults.Reset > 0 && rand.Float64() < faults.Reset { // #nosec G404 -- Not for security.
		if tcp, ok := c.Conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		_ = c.Close()
		return net.ErrClosed
	}
	delay := faults.Latency
	if faults.BytesPerSecond > 0 {
		delay += time.Duration(n) * time.Second / time.Duration(faults.BytesPerSecond)
	}
	return c.sleep(delay)
}

func (c *faultyConn) sleep(delay time.Duration) error {
	if delay <= 0 {
		return nil
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-c.closed:
		return os.ErrClosed
	case <-timer.C:
		return nil
	}
}
