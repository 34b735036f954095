// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package loader_test

import (
	"strings"
	"testing"

	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
)

const (
	fuzzHeaderSeed   = `"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"SeedFederationConfig"`
	fuzzHeaderGarden = `"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"GardenFederationConfig"`
	fuzzHeaderStatus = `"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"GardenFederationStatus"`
)

// addMalformed adds what is wrong for any kind.
func addMalformed(f *testing.F, header string) {
	for _, raw := range []string{"", "{}", "null", "[]", "1", `"text"`, "{", "{" + header, "\x00", "a: &a [*a]", "{" + header + "}", "{" + header + `,"unknown":1}`} {
		f.Add([]byte(raw))
	}
}

// FuzzDecodeSeedFederationConfig checks that whatever is accepted as the providerConfig of a seed is complete and sends nothing in clear
// over the WAN.
func FuzzDecodeSeedFederationConfig(f *testing.F) {
	addMalformed(f, fuzzHeaderSeed)
	for _, fields := range []string{
		`"scrape":{"interval":"30s","timeout":"10s"}`,
		`"scrape":{"interval":"-1h"}`,
		`"scrape":{"interval":"9999999h"}`,
		`"selectors":["up","{__name__=~\"shoot:.+\"}","{a='\\x41',\"b.c\"!=\"\"}"]`,
		`"selectors":["{","}","{a=~\"(\"}","up[5m]","\\","{__name__=\"\u0000\"}"]`,
		`"garden":{"endpoint":"https://host:443","caBundle":"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----","tokenSecretRef":{"name":"token"}}`,
		`"garden":{"endpoint":"http://host","tokenSecretRef":{"name":"token"}}`,
		`"garden":{"endpoint":"http://otlp.garden.svc:4318","plainHTTP":true,"tokenSecretRef":{"name":"token"}}`,
		`"garden":{"endpoint":"http://otlp.garden.svc.example.com","plainHTTP":true,"tokenSecretRef":{"name":"token"}}`,
		`"garden":{"endpoint":"https://host","tokenSecretRef":{"name":"token"},"instance":"p-seed.x"}`,
		`"garden":{"endpoint":"https://[::1%25eth0]:0","tokenSecretRef":{"name":""}}`,
		`"compression":{"algorithm":"gzip","level":9}`,
		`"queue":{"capacity":1,"persistence":{"type":"EmptyDir","size":"1Ti"}}`,
		`"queue":{"capacity":9223372036854775808}`,
		`"resources":{"limits":{"memory":"1e100"},"requests":{"cpu":"-1"}}`,
		`"debugExporter":true`,
	} {
		f.Add([]byte("{" + fuzzHeaderSeed + "," + fields + "}"))
	}

	f.Fuzz(func(t *testing.T, raw []byte) {
		g := NewWithT(t)
		cfg, err := DecodeSeedFederationConfig(&runtime.RawExtension{Raw: raw})
		if err != nil {
			g.Expect(cfg).To(BeNil())
			return
		}
		g.Expect(cfg.Scrape.Interval.Duration).To(BeNumerically(">", 0))
		g.Expect(cfg.Scrape.Timeout.Duration).To(And(BeNumerically(">", 0), BeNumerically("<=", cfg.Scrape.Interval.Duration)))
		g.Expect(*cfg.Queue.Capacity).To(BeNumerically(">", 0))
		if cfg.Garden != nil {
			if cfg.Garden.PlainHTTP == nil || !*cfg.Garden.PlainHTTP {
				g.Expect(strings.ToLower(cfg.Garden.Endpoint)).To(HavePrefix("https://"))
			} else if endpoint := strings.ToLower(cfg.Garden.Endpoint); !strings.HasPrefix(endpoint, "https://") {
				g.Expect(endpoint).To(MatchRegexp(`^http://[a-z0-9.-]+\.svc(\.[a-z0-9.-]*cluster\.local)?(:[0-9]+)?$`))
			}
			g.Expect(cfg.Garden.TokenSecretRef.Name).NotTo(BeEmpty())
		}
		g.Expect(DecodeSeedFederationConfig(&runtime.RawExtension{Raw: raw})).To(BeComparableTo(cfg))
	})
}

// FuzzDecodeGardenFederationConfig checks that whatever is accepted as the providerConfig of the garden is complete.
func FuzzDecodeGardenFederationConfig(f *testing.F) {
	addMalformed(f, fuzzHeaderGarden)
	for _, fields := range []string{
		`"ingress":{"hostPrefix":"otlp"}`,
		`"ingress":{"hostPrefix":"*"}`,
		`"replicas":20`,
		`"replicas":-1`,
		`"token":{"validity":"168h","renewAfter":"24h"}`,
		`"token":{"validity":"1ns","renewAfter":"9999999h"}`,
		`"outOfOrderTimeWindow":"2h"`,
		`"handOver":{"mode":"Shadow"}`,
		`"deniedSeeds":["a","a","*","\u0000"]`,
		`"seedSelector":{"matchExpressions":[{"key":"a","operator":"In","values":[]}]}`,
		`"queue":{"capacity":1,"persistence":{"type":"None"}}`,
	} {
		f.Add([]byte("{" + fuzzHeaderGarden + "," + fields + "}"))
	}

	f.Fuzz(func(t *testing.T, raw []byte) {
		g := NewWithT(t)
		cfg, err := DecodeGardenFederationConfig(&runtime.RawExtension{Raw: raw})
		if err != nil {
			g.Expect(cfg).To(BeNil())
			return
		}
		g.Expect(*cfg.Replicas).To(And(BeNumerically(">=", 1), BeNumerically("<=", 20)))
		g.Expect(cfg.Token.RenewAfter.Duration).To(And(BeNumerically(">", 0), BeNumerically("<", cfg.Token.Validity.Duration)))
		g.Expect(DecodeGardenFederationConfig(&runtime.RawExtension{Raw: raw})).To(BeComparableTo(cfg))
	})
}

// FuzzDecodeControllerConfiguration checks that whatever is accepted as the file of the binary can be decoded again.
func FuzzDecodeControllerConfiguration(f *testing.F) {
	addMalformed(f, `"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"ControllerConfiguration"`)
	f.Add([]byte("apiVersion: otel-federation.extensions.gardener.cloud/v1alpha1\nkind: ControllerConfiguration\nhealthCheckConfig:\n  syncPeriod: 30s\nclientConnection:\n  qps: 100\n  burst: 130\n"))

	f.Fuzz(func(t *testing.T, data []byte) {
		g := NewWithT(t)
		cfg, err := DecodeControllerConfiguration(data)
		if err != nil {
			g.Expect(cfg).To(BeNil())
			return
		}
		g.Expect(DecodeControllerConfiguration(data)).To(BeComparableTo(cfg))
	})
}

// FuzzDecodeGardenFederationStatus checks that a status which was read can be written and read again without a change: whoever may write
// the status of an Extension must not be able to stop the hand-over by it for longer than until it is written the next time.
func FuzzDecodeGardenFederationStatus(f *testing.F) {
	addMalformed(f, fuzzHeaderStatus)
	for _, fields := range []string{
		`"seeds":[{"name":"a","state":"Push","since":"2026-01-01T00:00:00Z"}]`,
		`"seeds":[{"name":"a","state":"Unknown","since":"0000-00-00T00:00:00Z"}]`,
		`"signingKey":{"phase":"Preparing","initiationTime":"2026-01-01T00:00:00Z"}`,
		`"signingKey":null,"seeds":null`,
	} {
		f.Add([]byte("{" + fuzzHeaderStatus + "," + fields + "}"))
	}

	f.Fuzz(func(t *testing.T, raw []byte) {
		g := NewWithT(t)
		status, err := DecodeGardenFederationStatus(&runtime.RawExtension{Raw: raw})
		if err != nil {
			return
		}
		encoded, err := EncodeGardenFederationStatus(status)
		g.Expect(err).NotTo(HaveOccurred())
		again, err := DecodeGardenFederationStatus(encoded)
		g.Expect(err).NotTo(HaveOccurred())
		encodedAgain, err := EncodeGardenFederationStatus(again)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(encodedAgain.Raw).To(Equal(encoded.Raw))
	})
}
