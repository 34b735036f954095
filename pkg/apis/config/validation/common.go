// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package validation validates the configuration of this extension.
package validation

import (
	"fmt"
	"maps"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
)

// hidden stands in errors for values that may hold something secret.
const hidden = "(hidden)"

var (
	persistenceTypes = []config.PersistenceType{
		config.PersistenceTypePersistentVolume,
		config.PersistenceTypeEmptyDir,
		config.PersistenceTypeNone,
	}
	resourceNames = []corev1.ResourceName{
		corev1.ResourceCPU,
		corev1.ResourceMemory,
		corev1.ResourceEphemeralStorage,
	}
)

func validateQueue(queue *config.QueueConfiguration, fldPath *field.Path) field.ErrorList {
	var allErrs field.ErrorList

	if queue.Capacity == nil {
		allErrs = append(allErrs, field.Required(fldPath.Child("capacity"), "must be set"))
	} else if *queue.Capacity < 1 {
		allErrs = append(allErrs, field.Invalid(fldPath.Child("capacity"), *queue.Capacity, "must be at least 1"))
	}

	return append(allErrs, validatePersistence(&queue.Persistence, fldPath.Child("persistence"))...)
}

func validatePersistence(persistence *config.QueuePersistence, fldPath *field.Path) field.ErrorList {
	if !slices.Contains(persistenceTypes, persistence.Type) {
		return field.ErrorList{field.NotSupported(fldPath.Child("type"), persistence.Type, persistenceTypes)}
	}

	var (
		allErrs  field.ErrorList
		sizePath = fldPath.Child("size")
	)

	switch {
	case persistence.Type == config.PersistenceTypeNone:
		if persistence.Size != nil {
			allErrs = append(allErrs, field.Forbidden(sizePath, "must not be set for the type None"))
		}
	case persistence.Size == nil:
		allErrs = append(allErrs, field.Required(sizePath, "must be set for the type "+string(persistence.Type)))
	default:
		allErrs = append(allErrs, validateQuantity(*persistence.Size, sizePath)...)
	}

	if name := persistence.StorageClassName; name != nil {
		classPath := fldPath.Child("storageClassName")

		if persistence.Type != config.PersistenceTypePersistentVolume {
			allErrs = append(allErrs, field.Forbidden(classPath, "may be set for the type PersistentVolume only"))
		}

		for _, msg := range utilvalidation.IsDNS1123Subdomain(*name) {
			allErrs = append(allErrs, field.Invalid(classPath, *name, msg))
		}
	}

	return allErrs
}

// validateDuration requires a duration that is set, at least minimum and a multiple of unit.
func validateDuration(duration *metav1.Duration, minimum, unit time.Duration, fldPath *field.Path) field.ErrorList {
	if duration == nil {
		return field.ErrorList{field.Required(fldPath, "must be set")}
	}

	var allErrs field.ErrorList

	if duration.Duration < minimum {
		allErrs = append(allErrs, field.Invalid(fldPath, duration.Duration.String(), fmt.Sprintf("must be at least %s", minimum)))
	}

	if duration.Duration%unit != 0 {
		allErrs = append(allErrs, field.Invalid(fldPath, duration.Duration.String(), fmt.Sprintf("must be a multiple of %s", unit)))
	}

	return allErrs
}

func validateRange(value, minimum, maximum int32, fldPath *field.Path) field.ErrorList {
	if value < minimum || value > maximum {
		return field.ErrorList{field.Invalid(fldPath, value, fmt.Sprintf("must be between %d and %d", minimum, maximum))}
	}

	return nil
}

func validateQuantity(quantity resource.Quantity, fldPath *field.Path) field.ErrorList {
	if quantity.Sign() <= 0 {
		return field.ErrorList{field.Invalid(fldPath, quantity.String(), "must be more than zero")}
	}

	return nil
}

func validateResourceList(resources corev1.ResourceList, fldPath *field.Path) field.ErrorList {
	var allErrs field.ErrorList

	for _, name := range sortedNames(resources) {
		if !slices.Contains(resourceNames, name) {
			allErrs = append(allErrs, field.NotSupported(fldPath, name, resourceNames))
			continue
		}

		allErrs = append(allErrs, validateQuantity(resources[name], fldPath.Key(string(name)))...)
	}

	return allErrs
}

func sortedNames(resources corev1.ResourceList) []corev1.ResourceName {
	return slices.Sorted(maps.Keys(resources))
}
