// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seed

import (
	"context"
	"fmt"

	logf "sigs.k8s.io/controller-runtime/pkg/log"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/imagevector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	"github.com/gardener/gardener-extension-otel-federation/pkg/compatibility"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/mapper"
	"github.com/gardener/gardener-extension-otel-federation/pkg/crashloop"
)

// checkCompatibility returns the worst problem of what the seed offers. Its reason is empty if there is none.
func (a *actuator) checkCompatibility(ctx context.Context, namespace string) (*compatibility.Problem, error) {
	image, err := imagevector.FindImage(imagevector.ImageNameOpenTelemetryCollector)
	if err != nil {
		return nil, fmt.Errorf("failed to find the image of the collector: %w", err)
	}
	if problem, err := compatibility.CheckCollectorKind(ctx, a.reader, namespace); problem != nil || err != nil {
		return problem, err
	}
	if problem := compatibility.CheckCollectorImage(image); problem != nil {
		return problem, nil
	}
	return &compatibility.Problem{}, nil
}

func (a *actuator) setCompatibleCondition(ctx context.Context, ex *extensionsv1alpha1.Extension) error {
	problem, err := a.checkCompatibility(ctx, ex.Namespace)
	if err != nil {
		return err
	}
	return conditions.SetCompatible(ctx, a.client, a.clock, ex, problem.Reason, problem.Message)
}

// observe returns what changes when the condition Compatible must change, as gardenlet installs the OpenTelemetry operator after this
// extension, or when credentials come that are not followed because somebody else issues them. It also looks after the pod, which nobody
// reports changes of.
func (a *actuator) observe(ctx context.Context) (string, error) {
	log := logf.FromContext(ctx).WithName(ControllerName)
	pods := &crashloop.Replacer{Client: a.client, Reader: a.reader, Clock: a.clock}
	if err := pods.Replace(ctx, log, v1beta1constants.GardenNamespace, constants.SeedCollectorName); err != nil {
		log.Error(err, "Failed to replace the pod of a collector that crashes again and again")
	}

	problem, err := a.checkCompatibility(ctx, v1beta1constants.GardenNamespace)
	if err != nil {
		return "", err
	}
	ex, err := mapper.Find(ctx, a.client, extensionsv1alpha1.ExtensionClassSeed)
	if err != nil || ex == nil {
		return problem.Reason, err
	}
	missing, err := a.missingCredentials(ctx, ex)
	if err != nil {
		return "", err
	}
	if conditions.CompatibleIsOutdated(ex, problem.Reason) {
		// What the last reconciliation saw has changed again since the last look.
		return problem.Reason + missing + a.clock.Now().String(), nil
	}
	return problem.Reason + missing, nil
}

// missingCredentials says why the collector cannot push yet, or is empty.
func (a *actuator) missingCredentials(ctx context.Context, ex *extensionsv1alpha1.Extension) (string, error) {
	// What is wrong with a configuration is said by the reconciliation, and correcting it is followed by one.
	if cfg, err := loader.DecodeSeedFederationConfig(ex.Spec.ProviderConfig); err == nil {
		_, _, problem, err := FindDestination(ctx, a.client, a.seedName, ex.Namespace, cfg.Garden)
		return problem, err
	}
	return "", nil
}
