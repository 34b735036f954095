// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package validation_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/validation"
)

var _ = Describe("#ValidateControllerConfiguration", func() {
	var cfg *config.ControllerConfiguration

	BeforeEach(func() {
		cfg = defaulted(&v1alpha1.ControllerConfiguration{}, &config.ControllerConfiguration{})
	})

	It("should accept the defaults", func() {
		Expect(ValidateControllerConfiguration(cfg, rootPath)).To(BeEmpty())
	})

	It("should refuse negative limits of the client", func() {
		cfg.ClientConnection.QPS, cfg.ClientConnection.Burst = -1, -1

		Expect(ValidateControllerConfiguration(cfg, rootPath)).To(all(
			failure(field.ErrorTypeInvalid, "clientConnection.qps", "must not be negative"),
			failure(field.ErrorTypeInvalid, "clientConnection.burst", "must not be negative"),
		))
	})

	It("should refuse a negative period of the health check", func() {
		cfg.HealthCheckConfig.SyncPeriod.Duration = -time.Second

		Expect(ValidateControllerConfiguration(cfg, rootPath)).To(all(
			failure(field.ErrorTypeInvalid, "healthCheckConfig.syncPeriod", "at least 1ms"),
		))
	})
})
