// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package mapper

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1helper "github.com/gardener/gardener/pkg/api/extensions/v1alpha1/helper"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// Matches tells whether an Extension is of this type and of the given class.
func Matches(extension *extensionsv1alpha1.Extension, class extensionsv1alpha1.ExtensionClass) bool {
	return extension.Spec.Type == constants.ExtensionType &&
		extensionsv1alpha1helper.GetExtensionClassOrDefault(extension.Spec.Class) == class
}

// Find returns the Extension of this type and of the given class in the namespace `garden`, or nil if there is none. One that is
// not being deleted wins.
func Find(ctx context.Context, reader client.Reader, class extensionsv1alpha1.ExtensionClass) (*extensionsv1alpha1.Extension, error) {
	extensions := &extensionsv1alpha1.ExtensionList{}
	if err := reader.List(ctx, extensions, client.InNamespace(v1beta1constants.GardenNamespace)); err != nil {
		return nil, fmt.Errorf("failed to list the Extensions in namespace %s: %w", v1beta1constants.GardenNamespace, err)
	}

	var found *extensionsv1alpha1.Extension
	for _, extension := range extensions.Items {
		if Matches(&extension, class) && (found == nil || extension.DeletionTimestamp == nil) {
			found = &extension
		}
	}
	return found, nil
}
