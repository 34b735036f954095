// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/changes"
)

const (
	// otherSeed is a seed that must not suffer, or must not make the other one suffer.
	otherSeed = gardener.GardenName
	// maxRequest is how many samples Prometheus gets with one request at most.
	maxRequest = 2000
)

// configureSeed changes the providerConfig of the seed, and waits until its collector runs with that.
func configureSeed(ctx context.Context, config *runtime.RawExtension) {
	GinkgoHelper()
	pod := &corev1.Pod{}
	Expect(ls.Seed(seed).Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: seedCollectorPod}, pod)).To(Succeed())
	Expect(gardener.EnableSeed(ctx, ls.VirtualGarden(), ls.Seed(seed), seed, config)).To(Succeed())
	DeferCleanup(func(ctx context.Context) { Expect(ls.EnableSeed(ctx, seed)).To(Succeed()) })
	changes.ExpectReplaced(ctx, ls.Seed(seed), pod)
}

// trustWrongCA gives the seed a CA by which it cannot verify the garden, while nobody is there to correct that.
func trustWrongCA(ctx context.Context) {
	stopGardenExtension(ctx)
	configMap, pod := &corev1.ConfigMap{}, &corev1.Pod{}
	Expect(ls.Seed(seed).Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: "kube-root-ca.crt"}, configMap)).To(Succeed())
	Expect(ls.Seed(seed).Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: seedCollectorPod}, pod)).To(Succeed())
	changeCredentials(ctx, constants.DataKeyCABundle, []byte(configMap.Data["ca.crt"]))
	changes.ExpectReplaced(ctx, ls.Seed(seed), pod)
}

// startGardenExtension lets the extension of class garden correct what is wrong.
func startGardenExtension(ctx context.Context) error {
	return ls.ScaleGardenExtension(ctx, gardener.GardenExtensionReplicas)
}

// fillQueueOfSeed gives the seed a queue that fills within a minute, and cuts the WAN.
func fillQueueOfSeed(ctx context.Context) {
	configureSeed(ctx, gardener.With(gardener.SeedProviderConfig(ls.ScrapeInterval), int64(10*samplesPerScrape(ctx, seed)), "queue", "capacity"))
	expectCurrent(ctx)
	wan(ingress.Faults{Cut: true})(ctx)
	DeferCleanup(wan(ingress.Faults{}))
}

// drainSeed waits until the seed has delivered what is in its queue.
func drainSeed(ctx context.Context) {
	expectEmptyQueues(ctx, seedCluster, seedCollectorPod)
}

// poisonOther lets another seed send one sample of each scrape with a time that Prometheus refuses, for some scrapes. Prometheus refuses
// the whole request with it.
func poisonOther(ctx context.Context) {
	failed := func() float64 {
		return metricOf(ctx, Default, cluster.NameRuntime, fanOutPod(0), "otelcol_exporter_send_failed_metric_points") +
			metricOf(ctx, Default, cluster.NameRuntime, fanOutPod(1), "otelcol_exporter_send_failed_metric_points")
	}
	before := failed()
	restore := changes.To(ctx, ls.Seed(otherSeed), constants.SeedCollectorName, changes.Collectors(func(config *otelv1beta1.Config) {
		const name = "transform/poison"
		config.Processors.Object[name] = map[string]any{
			"error_mode":        "propagate",
			"metric_statements": []any{fmt.Sprintf(`set(datapoint.time, datapoint.time + Duration("1h")) where metric.name == %q`, "scrape_series_added")},
		}
		pipeline := config.Service.Pipelines["metrics"]
		pipeline.Processors = append(pipeline.Processors, name)
	}, constants.SeedCollectorName))
	DeferCleanup(func(ctx context.Context) { restore(ctx) })
	poisoned := &corev1.Pod{}
	Expect(ls.Seed(otherSeed).Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: seedCollectorPod}, poisoned)).To(Succeed())

	Eventually(ctx, failed).Should(BeNumerically(">", before), "samples that are counted as lost")
	scrapes := 6
	wait(ctx, time.Duration(scrapes)*ls.ScrapeInterval)
	Expect(failed()-before).To(BeNumerically("<=", len(landscape.GardenReplicas)*(scrapes+2)*maxRequest), "samples that one bad sample per scrape costs")
	restore(ctx)
	changes.ExpectReplaced(ctx, ls.Seed(otherSeed), poisoned)
}
