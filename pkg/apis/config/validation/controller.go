// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"time"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
)

// ValidateControllerConfiguration validates the defaulted configuration file of the binary.
func ValidateControllerConfiguration(cfg *config.ControllerConfiguration, fldPath *field.Path) field.ErrorList {
	var allErrs field.ErrorList

	if connection := cfg.ClientConnection; connection != nil {
		connectionPath := fldPath.Child("clientConnection")

		if connection.QPS < 0 {
			allErrs = append(allErrs, field.Invalid(connectionPath.Child("qps"), connection.QPS, "must not be negative"))
		}

		if connection.Burst < 0 {
			allErrs = append(allErrs, field.Invalid(connectionPath.Child("burst"), connection.Burst, "must not be negative"))
		}
	}

	if healthCheck := cfg.HealthCheckConfig; healthCheck != nil {
		allErrs = append(allErrs, validateDuration(&healthCheck.SyncPeriod, time.Millisecond, time.Millisecond, fldPath.Child("healthCheckConfig", "syncPeriod"))...)
	}

	return allErrs
}
