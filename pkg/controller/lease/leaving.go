// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package lease

import (
	"time"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
)

// PushesToGarden tells whether the collector of an Extension of class seed pushes to the garden part of this extension, rather
// than to an endpoint that its providerConfig names. It is not known if the providerConfig cannot be decoded: such a one is not
// applied, and what an earlier one has deployed goes on.
func PushesToGarden(extension *extensionsv1alpha1.Extension) (pushes, known bool) {
	cfg, err := loader.DecodeSeedFederationConfig(extension.Spec.ProviderConfig)
	if err != nil {
		return false, false
	}
	return cfg.Garden == nil, true
}

// LeavingSince returns the value of the annotation by which the Lease tells that the seed of an Extension wants to stop pushing.
// It is empty if the Extension is not being deleted. As it is made of nothing but the Extension it survives restarts, and what
// was said and answered for an earlier Extension cannot be mistaken for what concerns this one.
func LeavingSince(extension *extensionsv1alpha1.Extension) string {
	if extension.DeletionTimestamp == nil {
		return ""
	}
	return extension.DeletionTimestamp.UTC().Format(time.RFC3339)
}
