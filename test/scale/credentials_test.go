// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package scale_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	dto "github.com/prometheus/client_model/go"
	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/garden"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/seed"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

const (
	// renewAfter is the age at which tokens are renewed here. By default it is a day.
	renewAfter = 4 * time.Minute
	// validity is that of a token, the shortest that is allowed.
	validity = 10 * time.Minute
	// metricsPort is where the extension tells its metrics.
	metricsPort = 8080
	// reconcileTime is the metric of controller-runtime that tells how long reconciliations took.
	reconcileTime = "controller_runtime_reconcile_time_seconds"
	// mostSeeds is how many Seeds there are at most.
	mostSeeds = 1000
	// reconciliations is how often the Extension of class seed is reconciled, to see how long that takes.
	reconciliations = 20
	// workers is how many Seeds are created at a time.
	workers = 20
	// seedController is the name of the controller that issues credentials, gardenController that of the Extension of class garden.
	seedController   = "credentials-seed"
	gardenController = garden.ControllerName
	// seedExtensionController is the name of the controller of the Extension of class seed.
	seedExtensionController = seed.ControllerName
)

var _ = DescribeTable("Credentials", Label("credentials"), Serial, SpecPriority(0), func(ctx SpecContext, count int) {
	config := gardener.With(gardener.GardenProviderConfig(ls.ScrapeInterval, ls.HandOver), map[string]any{"validity": validity.String(), "renewAfter": renewAfter.String()}, "token")
	Expect(gardener.EnableGarden(ctx, ls.Runtime(), config)).To(Succeed())
	DeferCleanup(func(ctx SpecContext) { Expect(ls.EnableGarden(ctx)).To(Succeed()) })

	scaleExtension(ctx, 0)
	DeferCleanup(func(ctx SpecContext) { scaleExtension(ctx, gardener.GardenExtensionReplicas) })
	names := namesOfSeeds(count)
	watchSeedExtension := reconcileSeedExtension(ctx)
	DeferCleanup(deleteSeeds, names)
	createSeeds(ctx, names)

	before := requests()
	started := time.Now()
	scaleExtension(ctx, 1)
	var peak float64
	Eventually(ctx, func(g Gomega) {
		g.Expect(extensionPods(ctx, g)).To(HaveLen(1))
		peak = max(peak, value(g, extensionMetrics(ctx, g)["process_resident_memory_bytes"]))
		g.Expect(issued(ctx, g)).To(HaveLen(count + len(ls.Seeds())))
	}).Should(Succeed())
	took := time.Since(started)
	asked := requests() - before
	first := issued(ctx, Default)
	metrics := extensionMetrics(ctx, Default)

	// The wave of renewals, in which the tokens say when they were issued.
	renewals := map[string]time.Time{}
	Eventually(ctx, func(g Gomega) {
		for namespace, at := range issued(ctx, g) {
			if at.After(first[namespace]) && renewals[namespace].IsZero() {
				renewals[namespace] = at
			}
		}
		g.Expect(renewals).To(HaveLen(len(first)))
	}).WithPolling(2 * time.Second).WithTimeout(renewAfter + 5*time.Minute).Should(Succeed())
	// The landscape's own seed is left out: its token is older than those of the others.
	for _, own := range ls.Seeds() {
		delete(renewals, gardenerutils.ComputeGardenNamespace(own.Seed))
	}
	width, most := waveOf(renewals)

	rows = append(rows, fmt.Sprintf("| %d | %.1f s | %.1f | %.1f s | %.0f MiB | %s | %s | %s | %s | %d |", count, took.Seconds(), float64(asked)/float64(count),
		value(Default, metrics["process_cpu_seconds_total"]), peak/(1<<20), p95(metrics, seedController), p95(metrics, gardenController), p95Since(watchSeedExtension, seedExtensionMetrics(ctx), seedExtensionController), width.Round(time.Second), most))
	AddReportEntry(rows[len(rows)-1], ReportEntryVisibilityAlways)
},
	Entry("of 100 Seeds", 100),
	Entry("of 1,000 Seeds", mostSeeds),
)

// scaleExtension changes the number of pods of the extension of class garden, and waits until they are there.
func scaleExtension(ctx context.Context, replicas int32) {
	GinkgoHelper()
	Expect(ls.ScaleGardenExtension(ctx, replicas)).To(Succeed())
	if replicas == 0 {
		Eventually(ctx, func(g Gomega) { g.Expect(extensionPods(ctx, g)).To(BeEmpty()) }).Should(Succeed())
	}
}

func extensionPods(ctx context.Context, g Gomega) []corev1.Pod {
	pods := &corev1.PodList{}
	g.Expect(ls.Runtime().List(ctx, pods, client.InNamespace(gardener.NamespaceRuntimeExtension), client.MatchingLabels{"app.kubernetes.io/name": gardener.GardenExtensionDeployment})).To(Succeed())
	return pods.Items
}

func namesOfSeeds(count int) []string {
	names := make([]string, count)
	for i := range names {
		names[i] = fmt.Sprintf("scale-%d-%04d", count, i)
	}
	return names
}

// createSeeds creates Seeds like one that is there, and waits until gardener-controller-manager has created their namespaces.
func createSeeds(ctx context.Context, names []string) {
	GinkgoHelper()
	template := &gardencorev1beta1.Seed{}
	Expect(ls.VirtualGarden().Get(ctx, client.ObjectKey{Name: landscape.SeedRuntime}, template)).To(Succeed())
	Expect(forEach(ctx, names, func(ctx context.Context, name string) error {
		seed := &gardencorev1beta1.Seed{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: *template.Spec.DeepCopy()}
		seed.Spec.Ingress.Domain = gardener.SeedIngressDomain(name)
		return ls.VirtualGarden().Create(ctx, seed)
	})).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		g.Expect(namespacesOf(ctx, g, names)).To(Equal(len(names)))
	}).WithPolling(5 * time.Second).Should(Succeed())
}

// namespacesOf is how many of the Seeds have a namespace.
func namespacesOf(ctx context.Context, g Gomega, names []string) int {
	namespaces := &corev1.NamespaceList{}
	g.Expect(ls.VirtualGarden().List(ctx, namespaces, client.MatchingLabels{v1beta1constants.GardenRole: v1beta1constants.GardenRoleSeed})).To(Succeed())
	all := sets.New[string]()
	for _, namespace := range namespaces.Items {
		all.Insert(namespace.Name)
	}
	count := 0
	for _, name := range names {
		if all.Has(gardenerutils.ComputeGardenNamespace(name)) {
			count++
		}
	}
	return count
}

// deleteSeeds deletes Seeds and waits until their credentials are gone, and, but for the last ones, whose deletion takes minutes, their namespaces.
func deleteSeeds(ctx SpecContext, names []string) {
	GinkgoHelper()
	Expect(forEach(ctx, names, func(ctx context.Context, name string) error {
		return client.IgnoreNotFound(ls.VirtualGarden().Delete(ctx, &gardencorev1beta1.Seed{ObjectMeta: metav1.ObjectMeta{Name: name}}))
	})).To(Succeed())
	Eventually(ctx, func(g Gomega) {
		g.Expect(issued(ctx, g)).To(HaveLen(len(ls.Seeds())))
		if len(names) < mostSeeds {
			g.Expect(namespacesOf(ctx, g, names)).To(BeZero())
		}
	}).WithPolling(5 * time.Second).Should(Succeed())
}

func forEach(ctx context.Context, names []string, do func(context.Context, string) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(workers)
	for _, name := range names {
		group.Go(func() error { return do(ctx, name) })
	}
	return group.Wait()
}

// issued returns when the tokens of all seeds were issued, by namespace.
func issued(ctx context.Context, g Gomega) map[string]time.Time {
	secrets := &corev1.SecretList{}
	g.Expect(ls.VirtualGarden().List(ctx, secrets, client.MatchingFields{"metadata.name": constants.CredentialsSecretName})).To(Succeed())
	times := map[string]time.Time{}
	for _, secret := range secrets.Items {
		claims, _, err := credentials.Inspect(string(secret.Data[constants.DataKeyToken]))
		g.Expect(err).NotTo(HaveOccurred(), "token of namespace %s", secret.Namespace)
		times[secret.Namespace] = claims.IssuedAt
	}
	return times
}

// waveOf returns the time from the first to the last, and how many there are in a second at most.
func waveOf(times map[string]time.Time) (time.Duration, int) {
	var (
		first, last time.Time
		inSecond    = map[int64]int{}
		most        int
	)
	for _, t := range times {
		if first.IsZero() || t.Before(first) {
			first = t
		}
		if t.After(last) {
			last = t
		}
		inSecond[t.Unix()]++
		most = max(most, inSecond[t.Unix()])
	}
	return last.Sub(first), most
}

// requests is how many requests of the extension the audit log of the virtual garden has.
func requests() int {
	GinkgoHelper()
	state, err := ls.Cluster(cluster.NameVirtualGarden)
	Expect(err).NotTo(HaveOccurred())
	file, err := os.Open(filepath.Join(filepath.Dir(state.Kubeconfig), cluster.AuditLogName))
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = file.Close() }()
	count := 0
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		event := struct {
			User struct {
				Username string `json:"username"`
			} `json:"user"`
		}{}
		Expect(json.Unmarshal(scanner.Bytes(), &event)).To(Succeed())
		if event.User.Username == "system:serviceaccount:kube-system:"+constants.GardenAccessName {
			count++
		}
	}
	Expect(scanner.Err()).NotTo(HaveOccurred())
	return count
}

// extensionMetrics are the metrics of the only pod of the extension.
func extensionMetrics(ctx context.Context, g Gomega) map[string]*dto.MetricFamily {
	pods := extensionPods(ctx, g)
	g.Expect(pods).To(HaveLen(1))
	families, err := ls.PodMetrics(ctx, cluster.NameRuntime, pods[0].Name, metricsPort)
	g.Expect(err).NotTo(HaveOccurred())
	return families
}

// seedExtensionMetrics are the metrics of the pod of the extension of class seed that leads in the runtime cluster, which is a seed as well.
func seedExtensionMetrics(ctx context.Context) map[string]*dto.MetricFamily {
	GinkgoHelper()
	pods := &corev1.PodList{}
	Expect(ls.Runtime().List(ctx, pods, client.InNamespace(gardener.NamespaceSeedExtension), client.MatchingLabels{"app.kubernetes.io/name": gardener.SeedExtensionDeployment})).To(Succeed())
	for _, pod := range pods.Items {
		if pod.DeletionTimestamp != nil {
			continue
		}
		families, err := ls.PodMetrics(ctx, cluster.NameRuntime, pod.Name, metricsPort)
		Expect(err).NotTo(HaveOccurred())
		if timesOf(families, seedExtensionController) != nil {
			return families
		}
	}
	Fail("no pod of the extension of class seed leads")
	return nil
}

// reconcileSeedExtension lets the Extension of class seed in the runtime cluster be reconciled several times. It returns the metrics of before.
func reconcileSeedExtension(ctx context.Context) map[string]*dto.MetricFamily {
	GinkgoHelper()
	before := seedExtensionMetrics(ctx)
	count := func() uint64 { return timesOf(seedExtensionMetrics(ctx), seedExtensionController).GetSampleCount() }
	for range reconciliations {
		done := count()
		extension := &extensionsv1alpha1.Extension{ObjectMeta: metav1.ObjectMeta{Namespace: gardener.Namespace, Name: constants.ExtensionType}}
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1beta1constants.GardenerOperation, v1beta1constants.GardenerOperationReconcile)
		Expect(ls.Runtime().Patch(ctx, extension, client.RawPatch(types.MergePatchType, patch))).To(Succeed())
		Eventually(ctx, count).Should(BeNumerically(">", done))
	}
	return before
}

func value(g Gomega, family *dto.MetricFamily) float64 {
	g.Expect(family.GetMetric()).To(HaveLen(1))
	return family.GetMetric()[0].GetCounter().GetValue() + family.GetMetric()[0].GetGauge().GetValue()
}

// timesOf tells how long the reconciliations of a controller took, or nothing if there were none.
func timesOf(metrics map[string]*dto.MetricFamily, controller string) *dto.Histogram {
	for _, metric := range metrics[reconcileTime].GetMetric() {
		if slices.ContainsFunc(metric.GetLabel(), func(label *dto.LabelPair) bool {
			return label.GetName() == "controller" && label.GetValue() == controller
		}) {
			return metric.GetHistogram()
		}
	}
	return nil
}

// p95 tells below which time 95 % of a controller's reconciliations took, as precisely as the buckets are.
func p95(metrics map[string]*dto.MetricFamily, controller string) string {
	GinkgoHelper()
	return p95Since(nil, metrics, controller)
}

// p95Since tells it of those since the metrics were what they were before.
func p95Since(before, metrics map[string]*dto.MetricFamily, controller string) string {
	GinkgoHelper()
	earlier, times := timesOf(before, controller), timesOf(metrics, controller)
	Expect(times.GetSampleCount()).To(BeNumerically(">", earlier.GetSampleCount()), "reconciliations by %s", controller)
	for i, bucket := range times.GetBucket() {
		count := bucket.GetCumulativeCount()
		if earlier != nil {
			count -= earlier.GetBucket()[i].GetCumulativeCount()
		}
		if float64(count) >= 0.95*float64(times.GetSampleCount()-earlier.GetSampleCount()) {
			return fmt.Sprintf("≤ %.3g s", bucket.GetUpperBound())
		}
	}
	return fmt.Sprintf("> %.3g s", times.GetBucket()[len(times.GetBucket())-1].GetUpperBound())
}
