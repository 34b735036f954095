// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"fmt"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/netpol"
)

// Why something is allowed that is not seen in a landscape.
const (
	becauseDNS       = "DNS is asked by UDP, which leaves no trace"
	becauseScrapers  = "Gardener's label is for all Prometheis of a seed, and prometheus-seed scrapes pods by their annotations; there is none here"
	becauseTLS       = "with Gardener's feature gate IstioTLSTermination the virtual garden is reached through its ingress gateway"
	becauseAnywhere  = "where the garden is seen from the seed: the pods have the same labels in every seed"
	becauseAPIServer = "the API server of the runtime cluster, whose address no policy can name, calls the webhook when a Prometheus is written"
	becauseExtension = "the extension is scraped less often than this looks"
)

// flow is what must be allowed. If because is set it need not be seen.
type flow struct {
	peer, port, because string
}

// flows are what a group of pods needs, in both directions. Nothing else may be allowed.
type flows struct {
	egress, ingress []flow
}

func dnsFlows() []flow {
	var list []flow
	for _, peer := range []string{workloadDNS, netpol.Addresses("allow-to-dns")} {
		for _, port := range []string{"UDP/53", "TCP/53", "UDP/8053", "TCP/8053"} {
			list = append(list, flow{peer, port, becauseDNS})
		}
	}
	return list
}

// neededFlows are the connections of docs/security.md.
var neededFlows = map[string]flows{
	"the deployment in the runtime cluster": {
		egress: append(dnsFlows(),
			flow{netpol.Addresses("allow-to-runtime-apiserver"), "TCP/6443", ""},
			flow{workloadVirtualAPIServer, "TCP/443", ""},
			flow{workloadGardenGateway, "TCP/9443", becauseTLS},
			flow{workloadSeedGateway, "TCP/9443", becauseTLS},
			flow{nsGarden + "/prometheus-garden", "TCP/9090", ""},
			flow{nsGarden + "/" + constants.GardenCollectorName, "TCP/8888", ""},
		),
		ingress: []flow{
			{netpol.Anywhere, "TCP/10250", becauseAPIServer},
			{nsGarden + "/prometheus-garden", "TCP/8080", becauseExtension},
		},
	},
	"the fan-out": {
		egress: append(dnsFlows(), flow{nsGarden + "/prometheus-garden", "TCP/9090", ""}),
		ingress: []flow{
			{workloadGardenGateway, "TCP/4318", ""},
			{nsGarden + "/prometheus-garden", "TCP/8888", ""},
			{gardener.NamespaceRuntimeExtension + "/" + gardener.GardenExtensionDeployment, "TCP/8888", ""},
		},
	},
	"the deployment of the seed that is the runtime cluster": {
		egress: append(append(dnsFlows(), seedDeploymentEgress...),
			flow{workloadVirtualAPIServer, "TCP/443", ""},
			flow{workloadGardenGateway, "TCP/9443", becauseAnywhere},
		),
		ingress: seedDeploymentIngress,
	},
	"the collector of the seed that is the runtime cluster": {
		egress: append(dnsFlows(),
			flow{nsGarden + "/prometheus-aggregate", "TCP/9090", ""},
			flow{workloadGardenGateway, "TCP/9443", ""},
			flow{workloadSeedGateway, "TCP/9443", becauseAnywhere},
			flow{netpol.Addresses("allow-to-public-networks"), netpol.AnyPort, becauseAnywhere},
			flow{netpol.Addresses("allow-to-private-networks"), netpol.AnyPort, becauseAnywhere},
		),
		ingress: seedCollectorIngress,
	},
	"the deployment of the other seed": {
		egress:  append(dnsFlows(), seedDeploymentEgress...),
		ingress: seedDeploymentIngress,
	},
	"the collector of the other seed": {
		egress: append(dnsFlows(),
			flow{nsGarden + "/prometheus-aggregate", "TCP/9090", ""},
			flow{workloadSeedGateway, "TCP/9443", becauseAnywhere},
			flow{netpol.Addresses("allow-to-public-networks"), netpol.AnyPort, ""},
			flow{netpol.Addresses("allow-to-private-networks"), netpol.AnyPort, becauseAnywhere},
		),
		ingress: seedCollectorIngress,
	},
}

// What is the same in every seed.
var (
	seedDeploymentEgress = []flow{
		{netpol.Addresses("allow-to-runtime-apiserver"), "TCP/6443", ""},
		{workloadSeedGateway, "TCP/9443", becauseAnywhere},
		{netpol.Addresses("allow-to-public-networks"), netpol.AnyPort, becauseAnywhere},
		{netpol.Addresses("allow-to-private-networks"), netpol.AnyPort, becauseAnywhere},
		{nsGarden + "/" + constants.SeedCollectorName, "TCP/8888", ""},
	}
	seedDeploymentIngress = []flow{
		{nsGarden + "/prometheus-aggregate", "TCP/8080", becauseExtension},
		{workloadSeedPrometheus, "TCP/8080", becauseScrapers},
	}
	seedCollectorIngress = []flow{
		{nsGarden + "/prometheus-aggregate", "TCP/8888", ""},
		{workloadSeedPrometheus, "TCP/8888", becauseScrapers},
		{gardener.NamespaceSeedExtension + "/" + gardener.SeedExtensionDeployment, "TCP/8888", ""},
	}
)

var _ = Describe("Network", func() {
	for _, group := range podGroups {
		Context("of "+group.name, func() {
			needed := neededFlows[group.name]

			It("should be allowed what it needs, by both sides, and nothing else", func(ctx SpecContext) {
				state, err := ls.Cluster(group.cluster)
				Expect(err).NotTo(HaveOccurred())
				evaluated := evaluatedCluster(ctx, *state)
				for _, own := range workloads(ctx, group) {
					egress, err := evaluated.Egress(own)
					Expect(err).NotTo(HaveOccurred())
					Expect(egress).To(ConsistOf(allowed(needed.egress)), "what %s may connect to", group.name)
					ingress, err := evaluated.Ingress(own)
					Expect(err).NotTo(HaveOccurred())
					Expect(ingress).To(ConsistOf(allowed(needed.ingress)), "what may connect to %s", group.name)

					for _, f := range needed.egress {
						expectOtherSide(evaluated.Pods, f.peer, evaluated.Ingress, netpol.Flow{Peer: own.String(), Port: f.port})
					}
					for _, f := range needed.ingress {
						expectOtherSide(evaluated.Pods, f.peer, evaluated.Egress, netpol.Flow{Peer: own.String(), Port: f.port})
					}
				}
			})
		})
	}

	It("should connect with nothing but what is allowed", func(ctx SpecContext) {
		// Everything that connects regularly does so several times meanwhile.
		for name, seen := range observeConnections(ctx, 15*time.Second) {
			needed := neededFlows[name]
			for _, f := range seen.egress {
				Expect(allowed(needed.egress)).To(ContainElement(f), "%s connects to", name)
			}
			for _, f := range seen.ingress {
				Expect(allowed(needed.ingress)).To(ContainElement(HaveField("Port", f.Port)), "something connects to %s", name)
			}
			Expect(unseen(needed.egress, seen.egress)).To(BeEmpty(), "what %s is allowed to connect to and does not", name)
			Expect(unseen(needed.ingress, seen.ingress)).To(BeEmpty(), "what is allowed to connect to %s and does not", name)
		}
	})

	It("should know the flows of all groups", func() {
		for _, group := range podGroups {
			Expect(neededFlows).To(HaveKey(group.name))
		}
		Expect(neededFlows).To(HaveLen(len(podGroups)))
		Expect([]string{cluster.NameRuntime, secondSeed}).To(ContainElement(podGroups[0].cluster))
	})
})

func allowed(list []flow) []netpol.Flow {
	var result []netpol.Flow
	for _, f := range list {
		result = append(result, netpol.Flow{Peer: f.peer, Port: f.port})
	}
	return result
}

// expectOtherSide checks that the other end of a flow is allowed as well, if it is a pod. DNS is outside of what Gardener isolates.
func expectOtherSide(pods []netpol.Pod, peer string, direction func(netpol.Pod) ([]netpol.Flow, error), want netpol.Flow) {
	i := slices.IndexFunc(pods, func(pod netpol.Pod) bool { return pod.String() == peer })
	if i < 0 {
		return
	}
	flows, err := direction(pods[i])
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	everything := []netpol.Flow{{Peer: netpol.Anywhere, Port: netpol.AnyPort}, {Peer: netpol.Anywhere, Port: want.Port}}
	ExpectWithOffset(1, flows).To(Or(ContainElement(want), ContainElement(everything[0]), ContainElement(everything[1])),
		fmt.Sprintf("%s does not allow a flow with %s", peer, want.Peer))
}

// unseen returns the flows that have not been seen, but for those that need not be. The ingress gateway of the landscape is a process of the
// node.
func unseen(list []flow, seen []netpol.Flow) []flow {
	return slices.DeleteFunc(slices.Clone(list), func(f flow) bool {
		return f.because != "" || slices.Contains(seen, netpol.Flow{Peer: f.peer, Port: f.port}) ||
			f.peer == workloadGardenGateway && slices.Contains(seen, netpol.Flow{Peer: fromNode, Port: f.port})
	})
}
