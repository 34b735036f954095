// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	istionetworkingv1beta1 "istio.io/client-go/pkg/apis/networking/v1beta1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/utils"
)

// ingressPollInterval is the time after which a change of the ingress gateway or of the aggregate Prometheus' host is seen.
const ingressPollInterval = 15 * time.Second

// ingressPoller reports changes of the Istio objects that the Extension depends on. It polls, because a watch would fail as
// long as Istio's kinds do not exist, and gardener-operator may deploy them after this extension.
type ingressPoller struct {
	log      logr.Logger
	actuator *actuator
	events   chan event.GenericEvent
}

var _ manager.LeaderElectionRunnable = &ingressPoller{}

// NeedLeaderElection implements LeaderElectionRunnable.
func (p *ingressPoller) NeedLeaderElection() bool { return true }

// Start implements Runnable. The first observation counts as a change, as nobody knows what happened before.
func (p *ingressPoller) Start(ctx context.Context) error {
	var last string

	wait.UntilWithContext(ctx, func(ctx context.Context) {
		current, err := p.observe(ctx)
		if err != nil {
			p.log.Error(err, "Failed to look for changes of the ingress")
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
	}, ingressPollInterval)

	return nil
}

// observe returns a checksum over what the actuator uses of the objects.
func (p *ingressPoller) observe(ctx context.Context) (string, error) {
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

	return utils.ComputeChecksum(seen), nil
}
