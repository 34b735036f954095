// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package app_test

import (
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	extensionscmdwebhook "github.com/gardener/gardener/extensions/pkg/webhook/cmd"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	. "github.com/gardener/gardener-extension-otel-federation/cmd/gardener-extension-otel-federation/app"
)

var _ = Describe("Options", func() {
	Describe("class", func() {
		DescribeTable("should accept", func(argument string, expected extensionsv1alpha1.ExtensionClass) {
			Expect(ClassFor(argument)).To(Equal(expected))
		},
			Entry("garden", "--extension-classes=garden", extensionsv1alpha1.ExtensionClassGarden),
			Entry("seed", "--extension-classes=seed", extensionsv1alpha1.ExtensionClassSeed),
		)

		DescribeTable("should refuse", func(args ...string) {
			_, err := ClassFor(args...)
			Expect(err).To(MatchError(ContainSubstring(`--extension-classes must be either "garden" or "seed"`)))
		},
			Entry("none"),
			Entry("shoot", "--extension-classes=shoot"),
			Entry("both", "--extension-classes=garden,seed"),
		)
	})

	Describe("webhook", func() {
		BeforeEach(func() {
			GinkgoT().Setenv("WEBHOOK_CONFIG_NAMESPACE", "runtime-extension-foo")
		})

		It("should use the namespace of the extension by default", func() {
			Expect(WebhookServerFor()).To(Equal(&extensionscmdwebhook.ServerConfig{
				Mode: "service", Namespace: "runtime-extension-foo", OwnerNamespace: "runtime-extension-foo",
			}))
		})

		It("should use the arguments", func() {
			Expect(WebhookServerFor("--webhook-config-mode=url", "--webhook-config-url=foo:1", "--webhook-config-service-port=443", "--webhook-config-owner-namespace=bar")).To(Equal(&extensionscmdwebhook.ServerConfig{
				Mode: "url", URL: "foo:1", ServicePort: 443, Namespace: "runtime-extension-foo", OwnerNamespace: "bar",
			}))
		})
	})

	Describe("config", func() {
		write := func(content string) string {
			GinkgoHelper()
			path := filepath.Join(GinkgoT().TempDir(), "config.yaml")
			Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
			return path
		}

		It("should use the defaults without a file", func() {
			config, err := ConfigFor()
			Expect(err).NotTo(HaveOccurred())
			Expect(config.ClientConnection.QPS).To(Equal(float32(100)))
			Expect(config.HealthCheckConfig.SyncPeriod.Duration).To(Equal(30 * time.Second))
		})

		It("should read a file", func() {
			config, err := ConfigFor("--config=" + write(`
apiVersion: otel-federation.extensions.gardener.cloud/v1alpha1
kind: ControllerConfiguration
clientConnection:
  qps: 7
`))
			Expect(err).NotTo(HaveOccurred())
			Expect(config.ClientConnection.QPS).To(Equal(float32(7)))
			Expect(config.ClientConnection.Burst).To(Equal(int32(130)))
		})

		It("should name the file and what is wrong in it", func() {
			path := write("foo: bar")
			_, err := ConfigFor("--config=" + path)
			Expect(err).To(MatchError(And(ContainSubstring(path), ContainSubstring("apiVersion"))))
		})

		It("should fail if there is no such file", func() {
			_, err := ConfigFor("--config=/does/not/exist")
			Expect(err).To(MatchError(ContainSubstring("failed to read the file that --config names: open /does/not/exist")))
		})
	})
})
