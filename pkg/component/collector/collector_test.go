// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collector_test

import (
	"context"
	"errors"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	. "github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

const name = "foo"

var _ = Describe("Collector", func() {
	Describe("#New", func() {
		for _, queue := range collectortest.QueueVariants(1000) {
			It("should render a collector with a queue "+queue.Name, func() {
				expected := collectortest.OpenTelemetryCollector(name, "component", "image:v1")
				expected.Annotations = map[string]string{"annotation": "a"}
				expected.Spec.PriorityClassName = "priority"
				expected.Spec.PodAnnotations = map[string]string{"pod": "b"}
				expected.Spec.Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse("1")}
				expected.Spec.Volumes = []corev1.Volume{{Name: "other"}}
				expected.Spec.VolumeMounts = []corev1.VolumeMount{{Name: "other", MountPath: "/other"}}
				expected.Spec.Config = queueConfig()
				queue.Expect(expected)

				config := queueConfig()
				config.Extensions.Object, config.Service.Extensions = Extensions(queue.Queue)

				Expect(New(Values{
					Name:               name,
					ServiceAccountName: "component",
					Namespace:          "garden",
					Labels:             collectortest.ObjectLabels("component"),
					Annotations:        map[string]string{"annotation": "a"},
					PodAnnotations:     map[string]string{"pod": "b"},
					Image:              "image:v1",
					PriorityClassName:  "priority",
					Resources:          corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("1")}},
					Queue:              queue.Queue,
					Volumes:            []corev1.Volume{{Name: "other"}},
					VolumeMounts:       []corev1.VolumeMount{{Name: "other", MountPath: "/other"}},
					Config:             config,
				})).To(BeComparableTo(expected))
			})
		}
	})

	Describe("the check of the queue", func() {
		initContainers := func(queue Queue, image string) []corev1.Container {
			return New(Values{Name: name, Queue: queue, CheckQueueImage: image}).Spec.InitContainers
		}

		for _, queue := range collectortest.QueueVariants(1000) {
			It("should be made before the collector starts, if there is a file: "+queue.Name, func() {
				if queue.Queue.Storage == StorageMemory {
					Expect(initContainers(queue.Queue, "extension:v1")).To(BeEmpty())
					return
				}
				Expect(initContainers(queue.Queue, "extension:v1")).To(ConsistOf(corev1.Container{
					Name:  "check-queue",
					Image: "extension:v1",
					Args:  []string{"check-queue", "--directory=/var/lib/otelcol"},
					Resources: corev1.ResourceRequirements{
						Requests: corev1.ResourceList{"cpu": resource.MustParse("10m"), "memory": resource.MustParse("32Mi")},
					},
					SecurityContext: &corev1.SecurityContext{
						AllowPrivilegeEscalation: new(false),
						ReadOnlyRootFilesystem:   new(true),
						Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
					},
					VolumeMounts: []corev1.VolumeMount{{Name: "queue", MountPath: "/var/lib/otelcol"}},
				}))
			})

			It("should not be made without an image: "+queue.Name, func() {
				Expect(initContainers(queue.Queue, "")).To(BeEmpty())
			})
		}
	})

	DescribeTable("the memory limit of the Go runtime", func(limits corev1.ResourceList, storage StorageType, expected []corev1.EnvVar) {
		Expect(New(Values{Resources: corev1.ResourceRequirements{Limits: limits}, Queue: Queue{Storage: storage}}).Spec.Env).To(Equal(expected))
	},
		Entry("no limit", corev1.ResourceList{"cpu": resource.MustParse("1")}, StoragePersistentVolume, nil),
		Entry("room for the file of the queue", corev1.ResourceList{"memory": resource.MustParse("1000Ki")}, StoragePersistentVolume, []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "307200"}}),
		Entry("room for the file of the queue on the node", corev1.ResourceList{"memory": resource.MustParse("1000Ki")}, StorageEmptyDir, []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "307200"}}),
		Entry("a queue in memory", corev1.ResourceList{"memory": resource.MustParse("1000Ki")}, StorageMemory, []corev1.EnvVar{{Name: "GOMEMLIMIT", Value: "819200"}}),
	)

	DescribeTable("#MemoryLimiter", func(limits corev1.ResourceList, expected map[string]any) {
		Expect(MemoryLimiter(corev1.ResourceRequirements{Limits: limits})).To(Equal(expected))
	},
		Entry("no limit", nil, map[string]any{"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20}),
		Entry("a limit for something else", corev1.ResourceList{"cpu": resource.MustParse("1")}, map[string]any{"check_interval": "1s", "limit_percentage": 80, "spike_limit_percentage": 20}),
		Entry("a limit in binary units", corev1.ResourceList{"memory": resource.MustParse("1000Mi")}, map[string]any{"check_interval": "1s", "limit_mib": int64(800), "spike_limit_mib": int64(200)}),
		Entry("a limit in decimal units", corev1.ResourceList{"memory": resource.MustParse("1G")}, map[string]any{"check_interval": "1s", "limit_mib": int64(762), "spike_limit_mib": int64(190)}),
	)

	DescribeTable("#MetricsInterval", func(interval, expected time.Duration) {
		Expect(MetricsInterval(interval)).To(Equal(expected))
	},
		Entry("as it is", 15*time.Second, 15*time.Second),
		Entry("not more than the lookback of queries allows", 10*time.Minute, time.Minute),
		Entry("not all the time", time.Millisecond, time.Second),
	)

	DescribeTable("#QueueFor", func(cfg config.QueueConfiguration, expected Queue) {
		Expect(QueueFor(cfg)).To(Equal(expected))
	},
		Entry("a PersistentVolume",
			config.QueueConfiguration{Capacity: new(int64(5)), Persistence: config.QueuePersistence{Type: config.PersistenceTypePersistentVolume, Size: new(resource.MustParse("1Gi")), StorageClassName: new("fast")}},
			Queue{Capacity: 5, Storage: StoragePersistentVolume, Size: resource.MustParse("1Gi"), StorageClassName: new("fast")}),
		Entry("an emptyDir",
			config.QueueConfiguration{Capacity: new(int64(5)), Persistence: config.QueuePersistence{Type: config.PersistenceTypeEmptyDir, Size: new(resource.MustParse("1Gi"))}},
			Queue{Capacity: 5, Storage: StorageEmptyDir, Size: resource.MustParse("1Gi")}),
		Entry("memory",
			config.QueueConfiguration{Capacity: new(int64(5)), Persistence: config.QueuePersistence{Type: config.PersistenceTypeNone}},
			Queue{Capacity: 5, Storage: StorageMemory}),
	)

	Describe("#DeployClaim", func() {
		var (
			ctx    = context.Background()
			c      client.Client
			labels = collectortest.ObjectLabels("component")
		)

		BeforeEach(func() {
			c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
				Create: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.CreateOption) error {
					// The fake client does not set it.
					obj.SetCreationTimestamp(metav1.Now())
					return c.Create(ctx, obj, opts...)
				},
			}).Build()
		})

		deploy := func(size string, storageClassName *string) {
			GinkgoHelper()
			Expect(DeployClaim(ctx, c, name, "garden", labels, Queue{Storage: StoragePersistentVolume, Size: resource.MustParse(size), StorageClassName: storageClassName})).To(Succeed())
		}
		expect := func(size string) {
			GinkgoHelper()
			collectortest.ExpectClaim(ctx, c, name, "component", &corev1.PersistentVolumeClaimSpec{
				AccessModes:      []corev1.PersistentVolumeAccessMode{"ReadWriteOnce"},
				StorageClassName: new("fast"),
				Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse(size)}},
			})
		}

		for _, queue := range collectortest.QueueVariants(1000) {
			It("should deploy what a queue "+queue.Name+" needs", func() {
				Expect(DeployClaim(ctx, c, name, "garden", labels, queue.Queue)).To(Succeed())
				collectortest.ExpectClaim(ctx, c, name, "component", queue.Claim)
			})
		}

		It("should enlarge a claim as soon as it is bound", func() {
			deploy("4Gi", new("fast"))
			expect("4Gi")
			deploy("5Gi", new("fast"))
			expect("4Gi")

			claims := &corev1.PersistentVolumeClaimList{}
			Expect(c.List(ctx, claims)).To(Succeed())
			Expect(claims.Items).To(HaveLen(1))
			claims.Items[0].Status.Phase = corev1.ClaimBound
			Expect(c.Status().Update(ctx, &claims.Items[0])).To(Succeed())
			deploy("5Gi", new("fast"))
			expect("5Gi")
			deploy("5Gi", nil)
			expect("5Gi")
		})

		DescribeTable("should tell a size that the configuration lowers from a claim that somebody else has enlarged", func(annotation, requested, configured string, refused bool) {
			claim := &corev1.PersistentVolumeClaim{
				ObjectMeta: metav1.ObjectMeta{Name: name + "-queue", Namespace: "garden", CreationTimestamp: metav1.Now()},
				Spec: corev1.PersistentVolumeClaimSpec{
					StorageClassName: new("fast"),
					Resources:        corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse(requested)}},
				},
				Status: corev1.PersistentVolumeClaimStatus{Phase: corev1.ClaimBound},
			}
			if annotation != "" {
				claim.Annotations = map[string]string{"otel-federation.extensions.gardener.cloud/configured-size": annotation}
			}
			Expect(c.Create(ctx, claim)).To(Succeed())

			err := DeployClaim(ctx, c, name, "garden", labels, Queue{Storage: StoragePersistentVolume, Size: resource.MustParse(configured)})
			Expect(c.Get(ctx, client.ObjectKeyFromObject(claim), claim)).To(Succeed())
			size, canonical := claim.Spec.Resources.Requests["storage"], resource.MustParse(configured)
			if refused {
				Expect(err).To(MatchError(ContainSubstring("size cannot become " + configured + ", which is less than " + annotation)))
				Expect(claim.Annotations).To(HaveKeyWithValue("otel-federation.extensions.gardener.cloud/configured-size", annotation))
				Expect(size.String()).To(Equal(requested))
				return
			}
			Expect(err).NotTo(HaveOccurred())
			Expect(claim.Annotations).To(HaveKeyWithValue("otel-federation.extensions.gardener.cloud/configured-size", canonical.String()))
			Expect(size.Cmp(resource.MustParse(requested))).To(BeNumerically(">=", 0), "a claim never becomes smaller")
			Expect(size.Cmp(resource.MustParse(configured))).To(BeNumerically(">=", 0))
		},
			Entry("enlarged by somebody else", "4Gi", "10Gi", "4Gi", false),
			Entry("enlarged by somebody else, and a little by the configuration", "4Gi", "10Gi", "6Gi", false),
			Entry("enlarged by somebody else, and more by the configuration", "4Gi", "10Gi", "12Gi", false),
			Entry("the same size in another unit", "4Gi", "10Gi", "4096Mi", false),
			Entry("lowered", "4Gi", "4Gi", "3Gi", true),
			Entry("enlarged by somebody else, but lowered by the configuration", "4Gi", "10Gi", "3Gi", true),
			Entry("configured but never reached, and taken back", "5Gi", "4Gi", "4Gi", false),
			Entry("nothing remembered, the same size", "", "4Gi", "4Gi", false),
			Entry("nothing remembered, a larger claim", "", "10Gi", "4Gi", false),
			Entry("nothing remembered, a smaller claim", "", "4Gi", "5Gi", false),
			Entry("remembered what cannot be read", "much", "10Gi", "4Gi", false),
		)

		DescribeTable("should refuse what would leave samples behind", func(queue Queue, message string) {
			deploy("4Gi", new("fast"))
			Expect(DeployClaim(ctx, c, name, "garden", labels, queue)).To(MatchError(And(
				HavePrefix("spec.providerConfig.queue.persistence."+message), ContainSubstring("PersistentVolumeClaim garden/"+name+"-queue"), ContainSubstring("disable the extension"),
			)))
			expect("4Gi")
		},
			Entry("a smaller volume", Queue{Storage: StoragePersistentVolume, Size: resource.MustParse("1Gi")}, "size cannot become 1Gi, which is less than 4Gi"),
			Entry("another class", Queue{Storage: StoragePersistentVolume, Size: resource.MustParse("4Gi"), StorageClassName: new("slow")}, "storageClassName cannot become slow"),
			Entry("an emptyDir", Queue{Storage: StorageEmptyDir, Size: resource.MustParse("4Gi")}, "type cannot become EmptyDir"),
			Entry("memory", Queue{Storage: StorageMemory}, "type cannot become None"),
		)
	})

	Describe("#WaitCleanup", func() {
		var (
			ctx     = context.Background()
			listErr error
			c       client.Client
		)

		BeforeEach(func() {
			c = fakeclient.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithInterceptorFuncs(interceptor.Funcs{
				List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					if _, ok := list.(*otelv1beta1.OpenTelemetryCollectorList); ok {
						return listErr
					}
					return c.List(ctx, list, opts...)
				},
			}).Build()
		})

		It("should succeed if the OpenTelemetryCollector's kind does not exist", func() {
			listErr = &meta.NoKindMatchError{}
			Expect(WaitCleanup(ctx, c, "garden", name)).To(Succeed())
		})

		It("should fail at once if the OpenTelemetryCollector cannot be read", func() {
			listErr = errors.New("no permission")
			Expect(WaitCleanup(ctx, c, "garden", name)).To(MatchError(ContainSubstring("no permission")))
		})
	})
})

// queueConfig is a configuration with the extensions of a queue in memory.
func queueConfig() otelv1beta1.Config {
	return otelv1beta1.Config{
		Extensions: &otelv1beta1.AnyConfig{Object: map[string]any{"health_check": map[string]any{"endpoint": "[::]:13133"}}},
		Service:    otelv1beta1.Service{Extensions: []string{"health_check"}},
	}
}
