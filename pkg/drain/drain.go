// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package drain waits, before collectors are removed with their volumes, until what is in their queues has been delivered.
package drain

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/utils/retry"

	"github.com/gardener/gardener-extension-otel-federation/pkg/collectormetrics"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

var (
	// AttemptTimeout is for how long one attempt to delete waits. Together with what else a deletion waits for it is below the three minutes
	// that a reconciliation may take.
	AttemptTimeout = 10 * time.Second
	// Interval is how often it looks whether the queues are empty.
	Interval = time.Second
)

const (
	// Patience is for how long a deletion waits in all. A backlog of two hours is delivered within a few minutes once its receiver is up. One
	// that is not delivered after that time has no receiver, and nobody may have to help a deletion along.
	Patience = 10 * time.Minute
	// RequestTimeout limits the request to one collector.
	RequestTimeout = 3 * time.Second

	// looks is how often in a row nothing may be left: a pod that is being replaced is away for a moment, and what came in last may have
	// passed a look on its way.
	looks = 2
)

// Queues are the queues of the collectors of a component.
type Queues struct {
	// Client is the client for the cluster of the collectors. It may read from a cache.
	Client client.Client
	// Reader reads from that cluster without a cache.
	Reader client.Reader
	// Clock tells the time.
	Clock clock.Clock
	// HTTPClient is for the collectors.
	HTTPClient *http.Client
	// Component is the name of the ManagedResource of the collectors, and the value of their label `app`.
	Component string
	// Close, if it is set, sees to it that nothing comes in any more. It is called before each look, and returns an error until it is so.
	Close func(ctx context.Context) error
	// Hint is appended to the error while samples are left: what may keep them from being delivered.
	Hint string
}

// Wait waits until the queues are empty, in all for not more than Patience from the first time on that they were not. The error tells what
// is left and until when it waits. When the time is over it logs what is given up, and returns nil.
func (q *Queues) Wait(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	if exists, err := q.exists(ctx, ex.Namespace); err != nil || !exists {
		return err
	}

	var (
		obstacle error
		empty    int
		deadline = q.Clock.Now().Add(Patience)
	)
	since, waits := drainingSince(ex)
	if waits {
		if deadline = since.Add(Patience); !q.Clock.Now().Before(deadline) {
			q.giveUp(ctx, log, ex.Namespace, since)
			return nil
		}
	}

	err := retry.UntilTimeout(ctx, Interval, min(AttemptTimeout, deadline.Sub(q.Clock.Now())), func(ctx context.Context) (bool, error) {
		err := q.obstacle(ctx, ex.Namespace)
		if err == nil {
			empty++
			if empty == looks {
				return retry.Ok()
			}
			return retry.NotOk()
		}

		empty = 0
		// That the time is over in the middle of a request says less than the attempt before.
		if obstacle == nil || ctx.Err() == nil {
			obstacle = err
		}
		return retry.MinorError(err)
	})
	if err == nil {
		return nil
	}
	if obstacle == nil {
		obstacle = fmt.Errorf("the queues of %s have not been seen empty %d times in a row: %w", q.Component, looks, err)
	}
	if !waits {
		log.Info("Waiting until the queues are empty", "component", q.Component, "reason", obstacle.Error())
		if err := q.markDraining(ctx, ex, deadline.Add(-Patience)); err != nil {
			return err
		}
	}
	return fmt.Errorf("%w (the deletion goes on in any case at %s, and what is left then is lost)", obstacle, deadline.UTC().Format(time.RFC3339))
}

// exists returns false if the collectors are not there, or are being removed already.
func (q *Queues) exists(ctx context.Context, namespace string) (bool, error) {
	managedResource := &resourcesv1alpha1.ManagedResource{}
	err := q.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: q.Component}, managedResource)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("failed to get ManagedResource %s/%s: %w", namespace, q.Component, err)
	}
	return managedResource.DeletionTimestamp == nil, nil
}

// obstacle returns nil if nothing is left in the queues, else what is.
func (q *Queues) obstacle(ctx context.Context, namespace string) error {
	pods, err := q.pods(ctx, namespace)
	if err != nil {
		return err
	}
	// Without a pod there is nobody who could deliver what may be on a volume.
	if len(pods) == 0 {
		return nil
	}
	if q.Close != nil {
		if err := q.Close(ctx); err != nil {
			return fmt.Errorf("cannot empty the queues of %s while samples come in: %w", q.Component, err)
		}
	}

	left, unanswered := q.ask(ctx, pods)
	if unanswered != nil {
		return fmt.Errorf("cannot find out whether the queues of %s are empty, %s in those that answer: %w: does the collector run, and may the extension connect to it?",
			q.Component, left, unanswered)
	}
	if left.total() > 0 {
		return fmt.Errorf("the queues of %s are not empty yet, %s: %s", q.Component, left, q.Hint)
	}
	return nil
}

// giveUp says what is lost.
func (q *Queues) giveUp(ctx context.Context, log logr.Logger, namespace string, since time.Time) {
	log = log.WithValues("component", q.Component, "since", since)
	pods, err := q.pods(ctx, namespace)
	if err != nil {
		log.Error(err, "Not waiting any longer for queues to become empty, and cannot find out what is lost")
		return
	}
	left, unanswered := q.ask(ctx, pods)
	if unanswered != nil {
		log.Error(unanswered, "Not waiting any longer for queues to become empty: what is left is lost, and not all collectors tell how much that is", "samples", left.total(), "left", left.String())
		return
	}
	if left.total() > 0 {
		log.Info("Not waiting any longer for queues to become empty: what is left is lost", "samples", left.total(), "left", left.String())
	}
}

func (q *Queues) pods(ctx context.Context, namespace string) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	if err := q.Reader.List(ctx, list, client.InNamespace(namespace), client.MatchingLabels(collector.PodLabels(q.Component))); err != nil {
		return nil, fmt.Errorf("failed to list the pods of %s in namespace %s: %w", q.Component, namespace, err)
	}
	return list.Items, nil
}

// ask asks all collectors. The error is that of the first one that does not answer.
func (q *Queues) ask(ctx context.Context, pods []corev1.Pod) (remains, error) {
	var (
		left       = remains{}
		unanswered error
	)
	for i := range pods {
		samples, err := q.askPod(ctx, &pods[i])
		if err != nil && unanswered == nil {
			unanswered = err
		}
		if samples > 0 {
			left[pods[i].Name] = samples
		}
	}
	return left, unanswered
}

// askPod returns how many samples are left in the queues of a collector. One that has not started yet has not opened its queues, and takes
// them for empty.
func (q *Queues) askPod(ctx context.Context, pod *corev1.Pod) (float64, error) {
	if !slices.ContainsFunc(pod.Status.Conditions, func(condition corev1.PodCondition) bool {
		return condition.Type == corev1.PodReady && condition.Status == corev1.ConditionTrue
	}) {
		return 0, fmt.Errorf("pod %s/%s is not ready", pod.Namespace, pod.Name)
	}

	ctx, cancel := context.WithTimeout(ctx, RequestTimeout)
	defer cancel()
	metrics, err := collectormetrics.Read(ctx, q.HTTPClient, pod)
	if err != nil {
		return 0, err
	}

	samples, queues := 0.0, 0
	for _, exporter := range metrics.Exporters {
		if exporter.QueueCapacity > 0 {
			queues++
		}
		// A request that has left a queue in memory is not counted by its size. One request is one sample at least.
		samples += max(exporter.QueueSize, exporter.InFlight)
	}
	if queues == 0 {
		return 0, fmt.Errorf("the collector in pod %s/%s tells nothing of its queues", pod.Namespace, pod.Name)
	}
	return samples, nil
}

// remains are the numbers of samples that are left, by the names of the pods.
type remains map[string]float64

func (r remains) total() int64 {
	total := 0.0
	for _, samples := range r {
		total += samples
	}
	return int64(total)
}

// String returns how many samples are left, and where.
func (r remains) String() string {
	if len(r) == 0 {
		return "no samples are left"
	}
	return fmt.Sprintf("%d samples are left in pods %s", r.total(), strings.Join(slices.Sorted(maps.Keys(r)), ", "))
}

// drainingSince returns since when a deletion waits for the queues, and false if it has not begun to.
func drainingSince(ex *extensionsv1alpha1.Extension) (time.Time, bool) {
	since, err := time.Parse(time.RFC3339, ex.Annotations[constants.AnnotationDrainingSince])
	return since, err == nil
}

// markDraining notes since when a deletion waits, so that a restart does not let it begin anew.
func (q *Queues) markDraining(ctx context.Context, ex *extensionsv1alpha1.Extension, since time.Time) error {
	patch := client.MergeFrom(ex.DeepCopy())
	metav1.SetMetaDataAnnotation(&ex.ObjectMeta, constants.AnnotationDrainingSince, since.UTC().Format(time.RFC3339))
	if err := q.Client.Patch(ctx, ex, patch); err != nil {
		return fmt.Errorf("failed to annotate Extension %s with %s: %w", client.ObjectKeyFromObject(ex), constants.AnnotationDrainingSince, err)
	}
	return nil
}
