// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/compatibility"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// checkCompatibility returns the worst problem of what the runtime cluster offers, or nil.
func (a *actuator) checkCompatibility(ctx context.Context, namespace, image string) (*compatibility.Problem, error) {
	if problem, err := compatibility.CheckCollectorKind(ctx, a.reader, namespace); problem != nil || err != nil {
		return problem, err
	}
	if problem := compatibility.CheckCollectorImage(image); problem != nil {
		return problem, nil
	}

	prometheus := &monitoringv1.Prometheus{}
	if exists, err := a.get(ctx, namespace, constants.GardenPrometheusName, prometheus); err != nil || !exists {
		return nil, err
	}
	return compatibility.CheckPrometheus(prometheus), nil
}

func (a *actuator) setCompatibleCondition(ctx context.Context, ex *extensionsv1alpha1.Extension, image string) error {
	problem, err := a.checkCompatibility(ctx, ex.Namespace, image)
	if err != nil {
		return err
	}
	if problem == nil {
		problem = &compatibility.Problem{}
	}
	return conditions.SetCompatible(ctx, a.client, a.clock, ex, problem.Reason, problem.Message)
}
