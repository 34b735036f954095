// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package healthcheck says in a condition of the Extensions whether the collectors run, by Gardener's library for health checks.
package healthcheck

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	extensionsconfigv1alpha1 "github.com/gardener/gardener/extensions/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener/extensions/pkg/controller/healthcheck"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// DefaultAddOptions are the default options for AddToManager. The extension class must be set: without it the library looks for a Cluster,
// which neither class has.
var DefaultAddOptions = healthcheck.DefaultAddArgs{
	HealthCheckConfig: extensionsconfigv1alpha1.HealthCheckConfig{SyncPeriod: metav1.Duration{Duration: 30 * time.Second}},
}

// AddToManager adds the controller with the default options to the manager.
func AddToManager(ctx context.Context, mgr manager.Manager) error {
	return AddToManagerWithOptions(ctx, mgr, DefaultAddOptions)
}

// AddToManagerWithOptions adds the controller with the given options to the manager.
func AddToManagerWithOptions(_ context.Context, mgr manager.Manager, opts healthcheck.DefaultAddArgs) error {
	if len(opts.ExtensionClasses) != 1 {
		return fmt.Errorf("the health check controller needs one extension class, but the classes are %q", opts.ExtensionClasses)
	}
	component := constants.SeedCollectorName
	if opts.ExtensionClasses[0] == extensionsv1alpha1.ExtensionClassGarden {
		component = constants.GardenCollectorName
	}

	if err := healthcheck.DefaultRegistration(
		constants.ExtensionType,
		extensionsv1alpha1.SchemeGroupVersion.WithKind(extensionsv1alpha1.ExtensionResource),
		func() client.ObjectList { return &extensionsv1alpha1.ExtensionList{} },
		func() extensionsv1alpha1.Object { return &extensionsv1alpha1.Extension{} },
		mgr, opts, nil,
		[]healthcheck.ConditionTypeToHealthCheck{
			{ConditionType: string(conditions.TypeCollectorHealthy), HealthCheck: NewManagedResourceCheck(mgr.GetClient(), component)},
			{ConditionType: string(conditions.TypeCollectorHealthy), HealthCheck: NewCollectorCheck(mgr.GetAPIReader(), component)},
		},
		sets.New[gardencorev1beta1.ConditionType](),
	); err != nil {
		return fmt.Errorf("failed to add the health check controller: %w", err)
	}
	return nil
}
