// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/utils"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

// pollInterval is the time after which a change of what the Extension depends on is seen.
const pollInterval = 15 * time.Second

// dependencyPoller reports changes of the Istio objects and of the garden Prometheus that the Extension depends on. It polls,
// because a watch would fail as long as their kinds do not exist, and gardener-operator may deploy them after this extension.
type dependencyPoller struct {
	log      logr.Logger
	actuator *actuator
	events   chan event.GenericEvent
}

var _ manager.LeaderElectionRunnable = &dependencyPoller{}

// NeedLeaderElection implements LeaderElectionRunnable.
func (p *dependencyPoller) NeedLeaderElection() bool { return true }

// Start implements Runnable. The first observation counts as a change, as nobody knows what happened before.
func (p *dependencyPoller) Start(ctx context.Context) error {
	var last string

	wait.UntilWithContext(ctx, func(ctx context.Context) {
		current, err := p.observe(ctx)
		if err != nil {
			p.log.Error(err, "Failed to look for changes of the ingress and of the garden Prometheus")
			return
		}
		if current == last {
			return
		}

		select {
		case p.events <- event.GenericEvent{Object: &extensionsv1alpha1.Extension{}}:
			last = current
		case <-ctx.Done():
		}
	}, pollInterval)

	return nil
}

// observe returns a checksum over what the actuator uses of the objects.
func (p *dependencyPoller) observe(ctx context.Context) (string, error) {
	var (
		seen      []any
		namespace = v1beta1constants.GardenNamespace
	)

	gateway := &istionetworkingv1beta1.Gateway{}
	if _, err := p.actuator.get(ctx, namespace, gatewayName, gateway); err != nil {
		return "", err
	}
	seen = append(seen, gateway.Spec.Selector)

	for _, name := range []string{gatewayName, aggregateVirtualServiceName} {
		virtualService := &istionetworkingv1beta1.VirtualService{}
		if _, err := p.actuator.get(ctx, namespace, name, virtualService); err != nil {
			return "", err
		}
		seen = append(seen, virtualService.Spec.ExportTo, virtualService.Spec.Hosts)
	}

	prometheus := &monitoringv1.Prometheus{}
	exists, err := p.actuator.get(ctx, namespace, constants.GardenPrometheusName, prometheus)
	if err != nil {
		return "", err
	}
	if exists && !receiver.Enabled(prometheus, 0) {
		// It is touched until the webhook, which may not have been registered yet, has changed it.
		seen = append(seen, p.actuator.clock.Now())
	}
	seen = append(seen, prometheus.Annotations[constants.AnnotationOutOfOrderTimeWindow], prometheus.Spec.TSDB)
	replicas, err := p.actuator.receivingReplicas(ctx, namespace)
	if err != nil {
		return "", err
	}
	seen = append(seen, replicas.message)

	// What is pushed is stored under shadow names once no seed needs it under its own.
	extensions := &extensionsv1alpha1.ExtensionList{}
	if err := p.actuator.client.List(ctx, extensions, client.InNamespace(namespace)); err != nil {
		return "", fmt.Errorf("failed to list the Extensions in namespace %s: %w", namespace, err)
	}
	for i := range extensions.Items {
		if ex := &extensions.Items[i]; !receiver.IsGardenExtension(ex) {
			continue
		} else if pushing, err := pushingSeeds(ex); err == nil {
			seen = append(seen, len(pushing) == 0)
		}
	}

	return utils.ComputeChecksum(seen), nil
}
