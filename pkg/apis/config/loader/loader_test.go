// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package loader_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
)

const (
	seedMeta       = `"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"SeedFederationConfig"`
	gardenMeta     = `"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"GardenFederationConfig"`
	controllerMeta = "apiVersion: otel-federation.extensions.gardener.cloud/v1alpha1\nkind: ControllerConfiguration\n"
)

func raw(text string) *runtime.RawExtension {
	return &runtime.RawExtension{Raw: []byte(text)}
}

var _ = Describe("Loader", func() {
	DescribeTable("configuration without content",
		func(rawExtension *runtime.RawExtension) {
			seed, err := DecodeSeedFederationConfig(rawExtension)
			Expect(err).NotTo(HaveOccurred())
			Expect(seed.Scrape.Interval.Duration).To(Equal(time.Minute))
			Expect(seed.Selectors).To(BeEmpty())
			Expect(seed.Garden).To(BeNil())

			garden, err := DecodeGardenFederationConfig(rawExtension)
			Expect(err).NotTo(HaveOccurred())
			Expect(garden.Replicas).To(HaveValue(Equal(int32(2))))
		},
		Entry("nil", nil),
		Entry("empty extension", &runtime.RawExtension{}),
		Entry("blank", raw(" \n")),
		Entry("null", raw("null")),
		Entry("empty object", raw("{}")),
	)

	Describe("#DecodeSeedFederationConfig", func() {
		It("should decode and default", func() {
			cfg, err := DecodeSeedFederationConfig(raw(`{` + seedMeta + `,"scrape":{"interval":"30s"},"selectors":["up"],
"garden":{"endpoint":"https://a.example.com","tokenSecretRef":{"name":"token"}},"queue":{"persistence":{"size":"1Gi"}}}`))

			Expect(err).NotTo(HaveOccurred())
			Expect(cfg.Scrape.Interval.Duration).To(Equal(30 * time.Second))
			Expect(cfg.Scrape.Timeout.Duration).To(Equal(30 * time.Second))
			Expect(cfg.Selectors).To(ConsistOf("up"))
			Expect(cfg.Garden.TokenSecretRef.Name).To(Equal("token"))
			Expect(cfg.Queue.Persistence.Type).To(Equal(config.PersistenceTypePersistentVolume))
			Expect(cfg.Queue.Persistence.Size.String()).To(Equal("1Gi"))
			Expect(cfg.Queue.Capacity).To(HaveValue(Equal(int64(8400000))))
		})

		DescribeTable("errors",
			func(text, expected string) {
				cfg, err := DecodeSeedFederationConfig(raw(text))
				Expect(cfg).To(BeNil())
				Expect(err).To(MatchError(HavePrefix(expected)))
			},
			Entry("no object", `[]`, "spec.providerConfig: failed to decode: "),
			Entry("no JSON", `{`, "spec.providerConfig: failed to decode: "),
			Entry("no kind", `{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","scrape":{}}`,
				`spec.providerConfig.kind: Required value: must be "SeedFederationConfig"`),
			Entry("no version", `{"kind":"SeedFederationConfig"}`,
				`spec.providerConfig.apiVersion: Required value: must be "otel-federation.extensions.gardener.cloud/v1alpha1"`),
			Entry("unknown version", `{"apiVersion":"otel-federation.extensions.gardener.cloud/v1","kind":"SeedFederationConfig"}`,
				`spec.providerConfig.apiVersion: Unsupported value: "otel-federation.extensions.gardener.cloud/v1"`),
			Entry("internal version", `{"apiVersion":"otel-federation.extensions.gardener.cloud/__internal","kind":"SeedFederationConfig"}`,
				`spec.providerConfig.apiVersion: Unsupported value: `),
			Entry("wrong kind", `{`+gardenMeta+`}`,
				`spec.providerConfig.kind: Unsupported value: "GardenFederationConfig": supported values: "SeedFederationConfig"`),
			Entry("unknown field", `{`+seedMeta+`,"foo":1}`,
				`spec.providerConfig.foo: failed to decode: unknown field "foo"`),
			Entry("unknown nested field", `{`+seedMeta+`,"scrape":{"foo":"1m"}}`,
				`spec.providerConfig.scrape.foo: failed to decode: unknown field "scrape.foo"`),
			Entry("wrong case", `{`+seedMeta+`,"scrape":{"Interval":"1m"}}`,
				`spec.providerConfig.scrape.Interval: failed to decode: unknown field "scrape.Interval"`),
			Entry("duplicate field", `{`+seedMeta+`,"scrape":{"interval":"1m","interval":"2m"}}`,
				`spec.providerConfig.scrape.interval: failed to decode: duplicate field "scrape.interval"`),
			Entry("wrong type", `{`+seedMeta+`,"selectors":"up"}`,
				"spec.providerConfig.selectors: failed to decode: "),
			Entry("invalid duration", `{`+seedMeta+`,"scrape":{"timeout":"soon"}}`,
				"spec.providerConfig: failed to decode: "),
			Entry("invalid value", `{`+seedMeta+`,"scrape":{"timeout":"2m"}}`,
				`spec.providerConfig.scrape.timeout: Invalid value: "2m0s": must not be longer than the interval`),
		)

		It("should name all invalid fields in one error", func() {
			_, err := DecodeSeedFederationConfig(raw(`{` + seedMeta + `,"selectors":["{"],"queue":{"capacity":-1}}`))

			Expect(err).To(MatchError(And(
				ContainSubstring("spec.providerConfig.selectors[0]: Invalid value"),
				ContainSubstring("spec.providerConfig.queue.capacity: Invalid value"),
			)))
		})

		It("should name all unknown fields in one error", func() {
			_, err := DecodeSeedFederationConfig(raw(`{` + seedMeta + `,"foo":1,"bar":1}`))

			Expect(err).To(MatchError(And(ContainSubstring("spec.providerConfig.foo: "), ContainSubstring("spec.providerConfig.bar: "))))
		})
	})

	Describe("#DecodeGardenFederationConfig", func() {
		It("should decode and default", func() {
			cfg, err := DecodeGardenFederationConfig(raw(`{` + gardenMeta + `,"token":{"validity":"10m"},"deniedSeeds":["bad"]}`))

			Expect(err).NotTo(HaveOccurred())
			Expect(cfg.Token.Validity.Duration).To(Equal(10 * time.Minute))
			Expect(cfg.Token.RenewAfter.Duration).To(Equal(85 * time.Second))
			Expect(cfg.DeniedSeeds).To(ConsistOf("bad"))
			Expect(cfg.HandOver.Mode).To(Equal(config.HandOverModeAutomatic))
		})

		DescribeTable("errors",
			func(text, expected string) {
				cfg, err := DecodeGardenFederationConfig(raw(text))
				Expect(cfg).To(BeNil())
				Expect(err).To(MatchError(HavePrefix(expected)))
			},
			Entry("wrong kind", `{`+seedMeta+`}`, `spec.providerConfig.kind: Unsupported value: "SeedFederationConfig"`),
			Entry("unknown field", `{`+gardenMeta+`,"scrape":{}}`, `spec.providerConfig.scrape: failed to decode: unknown field "scrape"`),
			Entry("invalid value", `{`+gardenMeta+`,"replicas":21}`, "spec.providerConfig.replicas: Invalid value: 21: must be between 1 and 20"),
		)
	})

	Describe("#DecodeControllerConfiguration", func() {
		It("should return the defaults without content", func() {
			cfg, err := DecodeControllerConfiguration(nil)

			Expect(err).NotTo(HaveOccurred())
			Expect(cfg.HealthCheckConfig.SyncPeriod.Duration).To(Equal(30 * time.Second))
		})

		It("should decode YAML and default", func() {
			cfg, err := DecodeControllerConfiguration([]byte(controllerMeta + "healthCheckConfig:\n  syncPeriod: 1m\nclientConnection:\n  qps: 7\n"))

			Expect(err).NotTo(HaveOccurred())
			Expect(cfg.HealthCheckConfig.SyncPeriod.Duration).To(Equal(time.Minute))
			Expect(cfg.ClientConnection.QPS).To(Equal(float32(7)))
			Expect(cfg.ClientConnection.Burst).To(Equal(int32(130)))
		})

		DescribeTable("errors",
			func(text, expected string) {
				cfg, err := DecodeControllerConfiguration([]byte(text))
				Expect(cfg).To(BeNil())
				Expect(err).To(MatchError(HavePrefix(expected)))
			},
			Entry("no YAML", "a: b: c", "failed to decode: "),
			Entry("no kind", "healthCheckConfig: {}", "[apiVersion: Required value"),
			Entry("unknown field", controllerMeta+"foo: 1", `foo: failed to decode: unknown field "foo"`),
			Entry("duplicate field", controllerMeta+"clientConnection:\n  qps: 1\n  qps: 2", "failed to decode: "),
			Entry("invalid value", controllerMeta+"clientConnection:\n  qps: -1", "clientConnection.qps: Invalid value: -1"),
		)
	})
})
