// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package gardener plays gardener-operator and gardenlet in the local landscape: it installs what they install before an
// extension comes, with Gardener's own component code wherever there is some, and creates the Extension objects as they do.
package gardener

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/component"
	"github.com/gardener/gardener/pkg/component/autoscaling/vpa"
	"github.com/gardener/gardener/pkg/component/crddeployer"
	extensioncrds "github.com/gardener/gardener/pkg/component/extensions/crds"
	runtimegardensystem "github.com/gardener/gardener/pkg/component/garden/system/runtime"
	"github.com/gardener/gardener/pkg/component/observability/monitoring/prometheusoperator"
	oteloperator "github.com/gardener/gardener/pkg/component/observability/opentelemetry/operator"
	seedsystem "github.com/gardener/gardener/pkg/component/seed/system"
	"github.com/gardener/gardener/pkg/utils/managedresources"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
)

const (
	// Namespace is the namespace of Gardener's system components on the runtime cluster and on seeds.
	Namespace = v1beta1constants.GardenNamespace
	// NamespaceGardenIstioIngress is the namespace of the ingress gateway that gardener-operator deploys.
	NamespaceGardenIstioIngress = operatorv1alpha1.VirtualGardenNamePrefix + v1beta1constants.DefaultSNIIngressNamespace
	// NamespaceSeedIstioIngress is the namespace of the ingress gateway that gardenlet deploys.
	NamespaceSeedIstioIngress = v1beta1constants.DefaultSNIIngressNamespace
	// NamespaceRuntimeExtension is the namespace into which gardener-operator deploys the extension.
	NamespaceRuntimeExtension = "runtime-extension-otel-federation"
	// NamespaceSeedExtension is the namespace into which gardenlet deploys the extension.
	NamespaceSeedExtension = "extension-otel-federation"
	// GardenIngressDomain is the ingress domain of the runtime cluster.
	GardenIngressDomain = "ingress.garden.local"

	// The labels by which Gardener tells ingress gateways apart (pkg/component/networking/istio).
	labelIstio     = "istio"
	labelIstioRole = "istio-role"

	fieldManager = "landscape"
)

// GardenIstioLabels are the labels of the ingress gateway pods that gardener-operator deploys.
func GardenIstioLabels() map[string]string {
	return map[string]string{labelIstio: "ingressgateway", labelIstioRole: "garden"}
}

// SeedIstioLabels are the labels of the ingress gateway pods that gardenlet deploys.
func SeedIstioLabels() map[string]string {
	return map[string]string{labelIstio: "ingressgateway", labelIstioRole: "seed"}
}

// SeedIngressDomain is the ingress domain of a seed.
func SeedIngressDomain(seed string) string { return "ingress." + seed + ".local" }

// DeployCRDs deploys the custom resource definitions that gardener-operator (on the runtime cluster) and gardenlet (on seeds)
// deploy and that this landscape uses, and waits until they can be used.
func DeployCRDs(ctx context.Context, c client.Client, gardenerDir string, isRuntime bool) error {
	// Istio's are read from the file too, because their component's package would pull in more modules than it is worth.
	files := []string{
		"example/seed-crds/10-crd-resources.gardener.cloud_managedresources.yaml",
		"pkg/component/networking/istio/charts/istio/istio-crds/crd-all.gen.yaml",
	}
	if isRuntime {
		files = append(files, "example/operator/10-crd-operator.gardener.cloud_gardens.yaml", "example/operator/10-crd-operator.gardener.cloud_extensions.yaml")
	}
	var manifests []string
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(gardenerDir, file)) // #nosec G304 -- A file of the gardener module.
		if err != nil {
			return fmt.Errorf("failed to read a manifest of the gardener module: %w", err)
		}
		manifests = append(manifests, string(data))
	}

	group, ctx := errgroup.WithContext(ctx)
	for _, create := range []func() (component.DeployWaiter, error){
		func() (component.DeployWaiter, error) { return crddeployer.New(c, manifests, false) },
		func() (component.DeployWaiter, error) { return extensioncrds.NewCRD(c, true, false) },
		func() (component.DeployWaiter, error) { return prometheusoperator.NewCRDs(c) },
		func() (component.DeployWaiter, error) { return oteloperator.NewCRDs(c) },
		func() (component.DeployWaiter, error) { return vpa.NewCRD(c, nil) },
	} {
		group.Go(func() error {
			crds, err := create()
			if err != nil {
				return err
			}
			return component.OpWait(crds).Deploy(ctx)
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("failed to deploy CustomResourceDefinitions: %w", err)
	}
	return nil
}

// DeployFoundation deploys the namespaces, priority classes and the cluster role of Prometheus.
func DeployFoundation(ctx context.Context, c client.Client, isRuntime bool) error {
	namespaces := map[string]string{
		Namespace:                 Namespace,
		NamespaceSeedIstioIngress: v1beta1constants.GardenRoleIstioIngress,
		NamespaceSeedExtension:    v1beta1constants.GardenRoleExtension,
	}
	if isRuntime {
		namespaces[NamespaceGardenIstioIngress] = v1beta1constants.GardenRoleIstioIngress
	}
	for name, role := range namespaces {
		if err := apply(ctx, c, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{v1beta1constants.GardenRole: role}}}); err != nil {
			return err
		}
	}

	system, err := render(ctx, seedsystem.ManagedResourceName, func(c client.Client) component.Deployer {
		return seedsystem.New(c, Namespace, seedsystem.Values{ManagePriorityClasses: true})
	})
	if err != nil {
		return err
	}
	objects := onlyKinds(system, "PriorityClass")
	if isRuntime {
		system, err := render(ctx, runtimegardensystem.ManagedResourceName, func(c client.Client) component.Deployer {
			return runtimegardensystem.New(c, Namespace)
		})
		if err != nil {
			return err
		}
		objects = append(objects, onlyKinds(system, "PriorityClass")...)
	}
	operator, err := render(ctx, "prometheus-operator", func(c client.Client) component.Deployer {
		return prometheusoperator.New(c, Namespace, prometheusoperator.Values{})
	})
	if err != nil {
		return err
	}
	for _, object := range append(objects, onlyKinds(operator, "ClusterRole")...) {
		if err := apply(ctx, c, object); err != nil {
			return err
		}
	}
	return nil
}

// render lets a component deploy to a fake client, and returns the objects of its ManagedResource.
func render(ctx context.Context, managedResourceName string, newComponent func(client.Client) component.Deployer, objects ...client.Object) ([]client.Object, error) {
	c := fake.NewClientBuilder().WithScheme(kubernetes.SeedScheme).WithObjects(objects...).Build()
	if err := newComponent(c).Deploy(ctx); err != nil {
		return nil, fmt.Errorf("failed to render ManagedResource %s: %w", managedResourceName, err)
	}
	rendered, err := managedresources.GetObjects(ctx, c, Namespace, managedResourceName)
	if err != nil {
		return nil, fmt.Errorf("failed to read the objects of the rendered ManagedResource %s: %w", managedResourceName, err)
	}
	return rendered, nil
}

func onlyKinds(objects []client.Object, kind string) []client.Object {
	var out []client.Object
	for _, object := range objects {
		if kindOf(object) == kind {
			out = append(out, object)
		}
	}
	return out
}

func kindOf(object client.Object) string {
	return reflect.TypeOf(object).Elem().Name()
}

// apply creates an object, or replaces it if it is there.
func apply(ctx context.Context, c client.Client, object client.Object) error {
	object = object.DeepCopyObject().(client.Object)
	err := c.Create(ctx, object, client.FieldOwner(fieldManager))
	if apierrors.IsAlreadyExists(err) {
		current := object.DeepCopyObject().(client.Object)
		if err := c.Get(ctx, client.ObjectKeyFromObject(object), current); err != nil {
			return fmt.Errorf("failed to read %s %s: %w", kindOf(object), client.ObjectKeyFromObject(object), err)
		}
		object.SetResourceVersion(current.GetResourceVersion())
		err = c.Update(ctx, object, client.FieldOwner(fieldManager))
	}
	if err != nil {
		return fmt.Errorf("failed to create %s %s: %w", kindOf(object), client.ObjectKeyFromObject(object), err)
	}
	return nil
}

// Landscape says what the functions of this package need to know about the landscape.
type Landscape struct {
	// BinDir is the directory with the binaries of third-party programs.
	BinDir string
	// Root is the directory of this repository.
	Root string
	// GardenerDir is the directory of the gardener module.
	GardenerDir string
	// ScrapeInterval is the interval at which everything is scraped and evaluated.
	ScrapeInterval time.Duration
	// Runtime is the runtime cluster.
	Runtime *cluster.Cluster
	// VirtualGarden is the virtual garden.
	VirtualGarden *cluster.Cluster
}
