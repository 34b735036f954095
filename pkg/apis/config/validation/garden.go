// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"fmt"
	"slices"
	"time"

	metav1validation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
)

const (
	minReplicas      = 1
	maxReplicas      = 20
	minTokenValidity = 10 * time.Minute
	maxTokenValidity = 90 * 24 * time.Hour
	minRenewAfter    = time.Minute
)

var handOverModes = []config.HandOverMode{
	config.HandOverModeAutomatic,
	config.HandOverModeShadow,
	config.HandOverModePush,
}

// ValidateGardenFederationConfig validates the defaulted configuration of the garden.
func ValidateGardenFederationConfig(cfg *config.GardenFederationConfig, fldPath *field.Path) field.ErrorList {
	var allErrs field.ErrorList

	allErrs = append(allErrs, validateIngress(&cfg.Ingress, fldPath.Child("ingress"))...)

	if cfg.Replicas == nil {
		allErrs = append(allErrs, field.Required(fldPath.Child("replicas"), "must be set"))
	} else {
		allErrs = append(allErrs, validateRange(*cfg.Replicas, minReplicas, maxReplicas, fldPath.Child("replicas"))...)
	}

	allErrs = append(allErrs, validateResources(cfg.Resources, fldPath.Child("resources"))...)
	allErrs = append(allErrs, validateQueue(&cfg.Queue, fldPath.Child("queue"))...)
	allErrs = append(allErrs, validateToken(&cfg.Token, fldPath.Child("token"))...)
	allErrs = append(allErrs, validateDuration(cfg.OutOfOrderTimeWindow, time.Millisecond, time.Millisecond, fldPath.Child("outOfOrderTimeWindow"))...)
	allErrs = append(allErrs, validateHandOver(&cfg.HandOver, fldPath.Child("handOver"))...)
	allErrs = append(allErrs, metav1validation.ValidateLabelSelector(cfg.SeedSelector, metav1validation.LabelSelectorValidationOptions{}, fldPath.Child("seedSelector"))...)
	allErrs = append(allErrs, validateDeniedSeeds(cfg.DeniedSeeds, fldPath.Child("deniedSeeds"))...)

	return allErrs
}

func validateIngress(ingress *config.IngressConfiguration, fldPath *field.Path) field.ErrorList {
	prefixPath := fldPath.Child("hostPrefix")

	if ingress.HostPrefix == nil {
		return field.ErrorList{field.Required(prefixPath, "must be set")}
	}

	var allErrs field.ErrorList

	for _, msg := range utilvalidation.IsDNS1123Label(*ingress.HostPrefix) {
		allErrs = append(allErrs, field.Invalid(prefixPath, *ingress.HostPrefix, msg))
	}

	return allErrs
}

func validateToken(token *config.TokenConfiguration, fldPath *field.Path) field.ErrorList {
	var (
		allErrs        field.ErrorList
		validityPath   = fldPath.Child("validity")
		renewAfterPath = fldPath.Child("renewAfter")
	)

	// The times in a token are whole seconds.
	allErrs = append(allErrs, validateDuration(token.Validity, minTokenValidity, time.Second, validityPath)...)
	allErrs = append(allErrs, validateDuration(token.RenewAfter, minRenewAfter, time.Second, renewAfterPath)...)

	if token.Validity != nil && token.Validity.Duration > maxTokenValidity {
		allErrs = append(allErrs, field.Invalid(validityPath, token.Validity.Duration.String(), fmt.Sprintf("must be at most %s", maxTokenValidity)))
	}

	if token.Validity != nil && token.RenewAfter != nil && token.RenewAfter.Duration > token.Validity.Duration/2 {
		allErrs = append(allErrs, field.Invalid(renewAfterPath, token.RenewAfter.Duration.String(),
			fmt.Sprintf("must be at most half of the validity, which is %s", token.Validity.Duration)))
	}

	return allErrs
}

func validateHandOver(handOver *config.HandOverConfiguration, fldPath *field.Path) field.ErrorList {
	var allErrs field.ErrorList

	if !slices.Contains(handOverModes, handOver.Mode) {
		allErrs = append(allErrs, field.NotSupported(fldPath.Child("mode"), handOver.Mode, handOverModes))
	}

	allErrs = append(allErrs, validateDuration(handOver.FreshFor, time.Millisecond, time.Millisecond, fldPath.Child("freshFor"))...)
	allErrs = append(allErrs, validateDuration(handOver.ReturnAfter, time.Millisecond, time.Millisecond, fldPath.Child("returnAfter"))...)
	if handOver.FreshFor != nil && handOver.ReturnAfter != nil && handOver.FreshFor.Duration > 0 && handOver.FreshFor.Duration < handOver.ReturnAfter.Duration {
		allErrs = append(allErrs, field.Invalid(fldPath.Child("freshFor"), handOver.FreshFor.Duration.String(), "must not be less than returnAfter, because a collector that has just ended looks fresh for so long"))
	}

	return allErrs
}

func validateDeniedSeeds(names []string, fldPath *field.Path) field.ErrorList {
	var (
		allErrs field.ErrorList
		seen    = map[string]struct{}{}
	)

	for i, name := range names {
		if _, ok := seen[name]; ok {
			allErrs = append(allErrs, field.Duplicate(fldPath.Index(i), name))
			continue
		}

		seen[name] = struct{}{}

		for _, msg := range utilvalidation.IsDNS1123Label(name) {
			allErrs = append(allErrs, field.Invalid(fldPath.Index(i), name, msg))
		}
	}

	return allErrs
}
