// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package compatibility_test

import (
	"context"
	"errors"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/pkg/client/kubernetes"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/compatibility"
)

var _ = Describe("Compatibility", func() {
	Describe("#CheckCollectorKind", func() {
		check := func(err error) (*Problem, error) {
			c := fake.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					if err != nil {
						return err
					}
					return c.List(ctx, list, opts...)
				},
			}).Build()
			return CheckCollectorKind(context.Background(), c, "garden")
		}

		It("should be content if the kind exists", func() {
			Expect(check(nil)).To(BeNil())
		})

		It("should name the feature gate if the kind does not exist", func() {
			problem, err := check(&meta.NoKindMatchError{})
			Expect(err).NotTo(HaveOccurred())
			Expect(problem.Reason).To(Equal("CollectorKindMissing"))
			Expect(problem.Message).To(ContainSubstring("feature gate OpenTelemetryCollector"))
		})

		It("should say the same if the kind has been removed", func() {
			problem, err := check(apierrors.NewNotFound(schema.GroupResource{}, ""))
			Expect(err).NotTo(HaveOccurred())
			Expect(problem.Reason).To(Equal("CollectorKindMissing"))
		})

		It("should fail if it cannot find out", func() {
			problem, err := check(errors.New("fake"))
			Expect(problem).To(BeNil())
			Expect(err).To(MatchError(ContainSubstring("fake")))
		})
	})

	DescribeTable("#CheckCollectorImage", func(image, reason string) {
		problem := CheckCollectorImage(image)
		if reason == "" {
			Expect(problem).To(BeNil())
			return
		}
		Expect(problem.Reason).To(Equal(reason))
		Expect(problem.Message).To(ContainSubstring(image))
	},
		Entry("Gardener's distribution", "europe-docker.pkg.dev/gardener-project/releases/gardener/observability/opentelemetry-collector:v0.0.1", ""),
		Entry("an old distribution of the project", "ghcr.io/open-telemetry/opentelemetry-collector-releases/opentelemetry-collector-contrib:0.143.1", "CollectorTooOld"),
		Entry("the first one that is new enough", "otel/opentelemetry-collector-contrib:0.144.0", ""),
		Entry("a new one from a registry with a port", "registry:5000/otel/opentelemetry-collector-k8s:v0.159.0", ""),
		Entry("a tag that is no version", "otel/opentelemetry-collector-contrib:latest", ""),
		Entry("no tag", "otel/opentelemetry-collector-contrib", ""),
	)

	It("should look at the tag of a collector image that has a digest as well", func() {
		Expect(CheckCollectorImage("otel/opentelemetry-collector-contrib:0.100.0@sha256:abc")).NotTo(BeNil())
	})

	DescribeTable("#CheckPrometheus", func(version string, tooOld bool) {
		problem := CheckPrometheus(&monitoringv1.Prometheus{
			ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "garden"},
			Spec:       monitoringv1.PrometheusSpec{CommonPrometheusFields: monitoringv1.CommonPrometheusFields{Version: version}},
		})
		if !tooOld {
			Expect(problem).To(BeNil())
			return
		}
		Expect(problem.Reason).To(Equal("PrometheusTooOld"))
		Expect(problem.Message).To(HavePrefix("Prometheus garden/garden has version 3.3.1"))
	},
		Entry("too old", "v3.3.1", true),
		Entry("new enough", "v3.4.0", false),
		Entry("Gardener's", "v3.14.0", false),
		Entry("unknown", "", false),
	)
})
