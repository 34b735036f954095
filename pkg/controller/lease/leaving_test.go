// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package lease_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/lease"
)

var _ = Describe("Leaving", func() {
	It("should say in UTC since when the seed leaves, or nothing", func() {
		extension := &extensionsv1alpha1.Extension{}
		Expect(LeavingSince(extension)).To(BeEmpty())
		extension.DeletionTimestamp = new(metav1.Date(2026, 1, 1, 1, 2, 3, 4, time.FixedZone("", 3600)))
		Expect(LeavingSince(extension)).To(Equal("2026-01-01T00:02:03Z"))
	})

	DescribeTable("#PushesToGarden", func(config string, expectPushes, expectKnown bool) {
		extension := &extensionsv1alpha1.Extension{}
		if config != "" {
			extension.Spec.ProviderConfig = &runtime.RawExtension{Raw: []byte(
				`{"apiVersion":"otel-federation.extensions.gardener.cloud/v1alpha1","kind":"SeedFederationConfig",` + config + `}`)}
		}
		pushes, known := PushesToGarden(extension)
		Expect(pushes).To(Equal(expectPushes))
		Expect(known).To(Equal(expectKnown))
	},
		Entry("without a providerConfig", "", true, true),
		Entry("with a providerConfig", `"debugExporter":true`, true, true),
		Entry("with an override", overrideConfig, false, true),
		Entry("with an unknown field", invalidConfig, false, false),
		Entry("with an invalid value", `"compression":{"algorithm":"lzma"}`, false, false),
	)
})
