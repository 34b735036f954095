// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/netpol"
)

const (
	stateEstablished = "01"
	stateTimeWait    = "06"
	stateListen      = "0A"
)

// probePorts are where kubelet looks whether pods are well. No NetworkPolicy keeps it from that.
var probePorts = []uint16{8081, 13133}

// observed is what pods have been seen to connect with.
type observed struct {
	egress, ingress []netpol.Flow
}

// observeConnections looks for the given time at the connections of all groups of pods, and returns what it has seen by the groups' names.
func observeConnections(ctx context.Context, duration time.Duration) map[string]*observed {
	type view struct {
		group     podGroup
		addresses *addressBook
		processes []int
	}
	var (
		views []view
		seen  = map[string]*observed{}
		end   = time.Now().Add(duration)
	)
	for _, group := range podGroups {
		v := view{group: group, addresses: addressesOf(ctx, group.cluster), processes: processesOf(group.pods(ctx))}
		ExpectWithOffset(1, v.processes).NotTo(BeEmpty(), "processes of %s", group.name)
		views, seen[group.name] = append(views, v), &observed{}
	}

	for time.Now().Before(end) {
		for _, v := range views {
			for _, pid := range v.processes {
				seen[v.group.name].add(v.addresses, v.group.cluster, connectionsOf(pid))
			}
		}
		select {
		case <-ctx.Done():
			return seen
		case <-time.After(200 * time.Millisecond):
		}
	}
	return seen
}

func (o *observed) add(addresses *addressBook, clusterName string, connections []connection) {
	for _, c := range connections {
		switch {
		case !c.isIngress:
			o.egress = addFlow(o.egress, addresses.nameOf(c.remote, c.remotePort, clusterName))
		case !slices.Contains(probePorts, c.port):
			o.ingress = addFlow(o.ingress, netpol.Flow{Peer: addresses.nameOf(c.remote, c.port, clusterName).Peer, Port: fmt.Sprintf("TCP/%d", c.port)})
		}
	}
}

func addFlow(flows []netpol.Flow, flow netpol.Flow) []netpol.Flow {
	if slices.Contains(flows, flow) {
		return flows
	}
	return append(flows, flow)
}

// addressBook says whose the addresses of a landscape are.
type addressBook struct {
	pods     map[netip.Addr]string
	services map[netip.AddrPort]netpol.Flow
	gateways map[netip.Addr]string
}

func addressesOf(ctx context.Context, clusterName string) *addressBook {
	book := &addressBook{pods: map[netip.Addr]string{}, services: map[netip.AddrPort]netpol.Flow{}, gateways: map[netip.Addr]string{}}
	pods, services := &corev1.PodList{}, &corev1.ServiceList{}
	ExpectWithOffset(2, ls.Client(clusterName).List(ctx, pods)).To(Succeed())
	ExpectWithOffset(2, ls.Client(clusterName).List(ctx, services)).To(Succeed())
	for _, pod := range pods.Items {
		if address, err := netip.ParseAddr(pod.Status.PodIP); err == nil {
			book.pods[address] = pod.Namespace + "/" + workloadOfPod(&pod)
		}
	}
	for _, service := range services.Items {
		address, err := netip.ParseAddr(service.Spec.ClusterIP)
		if err != nil {
			continue
		}
		for _, port := range service.Spec.Ports {
			flow := netpol.Flow{Peer: "Service " + service.Namespace + "/" + service.Name, Port: fmt.Sprintf("TCP/%d", port.Port)}
			if service.Namespace == "default" && service.Name == "kubernetes" {
				flow = runtimeAPIServer
			}
			for _, pod := range pods.Items {
				if pod.Namespace == service.Namespace && len(service.Spec.Selector) > 0 && isSubset(service.Spec.Selector, pod.Labels) {
					flow = netpol.Flow{Peer: pod.Namespace + "/" + workloadOfPod(&pod), Port: "TCP/" + targetPort(&pod, port)}
				}
			}
			book.services[netip.AddrPortFrom(address, uint16(port.Port))] = flow
		}
	}
	return book
}

var runtimeAPIServer = netpol.Flow{Peer: netpol.Addresses("allow-to-runtime-apiserver"), Port: "TCP/6443"}

func isSubset(subset, of map[string]string) bool {
	for key, value := range subset {
		if of[key] != value {
			return false
		}
	}
	return true
}

func targetPort(pod *corev1.Pod, port corev1.ServicePort) string {
	for _, container := range pod.Spec.Containers {
		for _, containerPort := range container.Ports {
			if containerPort.Name != "" && containerPort.Name == port.TargetPort.StrVal {
				return strconv.Itoa(int(containerPort.ContainerPort))
			}
		}
	}
	return port.TargetPort.String()
}

// nameOf returns what an address and port stand for in a real landscape, as it is seen from a cluster.
func (b *addressBook) nameOf(address netip.Addr, port uint16, clusterName string) netpol.Flow {
	if flow, ok := b.services[netip.AddrPortFrom(address, port)]; ok {
		return flow
	}
	if name, ok := b.pods[address]; ok {
		return netpol.Flow{Peer: name, Port: fmt.Sprintf("TCP/%d", port)}
	}
	// Control planes have addresses 198.18.<cluster>.1, ingress gateways 198.18.<cluster>.2.
	bytes := address.As4()
	outside := netpol.Flow{Peer: netpol.Addresses("allow-to-public-networks"), Port: netpol.AnyPort}
	own, err := ls.Cluster(clusterName)
	ExpectWithOffset(2, err).NotTo(HaveOccurred())
	switch index := int(bytes[2]); {
	case bytes[3] == 1 && index == own.Index && port == 6443:
		return runtimeAPIServer
	case bytes[3] == 1 && index == cluster.IndexVirtualGarden && clusterName == cluster.NameRuntime && (port == 6443 || port == 443):
		return netpol.Flow{Peer: workloadVirtualAPIServer, Port: "TCP/443"}
	case bytes[3] == 1 && index == cluster.IndexVirtualGarden:
		return outside
	case bytes[3] == 2 && index == cluster.IndexRuntime && clusterName == cluster.NameRuntime:
		return netpol.Flow{Peer: workloadGardenGateway, Port: "TCP/9443"}
	case bytes[3] == 2 && index == cluster.IndexRuntime:
		return outside
	default:
		// What connects through a Service comes from the node, and so does the gateway. There is nothing there to connect to.
		return netpol.Flow{Peer: fromNode, Port: fmt.Sprintf("TCP/%d", port)}
	}
}

// fromNode is the peer of connections that come through a process of the landscape, which stands for more than one workload.
const fromNode = "the ingress gateway or a Service of the landscape"

// processesOf returns a process of each of the pods.
func processesOf(pods []corev1.Pod) []int {
	var pids []int
	wanted := map[string]bool{}
	for _, pod := range pods {
		wanted[pod.Status.PodIP] = true
	}
	for _, pid := range landscapeProcesses() {
		trie, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/fib_trie", pid))
		if err != nil {
			continue // It has ended.
		}
		for address := range wanted {
			// In a pod its own address is the only local one but for those of the loopback interface.
			if regexp.MustCompile(`\|-- ` + regexp.QuoteMeta(address) + `\n\s+/32 host LOCAL`).Match(trie) {
				pids = append(pids, pid)
				delete(wanted, address)
			}
		}
	}
	ExpectWithOffset(2, wanted).To(BeEmpty(), "addresses of pods without a process")
	return pids
}

// connection is a TCP connection of a process.
type connection struct {
	remote           netip.Addr
	remotePort, port uint16
	isIngress        bool
}

// connectionsOf returns the TCP connections in the network namespace of a process, those that have ended lately among them.
func connectionsOf(pid int) []connection {
	var (
		found     []connection
		listening []uint16
	)
	for _, file := range []string{"tcp", "tcp6"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, file))
		if err != nil {
			return nil // It has ended.
		}
		for line := range strings.Lines(string(data)) {
			fields := strings.Fields(line)
			if len(fields) < 4 || fields[0] == "sl" {
				continue
			}
			local, remote := parseSocket(fields[1]), parseSocket(fields[2])
			switch fields[3] {
			case stateListen:
				listening = append(listening, local.Port())
			case stateEstablished, stateTimeWait:
				if !remote.Addr().IsLoopback() {
					found = append(found, connection{remote: remote.Addr(), remotePort: remote.Port(), port: local.Port()})
				}
			}
		}
	}
	for i := range found {
		found[i].isIngress = slices.Contains(listening, found[i].port)
	}
	return found
}

// parseSocket reads an address of /proc/net/tcp: words of 32 bits in the order of the machine, and a port.
func parseSocket(text string) netip.AddrPort {
	addressText, portText, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(addressText)
	ExpectWithOffset(2, err).NotTo(HaveOccurred())
	for i := 0; i+4 <= len(raw); i += 4 {
		binary.BigEndian.PutUint32(raw[i:], binary.NativeEndian.Uint32(raw[i:]))
	}
	address, ok := netip.AddrFromSlice(raw)
	ExpectWithOffset(2, ok).To(BeTrue(), text)
	port, err := strconv.ParseUint(portText, 16, 16)
	ExpectWithOffset(2, err).NotTo(HaveOccurred())
	return netip.AddrPortFrom(address.Unmap(), uint16(port))
}
