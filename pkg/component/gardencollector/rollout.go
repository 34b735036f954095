// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector

import (
	"context"
	"fmt"
	"strings"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/pkg/utils"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
)

// annotationChecksum is on the pods. It tells which version of a collector they are of, and rolls them when the keys change: the
// collector does not notice that a mounted file changed.
const annotationChecksum = "checksum/collector"

// annotationUrgent is a checksum over what must be in force soon: whom the fan-out believes, and which replicas get samples.
const annotationUrgent = "checksum/urgent"

// addChecksums annotates the pods of a collector with a checksum over all that they are made of, and with one over what is urgent of it.
func addChecksums(obj *otelv1beta1.OpenTelemetryCollector, values Values) {
	obj.Spec.PodAnnotations = map[string]string{
		annotationChecksum: utils.ComputeChecksum([]any{obj.Spec, obj.Labels, string(values.JWKS)}),
		annotationUrgent:   utils.ComputeChecksum([]any{values.DeniedSeeds, values.DetachedReplicas, string(values.JWKS)}),
	}
}

// rollOneByOne holds those collectors back whose turn has not come, so that the seeds always find one that is ready. Nothing else
// would: each is a StatefulSet of its own. The operator leaves a collector alone that is not managed (`managementState`), so it
// runs on as it is until the change of a StatefulSet's status leads here again. If the first does not become ready with what
// is new, the others keep what works. But what is urgent does not wait for one that is away for long: a collector that waits for its node would
// else keep a seed from being denied, and a queue from being relieved.
func rollOneByOne(sets map[string]*appsv1.StatefulSet, collectors []*otelv1beta1.OpenTelemetryCollector, awayForLong bool) {
	oneIsAway := false
	for _, set := range sets {
		oneIsAway = oneIsAway || !collector.IsReady(set)
	}

	for _, obj := range collectors {
		set := sets[obj.Name]
		if set == nil || !collector.IsReady(set) || isCurrent(set, obj) {
			continue
		}
		if oneIsAway && !(awayForLong && isUrgent(set, obj)) {
			obj.Spec.ManagementState = otelv1beta1.ManagementStateUnmanaged
		}
		oneIsAway, awayForLong = true, false
	}
}

// IsRolledOut says whether all replicas are of the version that Deploy deploys, and ready.
func (g *gardenCollector) IsRolledOut(ctx context.Context) (bool, error) {
	sets, err := g.statefulSets(ctx)
	if err != nil {
		return false, err
	}
	for i := range g.values.Replicas {
		obj := g.openTelemetryCollector(i)
		if set := sets[obj.Name]; set == nil || !collector.IsReady(set) || !isCurrent(set, obj) {
			return false, nil
		}
	}
	return true, nil
}

// statefulSets returns the StatefulSets that the operator has made of the collectors, by the names of the latter.
func (g *gardenCollector) statefulSets(ctx context.Context) (map[string]*appsv1.StatefulSet, error) {
	list := &appsv1.StatefulSetList{}
	if err := g.client.List(ctx, list, client.InNamespace(g.namespace), client.MatchingLabels(collector.PodLabels(name))); err != nil {
		return nil, fmt.Errorf("failed to list the StatefulSets of the fan-out collector in namespace %s: %w", g.namespace, err)
	}
	sets := map[string]*appsv1.StatefulSet{}
	for i := range list.Items {
		sets[strings.TrimSuffix(list.Items[i].Name, "-collector")] = &list.Items[i]
	}
	return sets, nil
}

// isUrgent says whether a StatefulSet lacks what is urgent of a collector.
func isUrgent(set *appsv1.StatefulSet, obj *otelv1beta1.OpenTelemetryCollector) bool {
	return set.Spec.Template.Annotations[annotationUrgent] != obj.Spec.PodAnnotations[annotationUrgent]
}

// isCurrent says whether a StatefulSet is of the version of a collector.
func isCurrent(set *appsv1.StatefulSet, obj *otelv1beta1.OpenTelemetryCollector) bool {
	return set.Spec.Template.Annotations[annotationChecksum] == obj.Spec.PodAnnotations[annotationChecksum]
}
