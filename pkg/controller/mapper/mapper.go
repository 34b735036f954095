// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package mapper finds Extensions: those that depend on the objects that a controller watches, and the one that a controller
// works for.
package mapper

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
)

// ToExtensions maps every object to all Extensions of this type and of the given class in the namespace `garden`. Extensions
// that are being deleted are left out: they are not waiting for anything but their own deletion.
func ToExtensions(reader client.Reader, class extensionsv1alpha1.ExtensionClass) handler.MapFunc {
	return func(ctx context.Context, _ client.Object) []reconcile.Request {
		list := &extensionsv1alpha1.ExtensionList{}
		if err := reader.List(ctx, list, client.InNamespace(v1beta1constants.GardenNamespace)); err != nil {
			logf.FromContext(ctx).Error(err, "Failed to list Extensions")
			return nil
		}

		var requests []reconcile.Request
		for _, ex := range list.Items {
			if Matches(&ex, class) && ex.DeletionTimestamp == nil {
				requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&ex)})
			}
		}
		return requests
	}
}
