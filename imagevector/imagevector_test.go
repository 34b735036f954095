// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package imagevector_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/gardener/gardener-extension-otel-federation/imagevector"
)

var _ = Describe("#FindImage", func() {
	It("should find the collector", func() {
		Expect(FindImage(ImageNameOpenTelemetryCollector)).To(MatchRegexp(`^europe-docker\.pkg\.dev/gardener-project/releases/gardener/observability/opentelemetry-collector:v\d+\.\d+\.\d+$`))
	})

	It("should fail for an unknown image", func() {
		_, err := FindImage("foo")
		Expect(err).To(MatchError(ContainSubstring("foo")))
	})
})
