// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package framework

import (
	"context"
	"encoding/json"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/component/extensions/extension"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	extensionWaitInterval = 100 * time.Millisecond
	extensionTimeout      = 20 * time.Second
)

// Extension handles an Extension as gardenlet (class seed) and gardener-operator (class garden) do.
type Extension struct {
	// Key is its name.
	Key client.ObjectKey

	client client.Client
	class  extensionsv1alpha1.ExtensionClass
}

// NewSeedExtension returns the Extension of class seed.
func NewSeedExtension(c client.Client) *Extension {
	return newExtension(c, extensionsv1alpha1.ExtensionClassSeed, constants.ExtensionType)
}

// NewGardenExtension returns the Extension of class garden.
func NewGardenExtension(c client.Client) *Extension {
	return newExtension(c, extensionsv1alpha1.ExtensionClassGarden, "garden-"+constants.ExtensionType)
}

func newExtension(c client.Client, class extensionsv1alpha1.ExtensionClass, name string) *Extension {
	return &Extension{
		Key:    client.ObjectKey{Namespace: v1beta1constants.GardenNamespace, Name: name},
		client: c,
		class:  class,
	}
}

// Deploy creates the Extension or updates it, and asks for its reconciliation. It does not wait.
func (e *Extension) Deploy(ctx context.Context, kind string, config map[string]any) {
	GinkgoHelper()
	Expect(e.deployer(kind, config).Deploy(ctx)).To(Succeed())
}

// DeployAndWait also waits until the reconciliation has succeeded.
func (e *Extension) DeployAndWait(ctx context.Context, kind string, config map[string]any) {
	GinkgoHelper()
	deployer := e.deployer(kind, config)
	Expect(deployer.Deploy(ctx)).To(Succeed())
	Expect(deployer.Wait(ctx)).To(Succeed())
}

// Delete asks for the deletion of the Extension. It does not wait.
func (e *Extension) Delete(ctx context.Context) {
	GinkgoHelper()
	Expect(e.deployer("", nil).Destroy(ctx)).To(Succeed())
}

// WaitUntilDeleted waits until the Extension is gone.
func (e *Extension) WaitUntilDeleted(ctx context.Context) {
	GinkgoHelper()
	Expect(e.deployer("", nil).WaitCleanup(ctx)).To(Succeed())
}

// Get returns the Extension as it is.
func (e *Extension) Get(ctx context.Context, g Gomega) *extensionsv1alpha1.Extension {
	GinkgoHelper()
	ex := &extensionsv1alpha1.Extension{}
	g.Expect(e.client.Get(ctx, e.Key, ex)).To(Succeed())
	return ex
}

func (e *Extension) deployer(kind string, config map[string]any) extension.Interface {
	GinkgoHelper()
	object := map[string]any{"apiVersion": "otel-federation.extensions.gardener.cloud/v1alpha1", "kind": kind}
	for key, value := range config {
		object[key] = value
	}
	raw, err := json.Marshal(object)
	Expect(err).NotTo(HaveOccurred())

	var prefix *string
	if e.class == extensionsv1alpha1.ExtensionClassGarden {
		prefix = new("garden-")
	}
	return extension.New(logr.Discard(), e.client, &extension.Values{
		Class:      &e.class,
		Namespace:  e.Key.Namespace,
		NamePrefix: prefix,
		Extensions: map[string]extension.Extension{constants.ExtensionType: {
			Extension: extensionsv1alpha1.Extension{
				ObjectMeta: metav1.ObjectMeta{Namespace: e.Key.Namespace, Name: constants.ExtensionType},
				Spec: extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{
					Type:           constants.ExtensionType,
					ProviderConfig: &runtime.RawExtension{Raw: raw},
				}},
			},
			Timeout: extensionTimeout,
		}},
	}, extensionWaitInterval, extension.DefaultSevereThreshold, extensionTimeout)
}

// ObjectsOf returns the objects in a ManagedResource.
func ObjectsOf(ctx context.Context, g Gomega, c client.Client, managedResource string) []client.Object {
	GinkgoHelper()
	objects, err := managedresources.GetObjects(ctx, c, v1beta1constants.GardenNamespace, managedResource)
	g.Expect(err).NotTo(HaveOccurred())
	return objects
}

// ObjectOf returns the first object of the given type in a ManagedResource, or nothing.
func ObjectOf[T client.Object](ctx context.Context, g Gomega, c client.Client, managedResource string) T {
	GinkgoHelper()
	var none T
	for _, object := range ObjectsOf(ctx, g, c, managedResource) {
		if typed, ok := object.(T); ok {
			return typed
		}
	}
	return none
}

// Apply creates the objects in a ManagedResource, as gardener-resource-manager does, and removes them when the test ends.
func Apply(ctx context.Context, c client.Client, managedResource string) {
	GinkgoHelper()
	for _, object := range ObjectsOf(ctx, Default, c, managedResource) {
		Expect(c.Create(ctx, object)).To(Succeed(), "%T %s", object, client.ObjectKeyFromObject(object))
		DeferCleanup(func(ctx context.Context) {
			Expect(client.IgnoreNotFound(c.Delete(ctx, object))).To(Succeed())
		})
	}
}

// ExpectServed expects that the API server takes the objects in a ManagedResource as they are: that they are valid, and that
// it knows all of their fields. It would silently drop those that it does not know.
func ExpectServed(ctx context.Context, c client.Client, managedResource string) {
	GinkgoHelper()
	strict := client.NewDryRunClient(client.WithFieldValidation(c, metav1.FieldValidationStrict))
	for _, object := range ObjectsOf(ctx, Default, c, managedResource) {
		Expect(strict.Create(ctx, object)).To(Succeed(), "%T %s", object, client.ObjectKeyFromObject(object))
	}
}
