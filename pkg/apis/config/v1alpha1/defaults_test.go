// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package v1alpha1_test

import (
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	componentbaseconfigv1alpha1 "k8s.io/component-base/config/v1alpha1"

	extensionsconfigv1alpha1 "github.com/gardener/gardener/extensions/pkg/apis/config/v1alpha1"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
)

var _ = Describe("Defaults", func() {
	duration := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

	Describe("SeedFederationConfig", func() {
		It("should default everything but the selectors, the override of the garden, and the resources", func() {
			obj := &SeedFederationConfig{}

			SetObjectDefaults_SeedFederationConfig(obj)

			Expect(obj).To(Equal(&SeedFederationConfig{
				Scrape:      ScrapeConfiguration{Interval: duration(time.Minute), Timeout: duration(50 * time.Second)},
				Compression: CompressionConfiguration{Algorithm: "zstd", Level: new(int32(3))},
				Queue: QueueConfiguration{
					Capacity:    new(int64(8400000)),
					Persistence: QueuePersistence{Type: "PersistentVolume", Size: new(resource.MustParse("4Gi"))},
				},
				DebugExporter: new(false),
			}))
		})

		It("should keep what is set", func() {
			obj := &SeedFederationConfig{
				Scrape:              ScrapeConfiguration{Interval: duration(2 * time.Minute), Timeout: duration(time.Minute)},
				Selectors:           []string{"a"},
				AdditionalSelectors: []string{"b"},
				Garden:              &GardenEndpoint{Endpoint: "https://garden.example.com"},
				Compression:         CompressionConfiguration{Algorithm: "gzip", Level: new(int32(3))},
				Queue: QueueConfiguration{
					Capacity:    new(int64(1)),
					Persistence: QueuePersistence{Type: "EmptyDir", Size: new(resource.MustParse("1Gi"))},
				},
				DebugExporter: new(true),
			}
			expected := obj.DeepCopy()

			SetObjectDefaults_SeedFederationConfig(obj)

			Expect(obj).To(Equal(expected))
		})

		DescribeTable("scrape timeout",
			func(interval, expected time.Duration) {
				obj := &SeedFederationConfig{Scrape: ScrapeConfiguration{Interval: duration(interval)}}
				SetObjectDefaults_SeedFederationConfig(obj)
				Expect(obj.Scrape.Timeout.Duration).To(Equal(expected))
			},
			Entry("long interval", 5*time.Minute, 50*time.Second),
			Entry("short interval", 10*time.Second, 10*time.Second),
		)

		DescribeTable("volume size",
			func(persistenceType PersistenceType, expected *resource.Quantity) {
				obj := &SeedFederationConfig{Queue: QueueConfiguration{Persistence: QueuePersistence{Type: persistenceType}}}
				SetObjectDefaults_SeedFederationConfig(obj)
				Expect(obj.Queue.Persistence).To(Equal(QueuePersistence{Type: persistenceType, Size: expected}))
			},
			Entry("PersistentVolume", PersistenceTypePersistentVolume, new(resource.MustParse("4Gi"))),
			Entry("EmptyDir", PersistenceTypeEmptyDir, new(resource.MustParse("4Gi"))),
			Entry("None", PersistenceTypeNone, nil),
		)
	})

	Describe("GardenFederationConfig", func() {
		It("should default everything but the resources and the denied seeds", func() {
			obj := &GardenFederationConfig{}

			SetObjectDefaults_GardenFederationConfig(obj)

			Expect(obj).To(Equal(&GardenFederationConfig{
				Ingress:  IngressConfiguration{HostPrefix: new("otel-federation")},
				Replicas: new(int32(2)),
				Queue: QueueConfiguration{
					Capacity:    new(int64(168000000)),
					Persistence: QueuePersistence{Type: "PersistentVolume", Size: new(resource.MustParse("50Gi"))},
				},
				Token:                TokenConfiguration{Validity: duration(168 * time.Hour), RenewAfter: duration(24 * time.Hour)},
				OutOfOrderTimeWindow: duration(2 * time.Hour),
				HandOver:             HandOverConfiguration{Mode: "Automatic", FreshFor: duration(5 * time.Minute), ReturnAfter: duration(2 * time.Minute)},
				SeedSelector:         &metav1.LabelSelector{},
				DebugExporter:        new(false),
			}))
		})

		It("should keep what is set", func() {
			obj := &GardenFederationConfig{
				Ingress:  IngressConfiguration{HostPrefix: new("federation")},
				Replicas: new(int32(3)),
				Queue: QueueConfiguration{
					Capacity:    new(int64(1)),
					Persistence: QueuePersistence{Type: "None"},
				},
				Token:                TokenConfiguration{Validity: duration(time.Hour), RenewAfter: duration(2 * time.Minute)},
				OutOfOrderTimeWindow: duration(time.Hour),
				HandOver:             HandOverConfiguration{Mode: "Push", FreshFor: duration(time.Minute), ReturnAfter: duration(time.Second)},
				SeedSelector:         &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}},
				DeniedSeeds:          []string{"bad"},
				DebugExporter:        new(true),
			}
			expected := obj.DeepCopy()

			SetObjectDefaults_GardenFederationConfig(obj)

			Expect(obj).To(Equal(expected))
		})

		DescribeTable("token renewal",
			func(validity, expected time.Duration) {
				obj := &GardenFederationConfig{Token: TokenConfiguration{Validity: duration(validity)}}
				SetObjectDefaults_GardenFederationConfig(obj)
				Expect(obj.Token.RenewAfter.Duration).To(Equal(expected))
			},
			Entry("long validity", 30*24*time.Hour, 24*time.Hour),
			Entry("short validity", 10*time.Minute, 85*time.Second),
		)
	})

	Describe("ControllerConfiguration", func() {
		It("should default the client connection and the health check", func() {
			obj := &ControllerConfiguration{}

			SetObjectDefaults_ControllerConfiguration(obj)

			Expect(obj).To(Equal(&ControllerConfiguration{
				ClientConnection:  &componentbaseconfigv1alpha1.ClientConnectionConfiguration{QPS: 100, Burst: 130},
				HealthCheckConfig: &extensionsconfigv1alpha1.HealthCheckConfig{SyncPeriod: metav1.Duration{Duration: 30 * time.Second}},
			}))
		})

		It("should keep what is set", func() {
			obj := &ControllerConfiguration{
				ClientConnection:  &componentbaseconfigv1alpha1.ClientConnectionConfiguration{Kubeconfig: "file", QPS: 1, Burst: 2},
				HealthCheckConfig: &extensionsconfigv1alpha1.HealthCheckConfig{SyncPeriod: metav1.Duration{Duration: time.Minute}},
			}
			expected := obj.DeepCopy()

			SetObjectDefaults_ControllerConfiguration(obj)

			Expect(obj).To(Equal(expected))
		})

		It("should default the parts of what is set", func() {
			obj := &ControllerConfiguration{
				ClientConnection:  &componentbaseconfigv1alpha1.ClientConnectionConfiguration{Kubeconfig: "file"},
				HealthCheckConfig: &extensionsconfigv1alpha1.HealthCheckConfig{},
			}

			SetObjectDefaults_ControllerConfiguration(obj)

			Expect(obj.ClientConnection).To(Equal(&componentbaseconfigv1alpha1.ClientConnectionConfiguration{Kubeconfig: "file", QPS: 100, Burst: 130}))
			Expect(obj.HealthCheckConfig.SyncPeriod.Duration).To(Equal(30 * time.Second))
		})
	})
})
