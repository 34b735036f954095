// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package fanoutqueues

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	prometheusv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	// detachAt and attachBelow are shares of a queue's capacity. What is between detachAt and 1 is for the time until both collectors
	// have got the new configuration: 24 minutes if the whole queue is for two hours.
	detachAt    = 0.8
	attachBelow = 0.5

	// lookback is how far back the metrics of a collector are searched. It must be more than the scrape interval of the garden Prometheus.
	lookback = 3 * time.Minute
)

// queueKey is a queue of the fan-out: that of a collector's pod in front of a replica of the garden Prometheus.
type queueKey struct {
	pod, replica string
}

// queue is how full a queue was.
type queue struct {
	at             time.Time
	size, capacity float64
}

// askForQueues asks a replica of the garden Prometheus for the newest that it knows of all queues.
func askForQueues(ctx context.Context, httpClient *http.Client, url string, now time.Time) (map[queueKey]queue, error) {
	client, err := api.NewClient(api.Config{Address: url, Client: httpClient})
	if err != nil {
		return nil, fmt.Errorf("failed to create a client for the garden Prometheus at %s: %w", url, err)
	}

	queues := map[queueKey]queue{}
	for _, metric := range []string{"otelcol_exporter_queue_size", "otelcol_exporter_queue_capacity"} {
		query := fmt.Sprintf("%s{job=%q}[%s]", metric, constants.GardenCollectorName, model.Duration(lookback))
		value, _, err := prometheusv1.NewAPI(client).Query(ctx, query, now)
		if err != nil {
			return nil, fmt.Errorf("failed to query the garden Prometheus at %s: %w", url, err)
		}
		matrix, ok := value.(model.Matrix)
		if !ok {
			return nil, fmt.Errorf("the garden Prometheus at %s answers query %s by a %s, not a matrix", url, query, value.Type())
		}
		newest := map[queueKey]model.Time{}
		for _, stream := range matrix {
			replica, isReplica := strings.CutPrefix(string(stream.Metric["exporter"]), gardencollector.ExporterPrefix)
			if !isReplica || len(stream.Values) == 0 {
				continue
			}
			var (
				key  = queueKey{pod: string(stream.Metric["pod"]), replica: replica}
				q    = queues[key]
				last = stream.Values[len(stream.Values)-1]
			)
			// A pod that has been replaced has an earlier series with another address.
			if seen, ok := newest[key]; ok && !last.Timestamp.After(seen) {
				continue
			}
			newest[key] = last.Timestamp
			if metric == "otelcol_exporter_queue_size" {
				q.size, q.at = float64(last.Value), last.Timestamp.Time()
			} else {
				q.capacity = float64(last.Value)
			}
			queues[key] = q
		}
	}
	return queues, nil
}

// merge keeps the newest of what the replicas know.
func merge(all ...map[queueKey]queue) map[queueKey]queue {
	merged := map[queueKey]queue{}
	for _, queues := range all {
		for key, q := range queues {
			if q.at.After(merged[key].at) {
				merged[key] = q
			}
		}
	}
	return merged
}

// detach returns which replicas of the garden Prometheus are to be detached, given those that are. All at once never are: then nobody
// would want the samples, and the seeds keep them better. A replica of which nothing is known stays what it is.
func detach(now time.Time, before []configv1alpha1.DetachedReplica, queues map[queueKey]queue, replicas []string) []configv1alpha1.DetachedReplica {
	fill := map[string]float64{}
	for key, q := range queues {
		if q.capacity > 0 {
			fill[key.replica] = max(fill[key.replica], q.size/q.capacity)
		}
	}

	after := map[string]configv1alpha1.DetachedReplica{}
	for _, detached := range before {
		if f, known := fill[detached.Name]; !known || f >= attachBelow {
			after[detached.Name] = detached
		}
	}
	// The fullest first, if only one may be detached.
	slices.SortStableFunc(replicas, func(a, b string) int { return cmp.Compare(fill[b], fill[a]) })
	for _, replica := range replicas {
		if _, isDetached := after[replica]; !isDetached && fill[replica] >= detachAt && len(after) < len(replicas)-1 {
			after[replica] = configv1alpha1.DetachedReplica{Name: replica, Since: metav1.NewTime(now.Truncate(time.Second))}
		}
	}

	var sorted []configv1alpha1.DetachedReplica
	for _, name := range slices.Sorted(maps.Keys(after)) {
		sorted = append(sorted, after[name])
	}
	return sorted
}
