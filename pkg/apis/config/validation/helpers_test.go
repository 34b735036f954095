// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package validation_test

import (
	"time"

	. "github.com/onsi/gomega"
	. "github.com/onsi/gomega/gstruct"
	gomegatypes "github.com/onsi/gomega/types"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/install"
)

var rootPath = field.NewPath("spec", "providerConfig")

// defaulted converts the defaults of the versioned type to the internal type.
func defaulted[T runtime.Object](versioned runtime.Object, internal T) T {
	scheme := runtime.NewScheme()
	utilruntime.Must(install.AddToScheme(scheme))
	scheme.Default(versioned)
	utilruntime.Must(scheme.Convert(versioned, internal, nil))

	return internal
}

func duration(d time.Duration) *metav1.Duration {
	return &metav1.Duration{Duration: d}
}

func quantity(s string) *resource.Quantity {
	return new(resource.MustParse(s))
}

// failure matches an error of the given type at the given path below the root.
func failure(errorType field.ErrorType, path, detail string) gomegatypes.GomegaMatcher {
	return PointTo(MatchFields(IgnoreExtras, Fields{
		"Type":   Equal(errorType),
		"Field":  Equal("spec.providerConfig." + path),
		"Detail": ContainSubstring(detail),
	}))
}

func all(matchers ...gomegatypes.GomegaMatcher) gomegatypes.GomegaMatcher {
	return ConsistOf(matchers)
}
