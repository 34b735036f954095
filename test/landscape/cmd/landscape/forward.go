// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"sync"
	"time"
)

// target returns the address inside the landscape's network to which a connection is passed on. It is asked for anew for
// every connection, as pods change their addresses.
type target func(context.Context) (string, error)

func fixedTarget(address string) target {
	return func(context.Context) (string, error) { return address, nil }
}

// forward accepts connections from outside the landscape's network and passes them on to a target inside it.
func forward(ctx context.Context, listener net.Listener, to target) {
	context.AfterFunc(ctx, func() { _ = listener.Close() })
	for {
		outside, err := listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			// As when too many files are open. Somebody may close some.
			log.Printf("failed to accept a connection at %s: %v", listener.Addr(), err)
			time.Sleep(100 * time.Millisecond)
			continue
		}
		go func() {
			if err := pass(ctx, outside, to); err != nil {
				log.Printf("failed to forward a connection from %s: %v", listener.Addr(), err)
			}
		}()
	}
}

func pass(ctx context.Context, outside net.Conn, to target) error {
	defer func() { _ = outside.Close() }()

	dialCtx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	address, err := to(dialCtx)
	if err != nil {
		return err
	}
	inside, err := (&net.Dialer{}).DialContext(dialCtx, "tcp", address)
	if err != nil {
		return err
	}
	defer func() { _ = inside.Close() }()

	stop := context.AfterFunc(ctx, func() {
		_ = outside.Close()
		_ = inside.Close()
	})
	defer stop()

	var wg sync.WaitGroup
	wg.Go(func() { copyAndCloseWrite(inside, outside) })
	wg.Go(func() { copyAndCloseWrite(outside, inside) })
	wg.Wait()
	return nil
}

func copyAndCloseWrite(to, from net.Conn) {
	// Hidden from io.Copy that it could splice, which takes four files more for each connection.
	_, _ = io.Copy(struct{ io.Writer }{to}, struct{ io.Reader }{from})
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
