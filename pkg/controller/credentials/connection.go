// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"sync/atomic"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
)

// Connection lets other controllers use the session with the virtual garden. The zero value is ready for use.
type Connection struct {
	client atomic.Pointer[client.Client]
}

// Client returns the client for the virtual garden, while there is a session. It reads Seeds, and Secrets and Leases with our
// names, from the cache of the session, and nothing else.
func (c *Connection) Client() (client.Client, bool) {
	if current := c.client.Load(); current != nil {
		return *current, true
	}
	return nil, false
}

// offer offers the client of a session until the context ends, from when its caches are synced.
func (c *Connection) offer(ctx context.Context, virtualGarden cluster.Cluster) {
	if !virtualGarden.GetCache().WaitForCacheSync(ctx) {
		return
	}
	current := new(virtualGarden.GetClient())
	c.client.Store(current)
	<-ctx.Done()
	c.client.CompareAndSwap(current, nil)
}
