// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/pkg/client/kubernetes"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
)

var _ = Describe("Webhook of the garden extension", func() {
	var (
		ctx       context.Context
		c         client.Client
		writes    int
		failure   error
		l         *Landscape
		endpoints *WebhookEndpoints
		readiness []*atomic.Bool
	)

	BeforeEach(func() {
		ctx = context.Background()
		writes, failure, readiness = 0, nil, nil
		c = interceptor.NewClient(fake.NewClientBuilder().WithScheme(kubernetes.SeedScheme).Build(), interceptor.Funcs{
			Update: func(ctx context.Context, c client.WithWatch, obj client.Object, opts ...client.UpdateOption) error {
				if failure != nil {
					return failure
				}
				writes++
				return c.Update(ctx, obj, opts...)
			},
		})
		l = &Landscape{Runtime: &cluster.Cluster{Name: cluster.NameRuntime, Dir: GinkgoT().TempDir()}}
		endpoints = l.GardenWebhookEndpoints(c, logr.Discard())
		endpoints.readyURLs = nil
		for range GardenExtensionReplicas {
			ready := &atomic.Bool{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if !ready.Load() {
					w.WriteHeader(http.StatusInternalServerError)
				}
			}))
			DeferCleanup(server.Close)
			readiness = append(readiness, ready)
			endpoints.readyURLs = append(endpoints.readyURLs, server.URL)
		}
		Expect(endpoints.Deploy(ctx)).To(Succeed())
	})

	readSlice := func() *discoveryv1.EndpointSlice {
		GinkgoHelper()
		slice := &discoveryv1.EndpointSlice{}
		Expect(c.Get(ctx, endpoints.service.key, slice)).To(Succeed())
		return slice
	}
	readyAddresses := func() []string {
		GinkgoHelper()
		addresses := []string{}
		for _, endpoint := range readSlice().Endpoints {
			Expect(endpoint.Conditions.Ready).NotTo(BeNil(), "the API server takes an unknown endpoint for ready")
			if *endpoint.Conditions.Ready {
				addresses = append(addresses, endpoint.Addresses...)
			}
		}
		return addresses
	}

	It("should connect the Service with endpoints of which none is ready", func() {
		service := &corev1.Service{}
		Expect(c.Get(ctx, endpoints.service.key, service)).To(Succeed())
		Expect(service.Spec.Selector).To(BeEmpty())
		Expect(service.Spec.Ports).To(HaveLen(1))
		Expect(service.Spec.Ports[0].Port).To(BeEquivalentTo(443))

		slice := readSlice()
		Expect(slice.Labels).To(HaveKeyWithValue(discoveryv1.LabelServiceName, service.Name))
		Expect(slice.Ports).To(ConsistOf(discoveryv1.EndpointPort{
			Name: new(service.Spec.Ports[0].Name), Port: new(service.Spec.Ports[0].TargetPort.IntVal), Protocol: new(corev1.ProtocolTCP),
		}))
		Expect(slice.Endpoints).To(HaveLen(2))
		Expect(readyAddresses()).To(BeEmpty())
	})

	It("should follow the readiness of each process, and write only what has changed", func() {
		Expect(endpoints.update(ctx)).To(Succeed())
		Expect(writes).To(BeZero())

		readiness[1].Store(true)
		Expect(endpoints.update(ctx)).To(Succeed())
		Expect(readyAddresses()).To(ConsistOf("198.18.0.21"))

		readiness[0].Store(true)
		Expect(endpoints.update(ctx)).To(Succeed())
		Expect(endpoints.update(ctx)).To(Succeed())
		Expect(readyAddresses()).To(ConsistOf("198.18.0.20", "198.18.0.21"))

		readiness[1].Store(false)
		Expect(endpoints.update(ctx)).To(Succeed())
		Expect(readyAddresses()).To(ConsistOf("198.18.0.20"))
		Expect(writes).To(Equal(3))
	})

	It("should write again what could not be written", func() {
		readiness[0].Store(true)
		failure = errors.New("fake")
		Expect(endpoints.update(ctx)).To(MatchError(failure))
		failure = nil
		Expect(endpoints.update(ctx)).To(Succeed())
		Expect(readyAddresses()).To(ConsistOf("198.18.0.20"))
	})

	It("should say what the webhook lacks until it can be called", func() {
		Expect(checkGardenWebhook(ctx, c)).To(MatchError(ContainSubstring("failed to read MutatingWebhookConfiguration " + gardenWebhookName)))

		configuration := &admissionregistrationv1.MutatingWebhookConfiguration{
			ObjectMeta: metav1.ObjectMeta{Name: gardenWebhookName},
			Webhooks:   []admissionregistrationv1.MutatingWebhook{{Name: "prometheus"}},
		}
		Expect(c.Create(ctx, configuration)).To(Succeed())
		Expect(checkGardenWebhook(ctx, c)).To(MatchError(ContainSubstring("webhook prometheus of MutatingWebhookConfiguration " + gardenWebhookName + " has no CA bundle")))

		configuration.Webhooks[0].ClientConfig.CABundle = []byte("ca")
		Expect(c.Update(ctx, configuration)).To(Succeed())
		Expect(checkGardenWebhook(ctx, c)).To(MatchError(ContainSubstring("no endpoint of EndpointSlice " + NamespaceRuntimeExtension + "/" + gardenWebhookName + " is ready")))

		readiness[0].Store(true)
		Expect(endpoints.update(ctx)).To(Succeed())
		Expect(checkGardenWebhook(ctx, c)).To(Succeed())
	})

	It("should give each replica an address, files and a name of its own, but the same election", func() {
		first, err := l.GardenExtension(0)
		Expect(err).NotTo(HaveOccurred())
		second, err := l.GardenExtension(1)
		Expect(err).NotTo(HaveOccurred())
		Expect(first.Name).To(Equal("runtime-extension-garden-0"))
		Expect(second.Name).To(Equal("runtime-extension-garden-1"))
		Expect(first.Env).To(ContainElement("WEBHOOK_CONFIG_NAMESPACE=" + NamespaceRuntimeExtension))

		Expect(first.Args).To(ContainElements("--webhook-config-server-host=198.18.0.20", "--webhook-config-server-port=10250"))
		Expect(second.Args).To(HaveLen(len(first.Args)))
		var different []string
		for i, argument := range first.Args {
			if argument != second.Args[i] {
				flag, _, _ := strings.Cut(argument, "=")
				different = append(different, flag)
			}
		}
		Expect(different).To(ConsistOf(
			"--config", "--metrics-bind-address", "--health-bind-address", "--webhook-config-server-host", "--webhook-config-cert-dir",
		))
	})
})
