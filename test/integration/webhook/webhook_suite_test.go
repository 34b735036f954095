// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package webhook_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

func TestWebhook(t *testing.T) {
	RegisterFailHandler(Fail)
	SetDefaultEventuallyTimeout(15 * time.Second)
	SetDefaultConsistentlyDuration(time.Second)
	EnforceDefaultTimeoutsWhenUsingContexts()
	RunSpecs(t, "Test Integration Webhook Suite")
}

const (
	configurationName = "gardener-extension-otel-federation-runtime"
	// releaseNamespace is the namespace that gardener-operator would deploy the extension to.
	releaseNamespace = "runtime-extension-otel-federation"
)

var (
	cluster *framework.Cluster
	// service plays the Service: the API server knows only its address.
	service  *framework.Proxy
	replicas []*replica
)

var _ = BeforeSuite(func(ctx context.Context) {
	cluster = framework.StartCluster(framework.RuntimeCRDs...)
	Expect(cluster.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: releaseNamespace}})).To(Succeed())

	ports := freePorts(2)
	for _, port := range ports {
		replicas = append(replicas, &replica{port: port, certDir: GinkgoT().TempDir()})
	}
	service = framework.StartProxy(replicas[0].address(), replicas[1].address())
	for _, replica := range replicas {
		replica.start()
	}

	Eventually(ctx, func(g Gomega) {
		g.Expect(caBundle(ctx, g)).NotTo(BeEmpty())
	}).Should(Succeed())
}, NodeTimeout(2*time.Minute))

var _ = AfterSuite(func() {
	for _, replica := range replicas {
		replica.stop()
	}
})

func configuration(ctx context.Context, g Gomega) *admissionregistrationv1.MutatingWebhookConfiguration {
	GinkgoHelper()
	configuration := &admissionregistrationv1.MutatingWebhookConfiguration{ObjectMeta: metav1.ObjectMeta{Name: configurationName}}
	g.Expect(cluster.Client.Get(ctx, keyOf(configuration), configuration)).To(Succeed())
	return configuration
}

func caBundle(ctx context.Context, g Gomega) []byte {
	GinkgoHelper()
	webhooks := configuration(ctx, g).Webhooks
	g.Expect(webhooks).To(HaveLen(2))
	g.Expect(webhooks[1].ClientConfig.CABundle).To(Equal(webhooks[0].ClientConfig.CABundle))
	return webhooks[0].ClientConfig.CABundle
}
