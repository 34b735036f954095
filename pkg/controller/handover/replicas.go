// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

const (
	// prometheusReplicas is the number of replicas of the garden Prometheus that gardener-operator deploys
	// (pkg/operator/controller/garden/garden/components.go, newPrometheusGarden).
	prometheusReplicas = 2
	prometheusPort     = 9090
)

// PrometheusPods returns the names of the pods of the garden Prometheus.
func PrometheusPods() []string {
	names := make([]string, 0, prometheusReplicas)
	for i := range prometheusReplicas {
		names = append(names, fmt.Sprintf("prometheus-%s-%d", constants.GardenPrometheusName, i))
	}
	return names
}

// ask asks the replicas of the garden Prometheus, by their pods, as a Service would lead to any of them. A replica that cannot be
// asked is left out: that it does not answer is known from the states of the seeds, and no error of this controller.
func (r *Reconciler) ask(ctx context.Context, log logr.Logger, now time.Time) map[string]*handover.Observation {
	var (
		group        errgroup.Group
		names        = PrometheusPods()
		observations = make([]*handover.Observation, len(names))
	)
	for i, name := range names {
		group.Go(func() error {
			observation, err := r.askPod(ctx, name, now)
			if err != nil {
				log.Info("A replica of the garden Prometheus does not answer", "pod", name, "reason", err.Error())
				return nil
			}
			observations[i] = observation
			return nil
		})
	}
	_ = group.Wait()

	byName := map[string]*handover.Observation{}
	for i, name := range names {
		byName[name] = observations[i]
	}
	return byName
}

func (r *Reconciler) askPod(ctx context.Context, name string, now time.Time) (*handover.Observation, error) {
	url, identity, err := ReplicaURL(ctx, r.Reader, r.Namespace, name)
	if err != nil {
		return nil, err
	}
	return handover.Ask(ctx, r.HTTPClient, url, identity, now, r.config.FreshFor.Duration)
}

// ReplicaURL returns the URL of a replica of the garden Prometheus, given the name of its pod, and what changes when the pod becomes
// another one or has been away. It returns an error if the pod does not exist or is not ready.
func ReplicaURL(ctx context.Context, reader client.Reader, namespace, name string) (string, string, error) {
	pod := &corev1.Pod{}
	if err := reader.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, pod); err != nil {
		return "", "", fmt.Errorf("failed to get the pod: %w", err)
	}
	for _, condition := range pod.Status.Conditions {
		if condition.Type != corev1.PodReady || condition.Status != corev1.ConditionTrue || pod.Status.PodIP == "" {
			continue
		}
		url := "http://" + net.JoinHostPort(pod.Status.PodIP, strconv.Itoa(prometheusPort))
		identity := string(pod.UID) + "/" + condition.LastTransitionTime.UTC().Format(time.RFC3339)
		return url, identity, nil
	}
	return "", "", fmt.Errorf("the pod is not ready")
}

// pushes says whether samples of a seed arrive by push in all replicas that answer.
func (r *Reconciler) pushes(now time.Time, s *seed) bool {
	series := handover.Series{Way: handover.Push, Seed: s.name, Instance: s.pushedInstance()}
	return r.tracker.Freshness(now, series, r.config.ReturnAfter.Duration).InKnown
}

// awaited says whether a replica has not yet pulled from a seed whose target is back.
func (r *Reconciler) awaited(states []configv1alpha1.SeedFederationStatus) bool {
	for _, s := range states {
		if s.State == configv1alpha1.SeedFederationStateReturning && !r.tracker.PulledSince(s.Instance, s.Since.Time) {
			return true
		}
	}
	return false
}
