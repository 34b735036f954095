// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package receiver_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/receiver"
)

var _ = Describe("Receiver", func() {
	const (
		window           = 2 * time.Hour
		annotationWindow = "otel-federation.extensions.gardener.cloud/out-of-order-time-window"
	)

	var p *monitoringv1.Prometheus

	BeforeEach(func() {
		p = &monitoringv1.Prometheus{ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "garden"}}
	})

	tsdb := func(window monitoringv1.Duration) *monitoringv1.TSDBSpec {
		return &monitoringv1.TSDBSpec{OutOfOrderTimeWindow: new(window)}
	}

	Describe("Enable", func() {
		It("should set what is not set", func() {
			Expect(Enable(p, window)).To(Succeed())

			Expect(p.Spec).To(Equal(monitoringv1.PrometheusSpec{CommonPrometheusFields: monitoringv1.CommonPrometheusFields{
				EnableOTLPReceiver: new(true),
				OTLP:               &monitoringv1.OTLPConfig{PromoteResourceAttributes: []string{"prometheus", "prometheus_replica"}, TranslationStrategy: new(monitoringv1.NoTranslation)},
				TSDB:               tsdb("2h"),
			}}))
		})

		It("should overwrite what contradicts, keep everything else, and be idempotent", func() {
			p.Spec.Replicas = new(int32(2))
			p.Spec.EnableOTLPReceiver = new(false)
			p.Spec.OTLP = &monitoringv1.OTLPConfig{PromoteResourceAttributes: []string{"foo", "prometheus_replica"}, TranslationStrategy: new(monitoringv1.UnderscoreEscapingWithSuffixes)}
			p.Spec.TSDB = tsdb("30m")
			Expect(Enabled(p, window)).To(BeFalse())

			Expect(Enable(p, window)).To(Succeed())

			expected := monitoringv1.PrometheusSpec{CommonPrometheusFields: monitoringv1.CommonPrometheusFields{
				Replicas:           new(int32(2)),
				EnableOTLPReceiver: new(true),
				OTLP:               &monitoringv1.OTLPConfig{PromoteResourceAttributes: []string{"foo", "prometheus_replica", "prometheus"}, TranslationStrategy: new(monitoringv1.NoTranslation)},
				TSDB:               tsdb("2h"),
			}}
			Expect(p.Spec).To(Equal(expected))
			Expect(Enabled(p, window)).To(BeTrue())

			Expect(Enable(p, window)).To(Succeed())
			Expect(p.Spec).To(Equal(expected))
		})

		It("should leave it at promoting all attributes, but ignore no external label", func() {
			p.Spec.OTLP = &monitoringv1.OTLPConfig{PromoteAllResourceAttributes: new(true), IgnoreResourceAttributes: []string{"prometheus", "foo"}}
			Expect(Enabled(p, window)).To(BeFalse())

			Expect(Enable(p, window)).To(Succeed())

			Expect(p.Spec.OTLP).To(Equal(&monitoringv1.OTLPConfig{
				PromoteAllResourceAttributes: new(true),
				IgnoreResourceAttributes:     []string{"foo", "service.name", "service.instance.id"},
				TranslationStrategy:          new(monitoringv1.NoTranslation),
			}))
			Expect(Enabled(p, window)).To(BeTrue())
		})

		DescribeTable("window", func(current *monitoringv1.TSDBSpec, window time.Duration, expected *monitoringv1.TSDBSpec) {
			p.Spec.TSDB = current
			Expect(Enable(p, window)).To(Succeed())
			Expect(p.Spec.TSDB).To(Equal(expected))
			Expect(Enabled(p, window)).To(BeTrue())
		},
			Entry("is added to an empty section", &monitoringv1.TSDBSpec{}, window, tsdb("2h")),
			Entry("is not lowered", tsdb("1d"), window, tsdb("1d")),
			Entry("is not written in another way", tsdb("120m"), window, tsdb("120m")),
			Entry("replaces none", tsdb("0"), window, tsdb("2h")),
			Entry("replaces an empty one", tsdb(""), window, tsdb("2h")),
			Entry("is not added if it is none", nil, time.Duration(0), nil),
			Entry("can have several units", tsdb("1h"), 36*time.Hour+time.Second, tsdb("1d12h1s")),
		)

		It("should name object, field, cause and cure if the window cannot be read, and change nothing", func() {
			p.Spec.TSDB = tsdb("soon")
			before := p.DeepCopy()

			Expect(Enable(p, window)).To(MatchError(And(
				ContainSubstring("spec.tsdb.outOfOrderTimeWindow of Prometheus garden/garden"),
				ContainSubstring(`not a valid duration string: "soon"`),
				ContainSubstring("correct it where this Prometheus is defined"),
			)))
			Expect(p).To(Equal(before))
			Expect(Enabled(p, window)).To(BeFalse())
		})
	})

	DescribeTable("Enabled", func(change func(*monitoringv1.PrometheusSpec), expected bool) {
		Expect(Enable(p, window)).To(Succeed())
		change(&p.Spec)
		before := p.DeepCopy()

		Expect(Enabled(p, window)).To(Equal(expected))
		Expect(p).To(Equal(before))
	},
		Entry("everything is set", func(*monitoringv1.PrometheusSpec) {}, true),
		Entry("no receiver", func(s *monitoringv1.PrometheusSpec) { s.EnableOTLPReceiver = nil }, false),
		Entry("no translation strategy", func(s *monitoringv1.PrometheusSpec) { s.OTLP = nil }, false),
		Entry("an external label is not promoted", func(s *monitoringv1.PrometheusSpec) {
			s.OTLP.PromoteResourceAttributes = s.OTLP.PromoteResourceAttributes[1:]
		}, false),
		Entry("no window", func(s *monitoringv1.PrometheusSpec) { s.TSDB = nil }, false),
		Entry("short window", func(s *monitoringv1.PrometheusSpec) { s.TSDB = tsdb("119m") }, false),
		Entry("long window", func(s *monitoringv1.PrometheusSpec) { s.TSDB = tsdb("3h") }, true),
	)

	Describe("Wanted", func() {
		extension := func(change func(*extensionsv1alpha1.Extension)) extensionsv1alpha1.Extension {
			ex := extensionsv1alpha1.Extension{
				ObjectMeta: metav1.ObjectMeta{Namespace: "garden", Name: "garden-otel-federation"},
				Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
					Type: "otel-federation", Class: new(extensionsv1alpha1.ExtensionClassGarden),
				}},
			}
			change(&ex)
			return ex
		}
		remove := func(ex *extensionsv1alpha1.Extension) { ex.DeletionTimestamp = new(metav1.Now()) }
		release := func(value string) func(*extensionsv1alpha1.Extension) {
			return func(ex *extensionsv1alpha1.Extension) {
				metav1.SetMetaDataAnnotation(&ex.ObjectMeta, "otel-federation.extensions.gardener.cloud/released", value)
			}
		}

		It("should be false without Extensions", func() {
			Expect(Wanted("garden", nil)).To(BeFalse())
		})

		DescribeTable("one Extension", func(expected bool, changes ...func(*extensionsv1alpha1.Extension)) {
			Expect(Wanted("garden", []extensionsv1alpha1.Extension{extension(func(ex *extensionsv1alpha1.Extension) {
				for _, change := range changes {
					change(ex)
				}
			})})).To(Equal(expected))
		},
			Entry("alive", true),
			Entry("of another namespace", false, func(ex *extensionsv1alpha1.Extension) { ex.Namespace = "foo" }),
			Entry("of another type", false, func(ex *extensionsv1alpha1.Extension) { ex.Spec.Type = "foo" }),
			Entry("of class seed", false, func(ex *extensionsv1alpha1.Extension) { ex.Spec.Class = new(extensionsv1alpha1.ExtensionClassSeed) }),
			Entry("without a class", false, func(ex *extensionsv1alpha1.Extension) { ex.Spec.Class = nil }),
			Entry("being deleted", true, remove),
			Entry("being deleted and released", false, remove, release("2026-01-01T00:00:00Z")),
			Entry("being deleted and not released", true, remove, release("")),
			Entry("alive although released", true, release("2026-01-01T00:00:00Z")),
		)

		It("should be true if one of several needs it", func() {
			released := extension(remove)
			release("2026-01-01T00:00:00Z")(&released)
			other := extension(func(ex *extensionsv1alpha1.Extension) { ex.Spec.Type = "foo" })

			Expect(Wanted("garden", []extensionsv1alpha1.Extension{released, other})).To(BeFalse())
			Expect(Wanted("garden", []extensionsv1alpha1.Extension{released, other, extension(func(*extensionsv1alpha1.Extension) {})})).To(BeTrue())
		})
	})

	Describe("Window", func() {
		It("should be that of an empty configuration by default", func() {
			Expect(Window(p)).To(Equal(2 * time.Hour))
		})

		It("should be that of the annotation", func() {
			p.Annotations = map[string]string{annotationWindow: "1h30m0s"}
			Expect(Window(p)).To(Equal(90 * time.Minute))
		})

		DescribeTable("should be the default if the annotation cannot be used", func(value string) {
			p.Annotations = map[string]string{annotationWindow: value}
			window, err := Window(p)
			Expect(window).To(Equal(2 * time.Hour))
			Expect(err).To(MatchError(And(ContainSubstring("annotation "+annotationWindow+" of Prometheus garden/garden"), ContainSubstring("remove it"))))
		},
			Entry("empty", ""),
			Entry("no duration", "soon"),
			Entry("none", "0s"),
			Entry("negative", "-2h"),
		)
	})
})
