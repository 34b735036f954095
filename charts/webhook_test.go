// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package charts_test

import (
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/intstr"

	extensionswebhook "github.com/gardener/gardener/extensions/pkg/webhook"
	"github.com/gardener/gardener/pkg/utils/gardener/operator"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

var _ = Describe("Webhook", func() {
	It("should have the names that Gardener's library gives it", func() {
		// The library takes the namespace for a hint that it runs in the runtime cluster. The name is that of the Service and of the
		// MutatingWebhookConfiguration.
		Expect(strings.HasPrefix(runtimeNamespace, operator.ExtensionRuntimeNamespacePrefix)).To(BeTrue())
		Expect(extensionswebhook.PrefixedName(constants.ExtensionType+extensionswebhook.NameSuffixRuntime, false)).To(Equal(garden.name))
	})

	It("should use the configured ports everywhere", func() {
		objects := render(runtimeNamespace, runtimeValues(), map[string]any{"webhookConfig": map[string]any{"serverPort": 9443, "servicePort": 8443}})

		container := objects.deployment(runtimeNamespace, garden.name).Spec.Template.Spec.Containers[0]
		Expect(container.Args).To(ContainElements("--webhook-config-server-port=9443", "--webhook-config-service-port=8443"))
		Expect(container.Ports).To(ContainElement(And(HaveField("Name", "webhook-server"), HaveField("ContainerPort", int32(9443)))))

		service := objects.service(runtimeNamespace, garden.name)
		Expect(service.Annotations).To(HaveKeyWithValue("networking.resources.gardener.cloud/from-world-to-ports", `[{"protocol":"TCP","port":9443}]`))
		Expect(service.Spec.Ports).To(ContainElement(And(HaveField("Port", int32(8443)), HaveField("TargetPort", intstr.FromInt32(9443)))))
	})

	It("should not be in the seed part, whatever the values", func() {
		Expect(render(seedNamespace, seedValues(), map[string]any{"webhookConfig": map[string]any{"serverPort": 9443, "servicePort": 8443}})).
			To(Equal(render(seedNamespace, seedValues())))
	})
})
