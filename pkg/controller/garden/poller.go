// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"
	"fmt"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/utils"

	"github.com/gardener/gardener-extension-otel-federation/imagevector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/compatibility"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

// observe returns a checksum over what the actuator uses of the Istio objects and of the garden Prometheus, and whether the cluster
// offers what federation relies on. gardener-operator may deploy all of that after this extension.
func (a *actuator) observe(ctx context.Context) (string, error) {
	var (
		seen      []any
		namespace = v1beta1constants.GardenNamespace
	)

	gateway := &istionetworkingv1beta1.Gateway{}
	if _, err := a.get(ctx, namespace, gatewayName, gateway); err != nil {
		return "", err
	}
	seen = append(seen, gateway.Spec.Selector)

	for _, name := range []string{gatewayName, aggregateVirtualServiceName} {
		virtualService := &istionetworkingv1beta1.VirtualService{}
		if _, err := a.get(ctx, namespace, name, virtualService); err != nil {
			return "", err
		}
		seen = append(seen, virtualService.Spec.ExportTo, virtualService.Spec.Hosts)
	}

	prometheus := &monitoringv1.Prometheus{}
	exists, err := a.get(ctx, namespace, constants.GardenPrometheusName, prometheus)
	if err != nil {
		return "", err
	}
	if exists && !receiver.Enabled(prometheus, 0) && compatibility.CheckPrometheus(prometheus) == nil {
		// It is touched until the webhook, which may not have been registered yet, has changed it.
		seen = append(seen, a.clock.Now())
	}
	seen = append(seen, prometheus.Annotations[constants.AnnotationOutOfOrderTimeWindow], prometheus.Spec.TSDB)
	replicas, err := a.receivingReplicas(ctx, namespace)
	if err != nil {
		return "", err
	}
	seen = append(seen, replicas.message)

	image, err := imagevector.FindImage(imagevector.ImageNameOpenTelemetryCollector)
	if err != nil {
		return "", fmt.Errorf("failed to find the image of the collector: %w", err)
	}
	problem, err := a.checkCompatibility(ctx, namespace, image)
	if err != nil {
		return "", err
	}
	seen = append(seen, problem)

	signingKeys, err := a.signingKeySecrets(ctx, namespace)
	if err != nil {
		return "", err
	}
	awayForLong, err := a.awayForLong(ctx, namespace)
	if err != nil {
		return "", err
	}
	seen = append(seen, signingKeys, awayForLong)

	// What is pushed is stored under shadow names once no seed needs it under its own.
	extensions := &extensionsv1alpha1.ExtensionList{}
	if err := a.client.List(ctx, extensions, client.InNamespace(namespace)); err != nil {
		return "", fmt.Errorf("failed to list the Extensions in namespace %s: %w", namespace, err)
	}
	for i := range extensions.Items {
		ex := &extensions.Items[i]
		if !receiver.IsGardenExtension(ex) {
			continue
		}
		if conditions.CompatibleIsOutdated(ex, ptr.Deref(problem, compatibility.Problem{}).Reason) {
			// What the last reconciliation saw has changed again since the last look.
			seen = append(seen, a.clock.Now())
		}
		if pushing, err := pushingSeeds(ex); err == nil {
			seen = append(seen, len(pushing) == 0, a.observeSigningKey(ex), caBundles(ex))
		}
	}

	return utils.ComputeChecksum(seen), nil
}
