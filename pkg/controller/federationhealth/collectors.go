// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package federationhealth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/collectormetrics"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/health"
)

// maxConcurrentReads limits how many collectors are asked at the same time.
const maxConcurrentReads = 5

// watched is what has become of asking one collector.
type watched struct {
	window      *health.Window
	silentSince time.Time
	err         error
}

// watcher asks collectors for their metrics, and remembers what they have told.
type watcher struct {
	reader     client.Reader
	httpClient *http.Client
	collectors map[string]*watched
	length     time.Duration
}

// watch asks the collectors in the pods with the given names, which belong to a component. A collector that does not answer is no error.
func (w *watcher) watch(ctx context.Context, now time.Time, namespace, component string, length time.Duration, names []string) error {
	pods := &corev1.PodList{}
	if err := w.reader.List(ctx, pods, client.InNamespace(namespace), client.MatchingLabels(collector.PodLabels(component))); err != nil {
		return fmt.Errorf("failed to list the pods of %s in namespace %s: %w", component, namespace, err)
	}
	byName := map[string]*corev1.Pod{}
	for i := range pods.Items {
		byName[pods.Items[i].Name] = &pods.Items[i]
	}

	var (
		group   errgroup.Group
		metrics = make([]*collectormetrics.Metrics, len(names))
		errs    = make([]error, len(names))
	)
	group.SetLimit(maxConcurrentReads)
	for i, name := range names {
		pod := byName[name]
		if pod == nil {
			errs[i] = fmt.Errorf("pod %s/%s does not exist", namespace, name)
			continue
		}
		group.Go(func() error {
			metrics[i], errs[i] = collectormetrics.Read(ctx, w.httpClient, pod)
			return nil
		})
	}
	_ = group.Wait()
	if err := ctx.Err(); err != nil {
		return errors.Join(fmt.Errorf("failed to ask the collectors of %s in time", component), err)
	}

	w.remember(now, length, names, metrics, errs)
	return nil
}

func (w *watcher) remember(now time.Time, length time.Duration, names []string, metrics []*collectormetrics.Metrics, errs []error) {
	before := w.collectors
	if w.length != length {
		before, w.length = nil, length
	}
	w.collectors = map[string]*watched{}
	for i, name := range names {
		c := before[name]
		if c == nil {
			c = &watched{window: health.NewWindow(length)}
		}
		w.collectors[name] = c
		if c.err = errs[i]; c.err != nil {
			if c.silentSince.IsZero() {
				c.silentSince = now
			}
			continue
		}
		c.silentSince = time.Time{}
		c.window.Observe(now, metrics[i])
	}
}

func (w *watched) silence(now time.Time) time.Duration {
	if w.silentSince.IsZero() {
		return 0
	}
	return now.Sub(w.silentSince)
}
