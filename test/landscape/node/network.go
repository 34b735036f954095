// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

const (
	bridgeName    = "br0"
	bridgeAddress = "198.18.0.1/15"
	prefixLength  = 15
	podInterface  = "eth0"
	// firstPodIndex is added to a cluster's index to get the third octet of its pods' addresses.
	firstPodIndex = 100
	// MaxClusters is the number of clusters that fit into the landscape's addresses.
	MaxClusters = 64
)

// localPrefixes are the addresses of control planes, gateways, DNS servers and replicas (198.18.<cluster>.x) and of services
// (198.19.<cluster>.x). All of them belong to the daemon's network namespace, so that anything in it can listen on them.
var localPrefixes = []string{"198.18.0.0/18", "198.19.0.0/18"}

// ControlPlaneIP returns the address of a cluster's control plane, which is also the address of its node.
func ControlPlaneIP(index int) string { return fmt.Sprintf("198.18.%d.1", index) }

// GatewayIP returns the address of a cluster's ingress gateway.
func GatewayIP(index int) string { return fmt.Sprintf("198.18.%d.2", index) }

// DNSIP returns the address of a cluster's DNS server.
func DNSIP(index int) string { return fmt.Sprintf("198.18.%d.10", index) }

// ServiceCIDR returns the range of a cluster's service addresses.
func ServiceCIDR(index int) string { return fmt.Sprintf("198.19.%d.0/24", index) }

// PodCIDR returns the range of a cluster's pod addresses.
func PodCIDR(index int) string { return fmt.Sprintf("198.18.%d.0/24", firstPodIndex+index) }

// SetUpNetwork prepares the network namespace of the calling process for all clusters of the landscape: the loopback
// interface, the bridge to which the pods are connected, and the local addresses. Call it once, before anything listens.
func SetUpNetwork() error {
	loopback, err := linkUp("lo")
	if err != nil {
		return err
	}

	bridge := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridgeName, HardwareAddr: hardwareAddr(netip.MustParsePrefix(bridgeAddress).Addr())}}
	if err := netlink.LinkAdd(bridge); err != nil {
		return fmt.Errorf("failed to create bridge %s (the process must have a network namespace of its own and CAP_NET_ADMIN in it): %w", bridgeName, err)
	}
	address, err := netlink.ParseAddr(bridgeAddress)
	if err != nil {
		return fmt.Errorf("failed to parse address %s: %w", bridgeAddress, err)
	}
	if err := netlink.AddrAdd(bridge, address); err != nil {
		return fmt.Errorf("failed to add address %s to bridge %s: %w", bridgeAddress, bridgeName, err)
	}
	if _, err := linkUp(bridgeName); err != nil {
		return err
	}

	for _, prefix := range localPrefixes {
		_, destination, err := net.ParseCIDR(prefix)
		if err != nil {
			return fmt.Errorf("failed to parse prefix %s: %w", prefix, err)
		}
		route := &netlink.Route{LinkIndex: loopback.Attrs().Index, Dst: destination, Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Scope: netlink.SCOPE_HOST}
		if err := netlink.RouteAdd(route); err != nil {
			return fmt.Errorf("failed to make the addresses %s local: %w", prefix, err)
		}
	}
	return nil
}

func linkUp(name string) (netlink.Link, error) {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, fmt.Errorf("failed to find network interface %s: %w", name, err)
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, fmt.Errorf("failed to bring up network interface %s: %w", name, err)
	}
	return link, nil
}

// hardwareAddr derives the hardware address from the IP address, so that neighbour caches stay right when an address is
// used again.
func hardwareAddr(ip netip.Addr) net.HardwareAddr {
	bytes := ip.As4()
	return net.HardwareAddr{0x02, 0x00, bytes[0], bytes[1], bytes[2], bytes[3]}
}

// podAddresses hands out the pod addresses of one cluster. Freed addresses are used again as late as possible.
type podAddresses struct {
	mu    sync.Mutex
	index int
	last  int
	used  map[int]bool
}

func newPodAddresses(index int) *podAddresses {
	return &podAddresses{index: index, used: map[int]bool{}}
}

func (a *podAddresses) allocate() (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()

	for range 254 {
		a.last = a.last%254 + 1
		if !a.used[a.last] {
			a.used[a.last] = true
			return netip.AddrFrom4([4]byte{198, 18, byte(firstPodIndex + a.index), byte(a.last)}), nil // #nosec G115 -- Both are below 255.
		}
	}
	return netip.Addr{}, fmt.Errorf("failed to allocate an address: all 254 pod addresses of %s are in use", PodCIDR(a.index))
}

func (a *podAddresses) release(ip netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.used, int(ip.As4()[3]))
}

// newPodNetwork creates a network namespace with the given address that is connected to the bridge. The namespace and its
// interfaces vanish when the returned file and all processes in the namespace are gone.
func newPodNetwork(ip netip.Addr) (*os.File, error) {
	namespace, err := newNetworkNamespace()
	if err != nil {
		return nil, err
	}
	if err := connectPod(namespace, ip); err != nil {
		return nil, errors.Join(err, namespace.Close())
	}
	return namespace, nil
}

func connectPod(namespace *os.File, ip netip.Addr) error {
	bridge, err := netlink.LinkByName(bridgeName)
	if err != nil {
		return fmt.Errorf("failed to find bridge %s: %w", bridgeName, err)
	}
	octets := ip.As4()
	veth := &netlink.Veth{
		LinkAttrs:        netlink.LinkAttrs{Name: fmt.Sprintf("pod%d-%d", octets[2], octets[3]), MasterIndex: bridge.Attrs().Index},
		PeerName:         podInterface,
		PeerHardwareAddr: hardwareAddr(ip),
		PeerNamespace:    netlink.NsFd(namespace.Fd()), // #nosec G115 -- A file descriptor.
	}
	// The interface of a pod that had the address before may not have vanished yet.
	if stale, err := netlink.LinkByName(veth.Name); err == nil {
		if err := netlink.LinkDel(stale); err != nil {
			return fmt.Errorf("failed to delete stale network interface %s: %w", veth.Name, err)
		}
	}
	if err := netlink.LinkAdd(veth); err != nil {
		return fmt.Errorf("failed to create network interface %s: %w", veth.Name, err)
	}
	if _, err := linkUp(veth.Name); err != nil {
		return err
	}

	return inNetworkNamespace(namespace, func() error {
		if _, err := linkUp("lo"); err != nil {
			return err
		}
		link, err := linkUp(podInterface)
		if err != nil {
			return err
		}
		address := &netlink.Addr{IPNet: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(prefixLength, 32)}}
		if err := netlink.AddrAdd(link, address); err != nil {
			return fmt.Errorf("failed to add address %s to network interface %s: %w", ip, podInterface, err)
		}
		return nil
	})
}

func newNetworkNamespace() (*os.File, error) {
	var namespace *os.File
	err := onOwnThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("failed to create a network namespace: %w", err)
		}
		var err error
		namespace, err = os.Open("/proc/thread-self/ns/net")
		return err
	})
	return namespace, err
}

func inNetworkNamespace(namespace *os.File, do func() error) error {
	return onOwnThread(func() error {
		if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil { // #nosec G115 -- A file descriptor.
			return fmt.Errorf("failed to enter the network namespace: %w", err)
		}
		return do()
	})
}

// onOwnThread runs the function on a thread of which it may change the network namespace. The thread returns to its
// namespace afterwards instead of ending: the end of a thread kills the processes it has started with Pdeathsig.
func onOwnThread(do func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		home, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			runtime.UnlockOSThread()
			result <- fmt.Errorf("failed to open the network namespace of the thread: %w", err)
			return
		}
		defer home.Close()

		err = do()
		if restoreErr := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); restoreErr != nil { // #nosec G115 -- A file descriptor.
			result <- errors.Join(err, fmt.Errorf("failed to return to the network namespace of the thread: %w", restoreErr))
			return
		}
		runtime.UnlockOSThread()
		result <- err
	}()
	return <-result
}
