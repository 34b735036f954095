// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector

import (
	"context"
	"fmt"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/pkg/utils"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
)

// annotationChecksum is on the pods. It tells which version of a collector they are of, and rolls them when the keys change: the
// collector does not notice that a mounted file changed.
const annotationChecksum = "checksum/collector"

// addChecksum annotates the pods of a collector with a checksum over all that they are made of.
func addChecksum(obj *otelv1beta1.OpenTelemetryCollector, jwks []byte) {
	obj.Spec.PodAnnotations = map[string]string{annotationChecksum: utils.ComputeChecksum([]any{obj.Spec, string(jwks)})}
}

// rollOneByOne holds those collectors back whose turn has not come, so that the seeds always find one that is ready. Nothing else
// would: each is a StatefulSet of its own. The operator leaves a collector alone that is not managed (`managementState`), so it
// runs on as it is until the change of a StatefulSet's status leads here again. If the first does not become ready with what
// is new, the others keep what works.
func (g *gardenCollector) rollOneByOne(ctx context.Context, collectors []*otelv1beta1.OpenTelemetryCollector) error {
	list := &appsv1.StatefulSetList{}
	if err := g.client.List(ctx, list, client.InNamespace(g.namespace), client.MatchingLabels(collector.PodLabels(name))); err != nil {
		return fmt.Errorf("failed to list the StatefulSets of the fan-out collector in namespace %s: %w", g.namespace, err)
	}
	existing := map[string]*appsv1.StatefulSet{}
	oneIsAway := false
	for i := range list.Items {
		set := &list.Items[i]
		existing[set.Name] = set
		oneIsAway = oneIsAway || !IsReady(set)
	}

	for _, obj := range collectors {
		set := existing[obj.Name+"-collector"]
		if set == nil || !IsReady(set) || set.Spec.Template.Annotations[annotationChecksum] == obj.Spec.PodAnnotations[annotationChecksum] {
			continue
		}
		if oneIsAway {
			obj.Spec.ManagementState = otelv1beta1.ManagementStateUnmanaged
		}
		oneIsAway = true
	}
	return nil
}

// IsReady says whether all pods of a StatefulSet are of its newest version, and ready.
func IsReady(set *appsv1.StatefulSet) bool {
	return set.Status.ObservedGeneration == set.Generation &&
		set.Status.UpdatedReplicas == set.Status.Replicas &&
		set.Status.ReadyReplicas == set.Status.Replicas &&
		set.Status.ReadyReplicas > 0
}
