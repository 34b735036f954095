// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	handovercontroller "github.com/gardener/gardener-extension-otel-federation/pkg/controller/handover"
)

// followQueues lets the fan-out do what its queues demand.
func followQueues(values *gardencollector.Values, ex *extensionsv1alpha1.Extension) {
	status := fanOutStatus(ex)
	for _, detached := range status.DetachedReplicas {
		values.DetachedReplicas = append(values.DetachedReplicas, detached.Name)
	}
	values.DrainedCollectors = status.DrainedCollectors
}

func prometheusHosts() []string {
	var hosts []string
	for _, name := range handovercontroller.PrometheusPods() {
		hosts = append(hosts, name+".prometheus-operated:9090")
	}
	return hosts
}

// fanOutStatus returns an empty status if there is none, or none that can be read: then all replicas of the garden Prometheus get all
// samples, and no collector leaves.
func fanOutStatus(ex *extensionsv1alpha1.Extension) configv1alpha1.FanOutStatus {
	status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
	if err != nil || status.FanOut == nil {
		return configv1alpha1.FanOutStatus{}
	}
	return *status.FanOut
}
