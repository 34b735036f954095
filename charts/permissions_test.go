// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package charts_test

import (
	"fmt"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("Permissions", func() {
	It("should give the seed part these permissions", func() {
		objects := render(seedNamespace, seedValues())

		Expect(objects.permissions(seedNamespace, seed.name)).To(ConsistOf(
			"leases.coordination.k8s.io: create",
			"leases.coordination.k8s.io["+seed.name+"-leader-election]: get,update",
			"leases.coordination.k8s.io[gardener-extension-heartbeat]: get,patch",
			"events: create,patch",
		))
		Expect(objects.permissions(gardenNamespace, seed.name)).To(ConsistOf(
			"extensions.extensions.gardener.cloud: list,patch,watch",
			"extensions/status.extensions.gardener.cloud: patch,update",
			"events.events.k8s.io: create,patch",
			"namespaces[garden]: get",
			"managedresources.resources.gardener.cloud: create,list,watch",
			"managedresources.resources.gardener.cloud[otel-federation-seed]: delete,update",
			"opentelemetrycollectors.opentelemetry.io: list",
			"opentelemetrycollectors.opentelemetry.io[otel-federation-seed]: get",
			"statefulsets.apps: list",
			"pods: list",
			"pods[otel-federation-seed-collector-0]: delete",
			"persistentvolumeclaims: create,list",
			"persistentvolumeclaims[otel-federation-seed-queue]: delete,get,patch",
			"secrets: create,delete,get,update",
			"secrets[otel-federation]: list,watch",
		))
	})

	It("should give the garden part these permissions", func() {
		objects := render(runtimeNamespace, runtimeValues())

		// As many as the configuration allows replicas.
		var claims, pods []string
		for i := range 20 {
			pods = append(pods, fmt.Sprintf("otel-federation-garden-%d-collector-0", i))
			claims = append(claims, fmt.Sprintf("otel-federation-garden-%d-queue", i))
		}

		Expect(objects.permissions("", garden.name)).To(ConsistOf(
			"gardens.operator.gardener.cloud: list,watch",
			"mutatingwebhookconfigurations.admissionregistration.k8s.io: create",
			"mutatingwebhookconfigurations.admissionregistration.k8s.io["+garden.name+"]: get,patch",
		))
		Expect(objects.permissions(runtimeNamespace, garden.name)).To(ConsistOf(
			"leases.coordination.k8s.io: create",
			"leases.coordination.k8s.io["+garden.name+"-leader-election]: get,update",
			"leases.coordination.k8s.io[gardener-extension-heartbeat]: get,patch",
			"events: create,patch",
			"secrets: create,delete,get,list,patch",
			"namespaces["+runtimeNamespace+"]: get",
		))
		Expect(objects.permissions(gardenNamespace, garden.name)).To(ConsistOf(
			"extensions.extensions.gardener.cloud: get,list,patch,watch",
			"extensions/status.extensions.gardener.cloud: patch,update",
			"events.events.k8s.io: create,patch",
			"namespaces[garden]: get",
			"managedresources.resources.gardener.cloud: create,get,list,watch",
			"managedresources.resources.gardener.cloud[otel-federation-garden,otel-federation-garden-access]: delete,update",
			"opentelemetrycollectors.opentelemetry.io: list",
			"statefulsets.apps: list,watch",
			"pods: list",
			"pods["+strings.Join(pods, ",")+"]: delete",
			"persistentvolumeclaims: create,list",
			"persistentvolumeclaims["+strings.Join(claims, ",")+"]: delete,get,patch",
			"secrets: create,delete,get,list,patch,update,watch",
			"configmaps: create",
			"configmaps[otel-federation-issuer]: delete,get,list,update,watch",
			"pods[prometheus-garden-0,prometheus-garden-1]: get,patch",
			"scrapeconfigs.monitoring.coreos.com[garden-prometheus-aggregate,garden-prometheus-aggregate-ingress]: get,patch",
			"prometheusrules.monitoring.coreos.com: create",
			"prometheusrules.monitoring.coreos.com[garden-otel-federation-hand-over]: delete,get,patch",
			"prometheuses.monitoring.coreos.com[garden]: get,patch",
			"managedresources.resources.gardener.cloud[prometheus-garden]: patch",
			"gateways.networking.istio.io[virtual-garden-prometheus-garden,otel-federation-garden]: get",
			"virtualservices.networking.istio.io[virtual-garden-prometheus-garden,otel-federation-garden,prometheus-aggregate]: get",
		))
	})
})
