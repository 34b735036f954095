// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"context"
	"fmt"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
)

const (
	// settleTimeout is how long samples may take to arrive that are behind newer ones.
	settleTimeout = 30 * time.Second
	// maxAlerts is how many alerts of a seed may fire at a time.
	maxAlerts = 5
	// aftermath is how many scrapes after the cure are looked at, too.
	aftermath = 4

	collectorContainer  = "otc-container"
	prometheusContainer = "prometheus"
	seedCollectorPod    = constants.SeedCollectorName + "-collector-0"
)

// fault is something that goes wrong, and is put right.
type fault struct {
	inject func(ctx context.Context)
	// lasts is how long it lasts. A fault that cures itself lasts no time.
	lasts time.Duration
	cure  func(ctx context.Context)
	// unscraped is for how many scrapes the seed's collector, or what it scrapes, may be away.
	unscraped int
	// lost is how many scrapes may be lost. More than 0 only where the gateway or the garden answers that the data is not wanted.
	lost int
	// counted says that the seed's collector is there all the time, and counts what is lost.
	counted bool
	// told is what operators must be told while it lasts, see observer, and told in time. It lasts until then.
	told []string
	// spared is a replica of the garden Prometheus that must lose nothing, whatever the other one loses.
	spared string
}

var _ = DescribeTable("Fault", Serial, func(ctx SpecContext, f fault) {
	if len(f.told) > 0 {
		// What another fault has left would be taken for what operators are told of this one.
		expectHealthy(ctx)
	}
	expectCurrent(ctx)
	from := time.Now().Add(-ls.ScrapeInterval)

	began := time.Now()
	droppedBefore := dropped(ctx)
	observer := observe(ctx)
	DeferCleanup(observer.end)
	cured := f.cure == nil
	DeferCleanup(func(ctx SpecContext) {
		if !cured {
			f.cure(ctx)
		}
	})
	f.inject(ctx)
	injected := time.Now()
	wait(ctx, f.lasts)
	for _, what := range f.told {
		Eventually(observer.told).WithContext(ctx).WithTimeout(noticeTimeout).Should(HaveKeyWithValue(what, BeNumerically("<", injected.Sub(observer.began)+f.lasts+noticeTimeout)), "what operators are told")
	}
	if !cured {
		f.cure(ctx)
		cured = true
	}
	lasted := time.Since(began)
	caughtUp := expectCurrent(ctx)

	// Conditions take longer to be True again than what comes after the fault must be watched.
	watched := time.Now()
	if len(f.told) > 0 {
		expectHealthy(ctx)
	}
	wait(ctx, aftermath*ls.ScrapeInterval-time.Since(watched))
	// What is in flight must not count as lost. A queue with several consumers keeps no order, so older samples may come last.
	var (
		to     = time.Now().Add(-2 * ls.ScrapeInterval)
		result row
		settle = time.Now().Add(settleTimeout)
	)
	for {
		result = judge(ctx, f, from, to)
		if result.lostByPush == 0 && result.lostSamples == 0 || time.Now().After(settle) || ctx.Err() != nil {
			break
		}
		wait(ctx, time.Second)
	}
	result.fault, result.lasted, result.caughtUp = CurrentSpecReport().LeafNodeText, lasted, caughtUp
	result.told = observer.end()
	report = append(report, result)
	AddReportEntry(result.String(), ReportEntryVisibilityAlways)
	for what, after := range result.told {
		AddReportEntry(fmt.Sprintf("%s after %s", what, after.Round(time.Second)), ReportEntryVisibilityFailureOrVerbose)
	}

	Expect(result.lostByPush).To(BeNumerically("<=", f.lost), "scrapes lost by push")
	Expect(result.unscraped+result.lostByPush).To(BeNumerically("<", result.due), "scrapes that were not made, or lost by push, of those that were due")
	Expect(result.different).To(BeZero(), "samples with wrong values")
	if f.counted {
		// While alerts of the seed fire, the series that say so are federated, too.
		least := result.lostByPush * samplesPerScrape(ctx, seed)
		Expect(dropped(ctx)-droppedBefore).To(And(BeNumerically(">=", least), BeNumerically("<=", least+result.lostByPush*maxAlerts)), "samples that the collector of the seed has counted as dropped")
	}
	if f.lost == 0 {
		Expect(result.lostSamples).To(BeZero(), "samples that only one replica has")
	}
},
	Entry("collector of the seed killed", fault{inject: kill(seedCluster, seedCollectorPod, collectorContainer), unscraped: 6}),
	Entry("one fan-out killed", fault{inject: kill(cluster.NameRuntime, fanOutPod(0), collectorContainer)}),
	Entry("both fan-outs killed", fault{inject: all(kill(cluster.NameRuntime, fanOutPod(0), collectorContainer), kill(cluster.NameRuntime, fanOutPod(1), collectorContainer))}),
	Entry("garden-0 killed", fault{inject: kill(cluster.NameRuntime, "prometheus-garden-0", prometheusContainer)}),
	Entry("both garden Prometheis killed", fault{inject: all(kill(cluster.NameRuntime, "prometheus-garden-0", prometheusContainer), kill(cluster.NameRuntime, "prometheus-garden-1", prometheusContainer))}),
	Entry("aggregate killed", fault{inject: kill(seedCluster, "prometheus-aggregate-0", prometheusContainer), unscraped: 6}),
	Entry("aggregate down", fault{inject: do(stopAggregate), cure: do(startAggregate), unscraped: 20, told: []string{"seed/FederationHealthy=False AggregateUnreachable", "garden/OTelFederationSeedDown"}}),
	Entry("both fan-outs down", fault{
		inject: do(stopFanOut), cure: do(startFanOut),
		told: []string{"seed/FederationHealthy=False GardenUnreachable", "garden/FederationHealthy=False FanOutUnavailable", "garden/CollectorHealthy=False HealthCheckUnsuccessful", "garden/OTelFederationFanOutDown"},
	}),
	Entry("garden-1 stands still", fault{
		inject: container(cluster.NameRuntime, "prometheus-garden-1", prometheusContainer, "pause"), cure: container(cluster.NameRuntime, "prometheus-garden-1", prometheusContainer, "continue"),
		told: []string{"garden/FederationHealthy=False PrometheusUnavailable", "garden/OTelFederationReplicaUnreachable"},
	}),
	Entry("seed verifies the garden by a wrong CA", fault{inject: trustWrongCA, cure: do(startGardenExtension), unscraped: 12, told: []string{"seed/FederationHealthy=False GardenCertificateRefused"}}),
	Entry("queue of the seed fills while the WAN is cut", fault{inject: fillQueueOfSeed, cure: all(wan(ingress.Faults{}), drainSeed, do(enableSeed)), unscraped: 12, told: []string{"seed/FederationHealthy=False QueueNearlyFull", "seed/OTelFederationCollectorQueueFilling"}}),
	Entry("another seed sends samples that Prometheus refuses", fault{inject: poisonOther, told: []string{"garden/FederationHealthy=False SomeSamplesDropped", "garden/OTelFederationSamplesDropped", "garden/OTelFederationRequestsRejected"}}),
	Entry("extension of both classes replaced", fault{inject: replaceExtension}),
	Entry("operators and resource managers killed", fault{inject: killOperators}),
	Entry("signing key rotated", fault{inject: rotateSigningKey}),
	Entry("CA of the garden rotated", fault{inject: rotateCA, unscraped: 12}),
	Entry("token of the seed expired, and renewed later", fault{inject: expireToken, lost: 8, counted: true, told: []string{"seed/CredentialsValid=False TokenExpired"}}),
	Entry("fan-out rolled by a change of its configuration", fault{inject: rollFanOut}),
	Entry("API server of the runtime cluster stands still", fault{inject: process(cluster.NameRuntime+"-kube-apiserver", "pause"), lasts: 20 * time.Second, cure: process(cluster.NameRuntime+"-kube-apiserver", "continue")}),
	Entry("API server of the virtual garden stands still", fault{inject: process(cluster.NameVirtualGarden+"-kube-apiserver", "pause"), lasts: 20 * time.Second, cure: process(cluster.NameVirtualGarden+"-kube-apiserver", "continue")}),
	Entry("API server of the seed stands still", fault{inject: process(seedCluster+"-kube-apiserver", "pause"), lasts: 20 * time.Second, cure: process(seedCluster+"-kube-apiserver", "continue")}),
	Entry("WAN cut", fault{
		inject: wan(ingress.Faults{Cut: true}), lasts: time.Minute, cure: wan(ingress.Faults{}),
		told: []string{"seed/FederationHealthy=False GardenUnreachable", "garden/FederationHealthy=False SeedsSilent", "seed/OTelFederationCollectorNothingDelivered", "garden/OTelFederationSeedSilent"},
	}),
	Entry("WAN flaps every second", fault{inject: flap, cure: wan(ingress.Faults{})}),
	Entry("half of all reads and writes reset", fault{inject: wan(ingress.Faults{Reset: 0.5}), lasts: 20 * time.Second, cure: wan(ingress.Faults{})}),
	Entry("200 ms latency", fault{inject: wan(ingress.Faults{Latency: 200 * time.Millisecond}), lasts: 20 * time.Second, cure: wan(ingress.Faults{})}),
	Entry("256 kbit/s", fault{inject: wan(ingress.Faults{BytesPerSecond: 32_000}), lasts: 20 * time.Second, cure: wan(ingress.Faults{})}),
	Entry("gateway answers 503", fault{inject: wan(ingress.Faults{Status: http.StatusServiceUnavailable}), lasts: 20 * time.Second, cure: wan(ingress.Faults{})}),
	Entry("gateway answers 404", fault{inject: wan(ingress.Faults{Status: http.StatusNotFound}), lasts: 30 * time.Second, cure: wan(ingress.Faults{}), lost: 8, counted: true, told: []string{"seed/FederationHealthy=False AllSamplesDropped", "seed/OTelFederationCollectorSamplesDropped"}}),
	Entry("gateway answers 401", fault{inject: wan(ingress.Faults{Status: http.StatusUnauthorized}), lasts: 30 * time.Second, cure: wan(ingress.Faults{}), lost: 8, counted: true}),
	Entry("queue of the seed destroyed while the WAN is cut", fault{inject: corruptQueue, cure: wan(ingress.Faults{}), unscraped: 14, lost: 4}),
	Entry("volume of the seed full while the WAN is cut", fault{inject: fillVolumeOfSeed, unscraped: 8, lost: 4}),
	Entry("volume of a fan-out full while garden-1 stands still", fault{inject: fillVolumeOfFanOut}),
	Entry("collector of the seed killed while the WAN is cut", fault{
		inject: wan(ingress.Faults{Cut: true}), lasts: 30 * time.Second,
		cure: all(kill(seedCluster, seedCollectorPod, collectorContainer), wan(ingress.Faults{})), unscraped: 6,
	}),
	Entry("memory limit of the fan-out exceeded", fault{inject: exceedMemoryLimit, told: []string{"garden/OTelFederationSamplesRefused"}}),
	Entry("fan-out scaled from two replicas to four and back, with samples in the queues", fault{inject: scaleFanOut}),
	Entry("garden-1 stands still until its queues are full", fault{inject: fillQueues, lost: 40, spared: "garden-0", told: []string{"garden/OTelFederationQueueFilling", "garden/FederationHealthy=False PrometheusDetached", "garden/OTelFederationReplicaDetached"}}),
	Entry("both fan-outs killed while garden-0 stands still", fault{
		inject: container(cluster.NameRuntime, "prometheus-garden-0", prometheusContainer, "pause"), lasts: 20 * time.Second,
		cure: all(
			kill(cluster.NameRuntime, fanOutPod(0), collectorContainer), kill(cluster.NameRuntime, fanOutPod(1), collectorContainer),
			container(cluster.NameRuntime, "prometheus-garden-0", prometheusContainer, "continue"),
		),
	}),
)

// dropped is how many samples the collector of the seed has dropped, because the answer was an error that is not retried.
func dropped(ctx context.Context) float64 {
	GinkgoHelper()
	return metricOf(ctx, Default, seedCluster, seedCollectorPod, "otelcol_exporter_send_failed_metric_points")
}

// samplesPerScrape is how many samples the seed's collector sends for each scrape: the series, and what it says about the scrape.
func samplesPerScrape(ctx context.Context, seed string) int {
	GinkgoHelper()
	const aboutScrape = 5
	vector, err := ls.Prometheus(landscape.GardenReplicas[0]).Query(ctx, fmt.Sprintf("scrape_samples_post_metric_relabeling{job=%q,seed=%q}", constants.JobPrometheusAggregate, seed))
	Expect(err).NotTo(HaveOccurred())
	Expect(vector).To(HaveLen(1))
	return int(vector[0].Value) + aboutScrape
}

// judge tells what became of the samples between two times.
func judge(ctx context.Context, f fault, from, to time.Time) row {
	GinkgoHelper()
	var (
		replicas  = []samples{}
		aggregate = samplesOf(ctx, landscape.AggregateName(seed), rising, from.Add(-time.Minute), to)
		pulled    = scrapesIn(samplesOf(ctx, gardener.ReferenceName, federated(), from, to))
		result    = row{due: int(to.Sub(from) / ls.ScrapeInterval)}
	)
	for _, replica := range landscape.GardenReplicas {
		replicas = append(replicas, samplesOf(ctx, replica, federated(), from, to))
	}
	scraped := scrapesIn(replicas...)
	for i, of := range replicas {
		found := compare(of, replicas[1-i])
		result.lostSamples += found.lost
		result.different += found.different + wrong(samplesOf(ctx, landscape.GardenReplicas[i], fmt.Sprintf("%s{seed=%q}", rising, seed), from, to), aggregate)
		lost := missed(scrapesIn(of), from, to, ls.ScrapeInterval) - missed(scraped, from, to, ls.ScrapeInterval)
		result.lostByPush = max(result.lostByPush, lost)
		if landscape.GardenReplicas[i] == f.spared {
			Expect(lost).To(BeZero(), "scrapes that %s lost", f.spared)
		}
	}
	result.unscraped = missed(scraped, from, to, ls.ScrapeInterval)
	result.lostByPull = missed(pulled, from, to, ls.ScrapeInterval)
	if excess := result.unscraped - f.unscraped; excess > 0 {
		// The collector was there. So what neither replica has was lost on the way to both.
		result.unscraped -= excess
		result.lostByPush += excess
	}
	return result
}

func fanOutPod(replica int) string {
	return constants.GardenCollectorName + "-" + string(rune('0'+replica)) + "-collector-0"
}

func all(actions ...func(context.Context)) func(context.Context) {
	return func(ctx context.Context) {
		for _, action := range actions {
			action(ctx)
		}
	}
}

// do does something with the landscape.
func do(action func(context.Context) error) func(context.Context) {
	return func(ctx context.Context) { Expect(action(ctx)).To(Succeed()) }
}

func stopAggregate(ctx context.Context) error  { return ls.StopAggregate(ctx, seed) }
func startAggregate(ctx context.Context) error { return ls.StartAggregate(ctx, seed) }
func stopFanOut(ctx context.Context) error     { return ls.StopFanOut(ctx) }
func startFanOut(ctx context.Context) error    { return ls.StartFanOut(ctx) }
func enableSeed(ctx context.Context) error     { return ls.EnableSeed(ctx, seed) }

func kill(clusterName, pod, name string) func(context.Context) {
	return container(clusterName, pod, name, "kill")
}

func container(clusterName, pod, name, action string) func(context.Context) {
	return func(ctx context.Context) {
		Expect(ls.ActOnContainer(ctx, clusterName, pod, name, action)).To(Succeed())
	}
}

func process(name, action string) func(context.Context) {
	return func(ctx context.Context) {
		Expect(ls.Act(ctx, name, action)).To(Succeed())
	}
}

// killOperators kills what applies and operates. The supervisor does not start them by itself.
func killOperators(ctx context.Context) {
	for _, clusterName := range []string{cluster.NameRuntime, seedCluster} {
		for _, name := range []string{"opentelemetry-operator", "prometheus-operator", "gardener-resource-manager"} {
			process(clusterName+"-"+name, "kill")(ctx)
			process(clusterName+"-"+name, "restart")(ctx)
		}
	}
}

// replaceExtension deletes the pods of the extension in the seed and in the runtime cluster.
func replaceExtension(ctx context.Context) {
	for c, namespace := range map[client.Client]string{
		ls.Runtime():  gardener.NamespaceRuntimeExtension,
		ls.Seed(seed): gardener.NamespaceSeedExtension,
	} {
		Expect(c.DeleteAllOf(ctx, &corev1.Pod{}, client.InNamespace(namespace))).To(Succeed())
	}
}

// rotateSigningKey rotates the signing key until the new one signs and the seed has a token of it.
func rotateSigningKey(ctx context.Context) {
	credentials := func(g Gomega) string {
		secret := &corev1.Secret{}
		g.Expect(ls.Seed(seed).Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: constants.CredentialsSecretName}, secret)).To(Succeed())
		return string(secret.Data[constants.DataKeyToken])
	}
	before := credentials(Default)
	ex := &extensionsv1alpha1.Extension{ObjectMeta: metav1.ObjectMeta{Namespace: gardener.Namespace, Name: gardener.GardenExtensionName}}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, constants.AnnotationOperation, constants.OperationRotateSigningKey)
	Expect(ls.Runtime().Patch(ctx, ex, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		status, err := ls.FederationStatus(ctx)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(status.SigningKey).To(HaveValue(HaveField("Phase", configv1alpha1.SigningKeyPhaseCompleting)))
		// Not by comparing the tokens in an assertion: they must not get into the output of a test that fails.
		renewed := credentials(g) != before
		g.Expect(renewed).To(BeTrue(), "the seed still has its old token")
	}).Should(Succeed())
}

// rollFanOut rolls the replicas of the fan-out by a debug exporter, and again by taking it away.
func rollFanOut(ctx context.Context) {
	versions := func(g Gomega) map[string]string {
		versions := map[string]string{}
		for _, replica := range []int{0, 1} {
			pod := &corev1.Pod{}
			g.Expect(ls.Runtime().Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: fanOutPod(replica)}, pod)).To(Succeed())
			versions[pod.Name] = string(pod.UID)
		}
		return versions
	}
	before := versions(Default)
	DeferCleanup(func(ctx context.Context) { Expect(ls.EnableGarden(ctx)).To(Succeed()) })
	Expect(gardener.EnableGarden(ctx, ls.Runtime(), gardener.With(gardener.GardenProviderConfig(ls.ScrapeInterval, ls.HandOver), true, "debugExporter"))).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		for name, uid := range versions(g) {
			g.Expect(uid).NotTo(Equal(before[name]), name)
		}
	}).Should(Succeed())
	Expect(ls.EnableGarden(ctx)).To(Succeed())
}

// wan lets the WAN suffer on both ways: push crosses the gateway of the garden, pull that of the seed.
func wan(faults ingress.Faults) func(context.Context) {
	return func(ctx context.Context) {
		for _, clusterName := range []string{cluster.NameRuntime, seedCluster} {
			Expect(ls.SetFaults(ctx, clusterName, faults)).To(Succeed())
		}
	}
}

// flap cuts the WAN for a second, and lets it work for a second, ten times.
func flap(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for i := range 20 {
		wan(ingress.Faults{Cut: i%2 == 0})(ctx)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
