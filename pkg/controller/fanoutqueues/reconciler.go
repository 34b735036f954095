// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package fanoutqueues

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/crashloop"
	"github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

const (
	pollInterval     = 5 * time.Second
	reconcileTimeout = time.Minute
)

// Reconciler decides which replicas of the garden Prometheus get new samples, and which collectors have delivered all that they have. It
// replaces the pods of collectors that crash again and again.
type Reconciler struct {
	// Client is the client for the runtime cluster. It may list Extensions from a cache.
	Client client.Client
	// Reader reads from the runtime cluster without a cache.
	Reader client.Reader
	// Clock tells the time.
	Clock clock.Clock
	// HTTPClient is for the replicas of the garden Prometheus.
	HTTPClient *http.Client
	// Namespace is the namespace of the garden Prometheus, of the fan-out and of the Extension.
	Namespace string
}

// Reconcile implements reconcile.Reconciler.
func (r *Reconciler) Reconcile(ctx context.Context, _ reconcile.Request) (reconcile.Result, error) {
	ctx, cancel := context.WithTimeout(ctx, reconcileTimeout)
	defer cancel()

	// What keeps a pod from being replaced must not keep replicas from being detached.
	pods := &crashloop.Replacer{Client: r.Client, Reader: r.Reader, Clock: r.Clock}
	if err := pods.Replace(ctx, logf.FromContext(ctx), r.Namespace, constants.GardenCollectorName); err != nil {
		logf.FromContext(ctx).Error(err, "Failed to replace pods of collectors that crash again and again")
	}

	list := &extensionsv1alpha1.ExtensionList{}
	if err := r.Client.List(ctx, list, client.InNamespace(r.Namespace)); err != nil {
		return reconcile.Result{}, fmt.Errorf("failed to list the Extensions in namespace %s: %w", r.Namespace, err)
	}
	for i := range list.Items {
		if ex := &list.Items[i]; receiver.IsGardenExtension(ex) && ex.DeletionTimestamp == nil {
			if err := r.round(ctx, logf.FromContext(ctx), ex); err != nil {
				return reconcile.Result{}, err
			}
		}
	}
	return reconcile.Result{RequeueAfter: pollInterval}, nil
}

func (r *Reconciler) round(ctx context.Context, log logr.Logger, ex *extensionsv1alpha1.Extension) error {
	status, err := loader.DecodeGardenFederationStatus(ex.Status.ProviderStatus)
	if err != nil {
		return fmt.Errorf("the state of the fan-out in Extension %s cannot be read: %w: remove status.providerStatus, then all replicas of the garden Prometheus get all samples", client.ObjectKeyFromObject(ex), err)
	}
	pods := &corev1.PodList{}
	if err := r.Reader.List(ctx, pods, client.InNamespace(r.Namespace), client.MatchingLabels(collector.PodLabels(constants.GardenCollectorName))); err != nil {
		return fmt.Errorf("failed to list the pods of the fan-out in namespace %s: %w", r.Namespace, err)
	}

	var (
		now    = r.Clock.Now()
		before = status.FanOut
		after  = &configv1alpha1.FanOutStatus{}
		queues = r.ask(ctx, log, now, pods.Items)
	)
	if before != nil {
		after.DetachedReplicas = before.DetachedReplicas
	}
	after.DetachedReplicas = detach(now, after.DetachedReplicas, queues, handover.PrometheusPods())
	after.DrainedCollectors = drained(pods.Items, queues, len(handover.PrometheusPods()))
	if len(after.DetachedReplicas) == 0 && len(after.DrainedCollectors) == 0 {
		after = nil
	}
	if apiequality.Semantic.DeepEqual(before, after) {
		return nil
	}

	log.Info("Changed what the fan-out is to do", "extension", client.ObjectKeyFromObject(ex), "before", before, "after", after)
	patch := client.MergeFrom(ex.DeepCopy())
	status.FanOut = after
	if ex.Status.ProviderStatus, err = loader.EncodeGardenFederationStatus(status); err != nil {
		return err
	}
	if err := r.Client.Status().Patch(ctx, ex, patch); err != nil {
		return fmt.Errorf("failed to write the state of the fan-out to status.providerStatus of Extension %s: %w", client.ObjectKeyFromObject(ex), err)
	}
	return nil
}

// ask asks the replicas of the garden Prometheus for the queues of the given pods. A replica that cannot be asked is left out: it is the
// reason for this controller, and no error of it.
func (r *Reconciler) ask(ctx context.Context, log logr.Logger, now time.Time, pods []corev1.Pod) map[queueKey]queue {
	var all []map[queueKey]queue
	for _, name := range handover.PrometheusPods() {
		url, _, err := handover.ReplicaURL(ctx, r.Reader, r.Namespace, name)
		if err == nil {
			var queues map[queueKey]queue
			if queues, err = askForQueues(ctx, r.HTTPClient, url, now); err == nil {
				all = append(all, queues)
				continue
			}
		}
		log.V(1).Info("A replica of the garden Prometheus does not answer", "pod", name, "reason", err.Error())
	}

	started := map[string]time.Time{}
	for i := range pods {
		started[pods[i].Name] = startedAt(&pods[i])
	}
	queues := merge(all...)
	for key, q := range queues {
		if since, exists := started[key.pod]; !exists || since.IsZero() || q.at.Before(since) {
			delete(queues, key)
		}
	}
	return queues
}

// startedAt returns since when the collector of a pod runs. What was known of a pod of the same name before says nothing.
func startedAt(pod *corev1.Pod) time.Time {
	for _, status := range pod.Status.ContainerStatuses {
		if status.Name == collector.ContainerName && status.State.Running != nil {
			return status.State.Running.StartedAt.Time
		}
	}
	return time.Time{}
}

// drained returns the names of the collectors that receive nothing any more and have delivered all that was in their queues.
func drained(pods []corev1.Pod, queues map[queueKey]queue, replicas int) []string {
	var names []string
	for _, pod := range pods {
		if pod.Labels[gardencollector.LabelReceives] != "false" || pod.DeletionTimestamp != nil {
			continue
		}
		empty := 0
		for key, q := range queues {
			if key.pod == pod.Name && q.size == 0 {
				empty++
			}
		}
		if empty == replicas {
			names = append(names, strings.TrimSuffix(pod.Name, "-collector-0"))
		}
	}
	return names
}
