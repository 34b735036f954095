// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
)

// replicas returns the numbers of the collectors to deploy: those that are wanted, and those that are not wanted any more but whose
// queue is not known to be empty. The latter receive nothing, because the Service does not select them.
func (g *gardenCollector) replicas(sets map[string]*appsv1.StatefulSet) []int32 {
	var replicas []int32
	for i := range g.values.Replicas {
		replicas = append(replicas, i)
	}
	for collectorName := range sets {
		i, err := strconv.ParseInt(strings.TrimPrefix(collectorName, name+"-"), 10, 32)
		if err == nil && int32(i) >= g.values.Replicas && !slices.Contains(g.values.DrainedCollectors, collectorName) {
			replicas = append(replicas, int32(i))
		}
	}
	slices.Sort(replicas)
	return replicas
}

// deleteAbandonedClaims deletes the volumes of collectors that have left: they are not deployed, and no StatefulSet is left of them.
func (g *gardenCollector) deleteAbandonedClaims(ctx context.Context, sets map[string]*appsv1.StatefulSet, collectors []*otelv1beta1.OpenTelemetryCollector) error {
	claims := &corev1.PersistentVolumeClaimList{}
	if err := g.client.List(ctx, claims, client.InNamespace(g.namespace), client.MatchingLabels{v1beta1constants.LabelApp: name}); err != nil {
		return fmt.Errorf("failed to list the PersistentVolumeClaims of the fan-out collector in namespace %s: %w", g.namespace, err)
	}
	for _, claim := range claims.Items {
		owner := claim.Labels[collector.LabelInstance]
		if owner == "" || sets[owner] != nil || claim.DeletionTimestamp != nil ||
			slices.ContainsFunc(collectors, func(obj *otelv1beta1.OpenTelemetryCollector) bool { return obj.Name == owner }) {
			continue
		}
		if err := client.IgnoreNotFound(g.client.Delete(ctx, &claim)); err != nil {
			return fmt.Errorf("failed to delete PersistentVolumeClaim %s/%s: %w", g.namespace, claim.Name, err)
		}
	}
	return nil
}
