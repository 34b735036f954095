// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package seedcollector_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus"
	"github.com/gardener/gardener/pkg/component/observability/monitoring/prometheus/garden"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/component/seedcollector"
)

// These specs fail when a new version of Gardener changes the federation that the seed collector reproduces.
var _ = Describe("Gardener's own federation", func() {
	for _, scrapeConfig := range federations() {
		Describe("ScrapeConfig "+scrapeConfig.Name, func() {
			spec := scrapeConfig.Spec

			It("should have the default selectors and no other parameters", func() {
				Expect(spec.Params).To(Equal(map[string][]string{ParameterSelector: DefaultSelectors()}))
			})

			It("should have the same path and treat labels and timestamps in the same way", func() {
				Expect(spec.MetricsPath).To(HaveValue(Equal(MetricsPath)))
				Expect(spec.HonorLabels).To(HaveValue(Equal(HonorLabels)))
				Expect(spec.HonorTimestamps).To(HaveValue(Equal(HonorTimestamps)))
			})

			It("should set the same job on the target and relabel nothing else there", func() {
				Expect(spec.RelabelConfigs).To(Equal([]monitoringv1.RelabelConfig{{
					Action:      "replace",
					Replacement: new(expectedScrapeConfig()["job_name"].(string)),
					TargetLabel: "job",
				}}))
			})

			It("should relabel the series in the same way", func() {
				var expected []any
				for _, config := range spec.MetricRelabelConfigs {
					var labels []any
					for _, label := range config.SourceLabels {
						labels = append(labels, string(label))
					}
					expected = append(expected, map[string]any{"source_labels": labels, "target_label": config.TargetLabel})

					config.SourceLabels, config.TargetLabel = nil, ""
					Expect(config).To(Equal(monitoringv1.RelabelConfig{}), "the relabelling must not use any further field")
				}

				Expect(expected).To(HaveLen(1))
				Expect(MetricRelabelConfigs()[:len(expected)]).To(Equal(expected))
			})

			It("should use interval and timeout of the Prometheus", func() {
				Expect(spec.ScrapeInterval).To(BeNil())
				Expect(spec.ScrapeTimeout).To(BeNil())
			})

			It("should have no other settings", func() {
				spec.Params, spec.MetricsPath, spec.HonorLabels, spec.HonorTimestamps = nil, nil, nil, nil
				spec.RelabelConfigs, spec.MetricRelabelConfigs = nil, nil
				spec.StaticConfigs, spec.Scheme, spec.TLSConfig, spec.BasicAuth = nil, nil, nil, nil
				Expect(spec).To(Equal(monitoringv1alpha1.ScrapeConfigSpec{}))
			})
		})
	}

	It("should consist of two ScrapeConfigs", func() {
		Expect(federations()).To(HaveLen(2))
	})

	It("should be scraped with our default interval", func() {
		Expect(gardenPrometheus().Spec.ScrapeInterval).To(Equal(monitoringv1.Duration(model.Duration(v1alpha1.DefaultScrapeInterval).String())))
	})

	It("should be scraped with our default timeout", func() {
		output, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/gardener/gardener").Output()
		Expect(err).NotTo(HaveOccurred())

		// The function that configures the garden Prometheus cannot be called from outside.
		source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(output)), "pkg/operator/controller/garden/garden/components.go"))
		Expect(err).NotTo(HaveOccurred())
		_, function, found := strings.Cut(string(source), ") newPrometheusGarden(")
		Expect(found).To(BeTrue())

		Expect(v1alpha1.DefaultScrapeTimeout).To(Equal(50 * time.Second))
		function, _, _ = strings.Cut(function, "\nfunc ")
		Expect(function).To(MatchRegexp(`ScrapeTimeout:\s+"50s",`))
	})
})

// federations returns the two ScrapeConfigs with which the garden Prometheus pulls: from the seed that is its own cluster, and
// from other seeds.
func federations() []*monitoringv1alpha1.ScrapeConfig {
	var out []*monitoringv1alpha1.ScrapeConfig
	for _, scrapeConfig := range garden.CentralScrapeConfigs(
		[]monitoringv1alpha1.Target{"prometheus-aggregate"},
		[]monitoringv1alpha1.Target{"p-seed.ingress.foo.local"},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "monitoring"}},
	) {
		if strings.HasPrefix(scrapeConfig.Name, "prometheus-aggregate") {
			out = append(out, scrapeConfig)
		}
	}
	return out
}

func gardenPrometheus() *monitoringv1.Prometheus {
	GinkgoHelper()

	var (
		ctx = context.Background()
		c   = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).Build()
	)

	Expect(prometheus.New(logr.Discard(), c, "garden", prometheus.Values{
		Name:            garden.Label,
		StorageCapacity: resource.MustParse("1Gi"),
		Replicas:        2,
	}).Deploy(ctx)).To(Succeed())

	objects, err := managedresources.GetObjects(ctx, c, "garden", "prometheus-garden")
	Expect(err).NotTo(HaveOccurred())
	for _, obj := range objects {
		if obj, ok := obj.(*monitoringv1.Prometheus); ok {
			return obj
		}
	}

	Fail("there is no Prometheus")
	return nil
}
