// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials_test

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gardener/gardener/pkg/client/kubernetes"
	operatorclient "github.com/gardener/gardener/pkg/operator/client"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

var _ = Describe("Cleanup", func() {
	var ctx = context.Background()

	Describe("#DeleteAll", func() {
		var (
			virtualGarden client.Client
			failures      int
			lists         int
			onList        func()
		)

		newSecret := func(namespace, name string, ours bool) *corev1.Secret {
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
			if ours {
				secret.Labels = credentials.ObjectLabels()
			}
			return secret
		}
		namespaces := func() []string {
			GinkgoHelper()
			secrets := &corev1.SecretList{}
			failures, onList = 0, func() {}
			Expect(virtualGarden.List(ctx, secrets)).To(Succeed())
			var result []string
			for _, secret := range secrets.Items {
				result = append(result, secret.Namespace+"/"+secret.Name)
			}
			return result
		}

		BeforeEach(func() {
			failures, lists, onList = 0, 0, func() {}
			virtualGarden = fakeclient.NewClientBuilder().
				WithScheme(kubernetes.GardenScheme).
				WithIndex(&corev1.Secret{}, metav1.ObjectNameField, func(obj client.Object) []string { return []string{obj.GetName()} }).
				WithInterceptorFuncs(interceptor.Funcs{List: func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
					lists++
					if failures > 0 {
						failures--
						return errors.New("unreachable")
					}
					onList()
					return c.List(ctx, list, opts...)
				}}).
				WithObjects(
					newSecret("seed-a", "otel-federation", true),
					newSecret("seed-b", "otel-federation", true),
					newSecret("seed-c", "otel-federation", false),
					newSecret("seed-d", "other", true),
					newSecret("garden-foo", "otel-federation", true),
				).
				Build()
		})

		It("should delete ours and nothing else", func() {
			Expect(DeleteAll(ctx, virtualGarden, time.Millisecond)).To(Succeed())
			Expect(namespaces()).To(ConsistOf("seed-c/otel-federation", "seed-d/other", "garden-foo/otel-federation"))
		})

		It("should delete one that appears meanwhile", func() {
			onList = func() {
				if lists == 2 {
					Expect(virtualGarden.Create(ctx, newSecret("seed-e", "otel-federation", true))).To(Succeed())
				}
			}
			Expect(DeleteAll(ctx, virtualGarden, time.Millisecond)).To(Succeed())
			Expect(namespaces()).To(ConsistOf("seed-c/otel-federation", "seed-d/other", "garden-foo/otel-federation"))
		})

		It("should survive some failures", func() {
			failures = 3
			Expect(DeleteAll(ctx, virtualGarden, time.Millisecond)).To(Succeed())
			Expect(namespaces()).To(HaveLen(3))
		})

		It("should give up after some failures", func() {
			failures = 100
			Expect(DeleteAll(ctx, virtualGarden, time.Millisecond)).To(MatchError(ContainSubstring("failed 4 times")))
			Expect(lists).To(Equal(4))
		})

		It("should give up when the context ends and say why", func() {
			failures = 100
			ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
			defer cancel()
			Expect(DeleteAll(ctx, virtualGarden, time.Minute)).To(MatchError(ContainSubstring("unreachable")))
		})
	})

	Describe("#Cleanup", func() {
		var (
			runtimeClient client.Client
			configMap     *corev1.ConfigMap
		)

		BeforeEach(func() {
			runtimeClient = fakeclient.NewClientBuilder().WithScheme(operatorclient.RuntimeScheme).Build()
			configMap = newIssuer().Config.ConfigMap("garden")
			Expect(runtimeClient.Create(ctx, configMap)).To(Succeed())
		})

		AfterEach(func() {
			Expect(runtimeClient.Get(ctx, client.ObjectKeyFromObject(configMap), configMap)).To(MatchError(apierrors.IsNotFound, "IsNotFound"))
		})

		It("should stop the issuer and be content if there is no Garden", func() {
			Expect(Cleanup(ctx, logr.Discard(), runtimeClient, "garden")).To(Succeed())
			Expect(Cleanup(ctx, logr.Discard(), runtimeClient, "garden")).To(Succeed())
		})

		It("should not contact the virtual garden if the Garden is being deleted", func() {
			garden, kubeconfig, token := accessObjects("https://127.0.0.1:1", nil, "sesame")
			garden.Finalizers = []string{"gardener"}
			for _, obj := range []client.Object{garden, kubeconfig, token} {
				Expect(runtimeClient.Create(ctx, obj)).To(Succeed())
			}
			Expect(runtimeClient.Delete(ctx, garden)).To(Succeed())

			start := time.Now()
			Expect(Cleanup(ctx, logr.Discard(), runtimeClient, "garden")).To(Succeed())
			Expect(time.Since(start)).To(BeNumerically("<", time.Second))
		})

		It("should be content if the virtual garden cannot be reached until the context ends", func() {
			garden, kubeconfig, token := accessObjects("https://127.0.0.1:1", nil, "sesame")
			for _, obj := range []client.Object{garden, kubeconfig, token} {
				Expect(runtimeClient.Create(ctx, obj)).To(Succeed())
			}

			ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
			defer cancel()
			Expect(Cleanup(ctx, logr.Discard(), runtimeClient, "garden")).To(Succeed())
		})
	})
})
