// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package validation_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/validation"
)

var _ = Describe("#ValidateSeedFederationConfig", func() {
	var (
		cfg *config.SeedFederationConfig

		expectErrors = func(mutate func(), matcher gomegatypes.GomegaMatcher) {
			GinkgoHelper()
			mutate()
			Expect(ValidateSeedFederationConfig(cfg, rootPath)).To(matcher)
		}
	)

	BeforeEach(func() {
		cfg = defaulted(&v1alpha1.SeedFederationConfig{}, &config.SeedFederationConfig{})
	})

	It("should accept the defaults", func() {
		Expect(ValidateSeedFederationConfig(cfg, rootPath)).To(BeEmpty())
	})

	It("should accept a configuration with every field", func() {
		cfg.Scrape = config.ScrapeConfiguration{Interval: duration(time.Second), Timeout: duration(time.Second)}
		cfg.Selectors = []string{"up", `{__name__=~"seed:(.+):count"}`}
		cfg.AdditionalSelectors = []string{`up{job="gardenlet"}`}
		cfg.Garden = &config.GardenEndpoint{
			Endpoint:       "https://otel-federation.example.com:8443",
			CABundle:       new(certificatePEM() + "\n" + certificatePEM() + "\n"),
			TokenSecretRef: corev1.LocalObjectReference{Name: "token"},
			Instance:       new("p-seed.example.com"),
		}
		cfg.Compression = config.CompressionConfiguration{Algorithm: config.CompressionGzip, Level: new(int32(9))}
		cfg.Queue = config.QueueConfiguration{
			Capacity: new(int64(1)),
			Persistence: config.QueuePersistence{
				Type:             config.PersistenceTypePersistentVolume,
				Size:             quantity("1"),
				StorageClassName: new("fast.io"),
			},
		}
		cfg.Resources = &corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceEphemeralStorage: resource.MustParse("1Gi")},
			Limits:   corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("10m"), corev1.ResourceMemory: resource.MustParse("1Gi")},
		}

		Expect(ValidateSeedFederationConfig(cfg, rootPath)).To(BeEmpty())
	})

	DescribeTable("scrape", expectErrors,
		Entry("no interval", func() { cfg.Scrape.Interval = nil },
			all(failure(field.ErrorTypeRequired, "scrape.interval", ""))),
		Entry("no timeout", func() { cfg.Scrape.Timeout = nil },
			all(failure(field.ErrorTypeRequired, "scrape.timeout", ""))),
		Entry("interval too short", func() {
			cfg.Scrape.Interval, cfg.Scrape.Timeout = duration(999*time.Millisecond), duration(time.Millisecond)
		}, all(failure(field.ErrorTypeInvalid, "scrape.interval", "at least 1s"))),
		Entry("interval too long", func() { cfg.Scrape.Interval = duration(2*time.Minute + time.Millisecond) },
			all(failure(field.ErrorTypeInvalid, "scrape.interval", "at most 2m0s"))),
		Entry("longest interval", func() { cfg.Scrape.Interval = duration(2 * time.Minute) }, all()),
		Entry("fraction of a millisecond", func() { cfg.Scrape.Interval = duration(time.Minute + time.Microsecond) },
			all(failure(field.ErrorTypeInvalid, "scrape.interval", "multiple of 1ms"))),
		Entry("timeout zero", func() { cfg.Scrape.Timeout = duration(0) },
			all(failure(field.ErrorTypeInvalid, "scrape.timeout", "at least 1ms"))),
		Entry("timeout negative", func() { cfg.Scrape.Timeout = duration(-time.Second) },
			all(failure(field.ErrorTypeInvalid, "scrape.timeout", "at least 1ms"))),
		Entry("timeout longer than the interval", func() { cfg.Scrape.Timeout = duration(61 * time.Second) },
			all(failure(field.ErrorTypeInvalid, "scrape.timeout", "must not be longer than the interval, which is 1m0s"))),
	)

	DescribeTable("selectors", expectErrors,
		Entry("invalid selector", func() { cfg.Selectors = []string{"up", "{"} },
			all(failure(field.ErrorTypeInvalid, "selectors[1]", "must be a PromQL vector selector: the closing brace is missing"))),
		Entry("empty selector", func() { cfg.Selectors = []string{""} },
			all(failure(field.ErrorTypeInvalid, "selectors[0]", "it is empty"))),
		Entry("invalid additional selector", func() { cfg.AdditionalSelectors = []string{"{}"} },
			all(failure(field.ErrorTypeInvalid, "additionalSelectors[0]", "at least one matcher"))),
		Entry("duplicate", func() { cfg.Selectors = []string{"up", "up"} },
			all(failure(field.ErrorTypeDuplicate, "selectors[1]", ""))),
		Entry("duplicate in the other list", func() { cfg.Selectors, cfg.AdditionalSelectors = []string{"up"}, []string{"up"} },
			all(failure(field.ErrorTypeDuplicate, "additionalSelectors[0]", ""))),
	)

	Describe("garden", func() {
		BeforeEach(func() {
			cfg.Garden = &config.GardenEndpoint{
				Endpoint:       "https://otel-federation.example.com",
				TokenSecretRef: corev1.LocalObjectReference{Name: "token"},
			}
		})

		DescribeTable("valid endpoint",
			func(endpoint string) {
				cfg.Garden.Endpoint = endpoint
				Expect(ValidateSeedFederationConfig(cfg, rootPath)).To(BeEmpty())
			},
			Entry("host", "https://otel-federation.example.com"),
			Entry("port", "https://otel-federation.example.com:443"),
			Entry("IPv4", "https://192.0.2.1:443"),
			Entry("IPv6", "https://[2001:db8::1]:443"),
		)

		DescribeTable("invalid endpoint",
			func(endpoint string, errorType field.ErrorType, detail string) {
				cfg.Garden.Endpoint = endpoint
				errs := ValidateSeedFederationConfig(cfg, rootPath)
				Expect(errs).To(all(failure(errorType, "garden.endpoint", detail)))
				Expect(errs.ToAggregate().Error()).NotTo(ContainSubstring("s3cret"))
			},
			Entry("empty", "", field.ErrorTypeRequired, ""),
			Entry("no URL", "https://user:s3cret@a b", field.ErrorTypeInvalid, "must be a URL"),
			Entry("http", "http://a.example.com", field.ErrorTypeInvalid, "scheme https"),
			Entry("no host", "https://:443", field.ErrorTypeInvalid, "valid host name"),
			Entry("bad host", "https://a_b.example.com", field.ErrorTypeInvalid, "valid host name"),
			Entry("empty port", "https://a.example.com:", field.ErrorTypeInvalid, "valid port"),
			Entry("port zero", "https://a.example.com:0", field.ErrorTypeInvalid, "valid port"),
			Entry("port too high", "https://a.example.com:65536", field.ErrorTypeInvalid, "valid port"),
			Entry("slash", "https://a.example.com/", field.ErrorTypeInvalid, "must not have a path"),
			Entry("path", "https://a.example.com/v1/metrics", field.ErrorTypeInvalid, "must not have a path"),
			Entry("user", "https://user:s3cret@a.example.com", field.ErrorTypeInvalid, "must not have a user"),
			Entry("query", "https://a.example.com?a=s3cret", field.ErrorTypeInvalid, "must not have a query"),
			Entry("empty query", "https://a.example.com?", field.ErrorTypeInvalid, "must not have a query"),
			Entry("fragment", "https://a.example.com#s3cret", field.ErrorTypeInvalid, "must not have a fragment"),
			Entry("empty fragment", "https://a.example.com#", field.ErrorTypeInvalid, "must not have a fragment"),
		)

		DescribeTable("endpoint without TLS",
			func(endpoint string, plainHTTP *bool, details ...string) {
				cfg.Garden.Endpoint, cfg.Garden.PlainHTTP = endpoint, plainHTTP
				var matchers []gomegatypes.GomegaMatcher
				for _, detail := range details {
					matchers = append(matchers, failure(field.ErrorTypeInvalid, "garden.endpoint", detail))
				}
				Expect(ValidateSeedFederationConfig(cfg, rootPath)).To(all(matchers...))
			},
			Entry("Service", "http://otlp.garden.svc:4318", new(true)),
			Entry("Service with its domain", "http://otlp.garden.svc.cluster.local", new(true)),
			Entry("TLS nevertheless", "https://a.example.com", new(true)),
			Entry("Service, not wanted", "http://otlp.garden.svc", new(false), "scheme https"),
			Entry("Service, nothing said", "http://otlp.garden.svc", nil, "scheme https"),
			Entry("WAN", "http://a.example.com", new(true), "Service of the cluster"),
			Entry("address", "http://192.0.2.1", new(true), "Service of the cluster"),
			Entry("IPv6 address", "http://[2001:db8::1]", new(true), "Service of the cluster"),
			Entry("short name of a Service", "http://otlp", new(true), "Service of the cluster"),
			Entry("host that looks like a Service", "http://otlp.garden.svc.example.com", new(true), "Service of the cluster"),
			Entry("another scheme", "ftp://otlp.garden.svc", new(true), "scheme https"),
		)

		It("should refuse a CA bundle without TLS, which would verify nothing", func() {
			cfg.Garden.Endpoint, cfg.Garden.PlainHTTP, cfg.Garden.CABundle = "http://otlp.garden.svc", new(true), new(certificatePEM())
			Expect(ValidateSeedFederationConfig(cfg, rootPath)).To(all(failure(field.ErrorTypeForbidden, "garden.caBundle", "scheme http")))
		})

		It("should name every flaw of an endpoint without a scheme", func() {
			cfg.Garden.Endpoint = "otel-federation.example.com"

			Expect(ValidateSeedFederationConfig(cfg, rootPath)).To(all(
				failure(field.ErrorTypeInvalid, "garden.endpoint", "scheme https"),
				failure(field.ErrorTypeInvalid, "garden.endpoint", "valid host name"),
				failure(field.ErrorTypeInvalid, "garden.endpoint", "must not have a path"),
			))
		})

		DescribeTable("CA bundle",
			func(bundle func() string, detail string) {
				cfg.Garden.CABundle = new(bundle())
				errs := ValidateSeedFederationConfig(cfg, rootPath)
				Expect(errs).To(all(failure(field.ErrorTypeInvalid, "garden.caBundle", detail)))
				Expect(errs.ToAggregate().Error()).To(ContainSubstring("(hidden)"))
			},
			Entry("empty", func() string { return " \n" }, "at least one certificate"),
			Entry("no PEM", func() string { return "text" }, "what follows block 0 is none"),
			Entry("text after the certificate", func() string { return certificatePEM() + "text" }, "what follows block 1 is none"),
			Entry("private key", func() string { return certificatePEM() + pemBlock("PRIVATE KEY", []byte("key")) }, "block 2 is none"),
			Entry("broken certificate", func() string { return pemBlock("CERTIFICATE", []byte("text")) }, "block 1 cannot be parsed"),
		)

		DescribeTable("other fields", expectErrors,
			Entry("no name of the Secret", func() { cfg.Garden.TokenSecretRef.Name = "" },
				all(failure(field.ErrorTypeRequired, "garden.tokenSecretRef.name", ""))),
			Entry("invalid name of the Secret", func() { cfg.Garden.TokenSecretRef.Name = "A" },
				all(failure(field.ErrorTypeInvalid, "garden.tokenSecretRef.name", "RFC 1123 subdomain"))),
			Entry("blank instance", func() { cfg.Garden.Instance = new(" ") },
				all(failure(field.ErrorTypeInvalid, "garden.instance", "must not be blank"))),
		)
	})

	DescribeTable("compression",
		func(algorithm config.CompressionAlgorithm, level *int32, matcher gomegatypes.GomegaMatcher) {
			cfg.Compression = config.CompressionConfiguration{Algorithm: algorithm, Level: level}
			Expect(ValidateSeedFederationConfig(cfg, rootPath)).To(matcher)
		},
		Entry("zstd 1", config.CompressionZstd, new(int32(1)), BeEmpty()),
		Entry("zstd 11", config.CompressionZstd, new(int32(11)), BeEmpty()),
		Entry("gzip 1", config.CompressionGzip, new(int32(1)), BeEmpty()),
		Entry("snappy", config.CompressionSnappy, nil, BeEmpty()),
		Entry("none", config.CompressionNone, nil, BeEmpty()),
		Entry("zstd 0", config.CompressionZstd, new(int32(0)), all(failure(field.ErrorTypeInvalid, "compression.level", "between 1 and 11"))),
		Entry("zstd 12", config.CompressionZstd, new(int32(12)), all(failure(field.ErrorTypeInvalid, "compression.level", "between 1 and 11"))),
		Entry("gzip 10", config.CompressionGzip, new(int32(10)), all(failure(field.ErrorTypeInvalid, "compression.level", "between 1 and 9"))),
		Entry("snappy with level", config.CompressionSnappy, new(int32(1)), all(failure(field.ErrorTypeForbidden, "compression.level", "snappy"))),
		Entry("none with level", config.CompressionNone, new(int32(1)), all(failure(field.ErrorTypeForbidden, "compression.level", "none"))),
		Entry("unknown", config.CompressionAlgorithm("lz4"), new(int32(1)), all(failure(field.ErrorTypeNotSupported, "compression.algorithm", `"zstd"`))),
	)

	DescribeTable("queue", expectErrors,
		Entry("no capacity", func() { cfg.Queue.Capacity = nil },
			all(failure(field.ErrorTypeRequired, "queue.capacity", ""))),
		Entry("capacity zero", func() { cfg.Queue.Capacity = new(int64(0)) },
			all(failure(field.ErrorTypeInvalid, "queue.capacity", "at least 1"))),
		Entry("unknown type", func() { cfg.Queue.Persistence.Type = "HostPath" },
			all(failure(field.ErrorTypeNotSupported, "queue.persistence.type", `"EmptyDir"`))),
		Entry("no size", func() { cfg.Queue.Persistence.Size = nil },
			all(failure(field.ErrorTypeRequired, "queue.persistence.size", "PersistentVolume"))),
		Entry("size zero", func() { cfg.Queue.Persistence.Size = quantity("0") },
			all(failure(field.ErrorTypeInvalid, "queue.persistence.size", "more than zero"))),
		Entry("size negative, EmptyDir", func() {
			cfg.Queue.Persistence = config.QueuePersistence{Type: config.PersistenceTypeEmptyDir, Size: quantity("-1Gi")}
		}, all(failure(field.ErrorTypeInvalid, "queue.persistence.size", "more than zero"))),
		Entry("size without a volume", func() { cfg.Queue.Persistence.Type = config.PersistenceTypeNone },
			all(failure(field.ErrorTypeForbidden, "queue.persistence.size", "None"))),
		Entry("no volume", func() { cfg.Queue.Persistence = config.QueuePersistence{Type: config.PersistenceTypeNone} }, BeEmpty()),
		Entry("storage class of an EmptyDir", func() {
			cfg.Queue.Persistence.Type, cfg.Queue.Persistence.StorageClassName = config.PersistenceTypeEmptyDir, new("fast")
		}, all(failure(field.ErrorTypeForbidden, "queue.persistence.storageClassName", "PersistentVolume only"))),
		Entry("invalid storage class", func() { cfg.Queue.Persistence.StorageClassName = new("") },
			all(failure(field.ErrorTypeInvalid, "queue.persistence.storageClassName", "RFC 1123 subdomain"))),
	)

	DescribeTable("resources",
		func(resources corev1.ResourceRequirements, matcher gomegatypes.GomegaMatcher) {
			cfg.Resources = &resources
			Expect(ValidateSeedFederationConfig(cfg, rootPath)).To(matcher)
		},
		Entry("empty", corev1.ResourceRequirements{}, BeEmpty()),
		Entry("request zero", corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("0")}},
			all(failure(field.ErrorTypeInvalid, "resources.requests[cpu]", "more than zero"))),
		Entry("limit negative", corev1.ResourceRequirements{Limits: corev1.ResourceList{"memory": resource.MustParse("-1")}},
			all(failure(field.ErrorTypeInvalid, "resources.limits[memory]", "more than zero"))),
		Entry("unknown resource", corev1.ResourceRequirements{Limits: corev1.ResourceList{"gpu": resource.MustParse("1")}},
			all(failure(field.ErrorTypeNotSupported, "resources.limits", `"cpu"`))),
		Entry("request above limit", corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"cpu": resource.MustParse("2")},
			Limits:   corev1.ResourceList{"cpu": resource.MustParse("1")},
		}, all(failure(field.ErrorTypeInvalid, "resources.requests[cpu]", "must not be more than the limit, which is 1"))),
		Entry("claims", corev1.ResourceRequirements{Claims: []corev1.ResourceClaim{{Name: "a"}}},
			all(failure(field.ErrorTypeForbidden, "resources.claims", ""))),
	)
})

func certificatePEM() string {
	GinkgoHelper()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	Expect(err).NotTo(HaveOccurred())

	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	Expect(err).NotTo(HaveOccurred())

	return pemBlock("CERTIFICATE", der)
}

func pemBlock(blockType string, content []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: content}))
}
