// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden

import (
	"context"
	"fmt"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/imagevector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	handovercontroller "github.com/gardener/gardener-extension-otel-federation/pkg/controller/handover"
)

// urgentAfter is how long a collector of the fan-out may be away before what is urgent does not wait for it any more. One that is rolled takes less.
const urgentAfter = 2 * time.Minute

func newValues(cfg *config.GardenFederationConfig, jwks []byte, ingress *gardencollector.Ingress) (*gardencollector.Values, error) {
	image, err := imagevector.FindImage(imagevector.ImageNameOpenTelemetryCollector)
	if err != nil {
		return nil, fmt.Errorf("failed to find the image of the collector: %w", err)
	}

	return &gardencollector.Values{
		Image:           image,
		CheckQueueImage: os.Getenv(constants.EnvImage),
		Replicas:        *cfg.Replicas,
		Resources:       ptr.Deref(cfg.Resources, gardencollector.DefaultResources()),
		Queue:           collector.QueueFor(cfg.Queue),
		PrometheusHosts: prometheusHosts(),
		JWKS:            jwks,
		DeniedSeeds:     cfg.DeniedSeeds,
		Ingress:         ingress,
		DebugExporter:   ptr.Deref(cfg.DebugExporter, false),
		ReturnAfter:     cfg.HandOver.ReturnAfter.Duration,
		TokenValidity:   cfg.Token.Validity.Duration,
	}, nil
}

// followQueues lets the fan-out do what its queues demand.
func followQueues(values *gardencollector.Values, ex *extensionsv1alpha1.Extension) {
	status := fanOutStatus(ex)
	for _, detached := range status.DetachedReplicas {
		values.DetachedReplicas = append(values.DetachedReplicas, detached.Name)
	}
	values.DrainedCollectors = status.DrainedCollectors
}

// awayForLong says whether collectors of the fan-out are not ready, and each of these for so long that it is not just being rolled.
func (a *actuator) awayForLong(ctx context.Context, namespace string) (bool, error) {
	pods := &corev1.PodList{}
	if err := a.reader.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels(collector.PodLabels(constants.GardenCollectorName))); err != nil {
		return false, fmt.Errorf("failed to list the pods of the fan-out in namespace %s: %w", namespace, err)
	}
	isAway := false
	for _, pod := range pods.Items {
		since := pod.CreationTimestamp.Time
		for _, condition := range pod.Status.Conditions {
			if condition.Type == corev1.PodReady {
				since = condition.LastTransitionTime.Time
				if condition.Status == corev1.ConditionTrue {
					since = time.Time{}
				}
			}
		}
		if since.IsZero() {
			continue
		}
		if isAway = true; a.clock.Since(since) < urgentAfter {
			return false, nil
		}
	}
	return isAway, nil
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
