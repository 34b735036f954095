// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"context"
	"fmt"
	"strings"
	"time"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	gardenprometheus "github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"
	monitoringutils "github.com/gardener/gardener/pkg/component/observability/monitoring/utils"
	"github.com/gardener/gardener/pkg/utils"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	ruleName = constants.ExtensionType + "-hand-over"
	// withheldRecord is the series by which the garden Prometheus itself tells how many targets are withheld.
	withheldRecord = "garden:otel_federation_withheld_targets:count"

	// annotationNudged is the annotation of the pods of the garden Prometheus that changes to make kubelet look at their volumes.
	annotationNudged = "otel-federation.extensions.gardener.cloud/nudged-at"

	// maxNudges is how often the garden Prometheus is nudged, in growing intervals. After that config-reloader looks by itself.
	maxNudges  = 6
	firstNudge = time.Second
)

// nudger lets changes of the ScrapeConfigs reach the garden Prometheus soon.
//
// prometheus-operator writes them to a Secret, kubelet brings it into the pod with its next regular look (about a minute), and
// config-reloader notices it: but its watch of the configuration file ends with the first change (kubelet replaces the file, while
// thanos pkg/reloader watches the one that was there), after which it looks every three minutes only. Four minutes are too long for
// a seed that does not push any more. The directories with rules are watched for good. So a rule of ours changes whenever the targets
// do, and a changed annotation of the pods makes kubelet look at once. Both are repeated until the replicas pull what they are to.
type nudger struct {
	count int
	next  time.Time
}

// nudge is given the targets that are withheld, and whether a replica still has to pull from a seed.
func (n *nudger) nudge(ctx context.Context, c client.Client, now time.Time, namespace string, withheld []string, awaited bool) error {
	if !awaited {
		n.count, n.next = 0, time.Time{}
	} else if n.count == 0 {
		n.count, n.next = 1, now.Add(firstNudge)
	} else if n.count <= maxNudges && !now.Before(n.next) {
		if err := annotatePods(ctx, c, now, namespace); err != nil {
			return err
		}
		n.next = now.Add(firstNudge << n.count)
		n.count++
	}

	if len(withheld) == 0 && !awaited {
		return deleteRule(ctx, c, namespace)
	}
	return n.deployRule(ctx, c, namespace, withheld)
}

// waits says whether the next nudge, or what the last one brings about, is to be expected soon.
func (n *nudger) waits() bool {
	return n.count > 0 && n.count <= maxNudges
}

// deployRule deploys a rule whose text differs for every set of targets and every nudge.
func (n *nudger) deployRule(ctx context.Context, c client.Client, namespace string, withheld []string) error {
	rule := &monitoringv1.PrometheusRule{ObjectMeta: ruleMeta(namespace)}
	if _, err := controllerutil.CreateOrPatch(ctx, c, rule, func() error {
		rule.Labels = utils.MergeStringMaps(rule.Labels, ruleMeta(namespace).Labels)
		rule.Spec.Groups = []monitoringv1.RuleGroup{{
			Name: ruleName,
			Rules: []monitoringv1.Rule{{
				Record: withheldRecord,
				// What follows the number is a comment in PromQL.
				Expr: intstr.FromString(fmt.Sprintf("vector(%d) # %s.%d", len(withheld), utils.ComputeSHA256Hex([]byte(strings.Join(withheld, "\n")))[:8], n.count)),
			}},
		}}
		return nil
	}); err != nil {
		return fmt.Errorf("failed to deploy PrometheusRule %s: %w", client.ObjectKeyFromObject(rule), err)
	}
	return nil
}

func ruleMeta(namespace string) metav1.ObjectMeta {
	return monitoringutils.ConfigObjectMeta(ruleName, namespace, gardenprometheus.Label)
}

func annotatePods(ctx context.Context, c client.Client, now time.Time, namespace string) error {
	for _, name := range PrometheusPods() {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, annotationNudged, now.UTC().Format(time.RFC3339Nano))
		if err := c.Patch(ctx, pod, client.RawPatch(types.MergePatchType, patch)); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("failed to annotate pod %s/%s: %w", namespace, name, err)
		}
	}
	return nil
}
