// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package install adds the configuration API to a scheme.
package install

import (
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
)

var schemeBuilder = runtime.NewSchemeBuilder(
	v1alpha1.AddToScheme,
	config.AddToScheme,
	setVersionPriority,
)

// AddToScheme adds all versions of the configuration API to the scheme.
var AddToScheme = schemeBuilder.AddToScheme

func setVersionPriority(scheme *runtime.Scheme) error {
	return scheme.SetVersionPriority(v1alpha1.SchemeGroupVersion)
}

// Install adds all versions of the configuration API to the scheme and panics if that fails.
func Install(scheme *runtime.Scheme) {
	utilruntime.Must(AddToScheme(scheme))
}
