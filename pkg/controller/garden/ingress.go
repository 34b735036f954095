// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"
	"fmt"
	"strings"

	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	// gatewayName is the name of Gateway and VirtualService of the garden Prometheus
	// (pkg/component/observability/monitoring/prometheus/istio_resources.go).
	gatewayName = operatorv1alpha1.VirtualGardenNamePrefix + "prometheus-garden"
	// aggregateVirtualServiceName is the name of the VirtualService of the aggregate Prometheus, from which gardener-operator
	// learns which seed is the runtime cluster (pkg/operator/controller/garden/garden/reconciler_reconcile.go).
	aggregateVirtualServiceName = "prometheus-aggregate"
)

// ingress tells how to expose the fan-out: on the same ingress gateway as the garden Prometheus, whose labels and namespace
// gardener-operator computes. If those of the garden Prometheus have vanished a fan-out that is exposed stays so, as the seeds would
// get 404, upon which a collector drops the samples. It is nil as long as neither is exposed.
func (a *actuator) ingress(ctx context.Context, namespace, host string, certificates *certificates) (*gardencollector.Ingress, error) {
	for _, name := range []string{gatewayName, constants.GardenCollectorName} {
		gateway, virtualService := &istionetworkingv1beta1.Gateway{}, &istionetworkingv1beta1.VirtualService{}
		if found, err := a.get(ctx, namespace, name, gateway); err != nil {
			return nil, err
		} else if !found {
			continue
		}
		if found, err := a.get(ctx, namespace, name, virtualService); err != nil {
			return nil, err
		} else if !found {
			continue
		}

		if n := len(virtualService.Spec.ExportTo); n != 1 {
			return nil, fmt.Errorf("VirtualService %s/%s must be exported to exactly one namespace, that of the ingress gateway, but it is exported to %d", namespace, name, n)
		}
		return &gardencollector.Ingress{
			Host:             host,
			GatewaySelector:  gateway.Spec.Selector,
			GatewayNamespace: virtualService.Spec.ExportTo[0],
			TLSSecretName:    certificates.server.Name,
			TLSSecretData:    certificates.server.Data,
		}, nil
	}
	return nil, nil
}

func (a *actuator) setIngressCondition(ctx context.Context, ex *extensionsv1alpha1.Extension, host string, ingress *gardencollector.Ingress, waitFor []string) error {
	if ingress == nil {
		return conditions.Set(ctx, a.client, a.clock, ex, conditions.TypeIngressReady, gardencorev1beta1.ConditionProgressing, conditions.ReasonGatewayMissing,
			fmt.Sprintf("The fan-out is not exposed yet: Gateway and VirtualService %s/%s of the garden Prometheus, whose ingress gateway it shares, do not exist.", ex.Namespace, gatewayName))
	}
	message := fmt.Sprintf("The fan-out is exposed as %s.", endpoint(host))
	if n := len(waitFor); n > 0 {
		message += fmt.Sprintf(" The old CA is kept until %d seeds trust the new one: %s.", n, strings.Join(waitFor[:min(n, namedSeeds)], ", "))
	}
	return conditions.Set(ctx, a.client, a.clock, ex, conditions.TypeIngressReady, gardencorev1beta1.ConditionTrue, conditions.ReasonExposed, message)
}

// aggregatePrometheusHost returns the host of the aggregate Prometheus in the runtime cluster, or nothing if the runtime cluster is not a seed.
func (a *actuator) aggregatePrometheusHost(ctx context.Context, namespace string) (string, error) {
	virtualService := &istionetworkingv1beta1.VirtualService{}
	if found, err := a.get(ctx, namespace, aggregateVirtualServiceName, virtualService); err != nil || !found || len(virtualService.Spec.Hosts) == 0 {
		return "", err
	}
	return virtualService.Spec.Hosts[0], nil
}

// get returns false if the object or its kind does not exist.
func (a *actuator) get(ctx context.Context, namespace, name string, obj client.Object) (bool, error) {
	err := a.reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, obj)
	if apierrors.IsNotFound(err) || meta.IsNoMatchError(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("failed to get %T %s/%s: %w", obj, namespace, name, err)
	}
	return true, nil
}
