// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package example_test

import (
	"context"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	"github.com/gardener/gardener-extension-otel-federation/test/integration/framework"
)

// example says what the objects in a file of the examples are for.
type example struct {
	// objects is the number of objects.
	objects int
	// cluster is the cluster that they are for.
	cluster func() *framework.Cluster
	// whole returns an object that an excerpt is a part of.
	whole func() client.Object
	// providerConfig returns the configuration of the extension in an object, if it is of a kind that has one.
	providerConfig func(*unstructured.Unstructured) *runtime.RawExtension
	// load loads that configuration.
	load func(*runtime.RawExtension) error
	// hasOption tells whether an option is commented out.
	hasOption bool
}

var examples = map[string]example{
	"extension.yaml": {objects: 1, cluster: inRuntimeCluster, hasOption: true},
	"garden.yaml": {
		objects: 2, cluster: inRuntimeCluster, providerConfig: ofSpecExtensions, load: loadGarden,
		whole: func() client.Object { return framework.NewGarden() },
	},
	"extension-garden.yaml":        {objects: 1, cluster: inRuntimeCluster, providerConfig: ofSpec, load: loadGarden},
	"extension-seed.yaml":          {objects: 1, cluster: inRuntimeCluster, providerConfig: ofSpec, load: loadSeed},
	"controller-registration.yaml": {objects: 2, cluster: inVirtualGarden, hasOption: true},
	"seed.yaml": {
		objects: 3, cluster: inVirtualGarden, providerConfig: ofSpecExtensions, load: loadSeed,
		whole: func() client.Object { return framework.NewSeed("seed") },
	},
}

// configurationFile is no object of an API server.
const configurationFile = "00-componentconfig.yaml"

func inRuntimeCluster() *framework.Cluster { return runtimeCluster }
func inVirtualGarden() *framework.Cluster  { return virtualGarden }

func ofSpec(object *unstructured.Unstructured) *runtime.RawExtension {
	return raw(object.Object, "spec", "providerConfig")
}

func ofSpecExtensions(object *unstructured.Unstructured) *runtime.RawExtension {
	return raw(entryOf(object, "extensions"), "providerConfig")
}

func loadGarden(providerConfig *runtime.RawExtension) error {
	_, err := loader.DecodeGardenFederationConfig(providerConfig)
	return err
}

func loadSeed(providerConfig *runtime.RawExtension) error {
	_, err := loader.DecodeSeedFederationConfig(providerConfig)
	return err
}

var _ = Describe("Examples", func() {
	It("should all be known to this test", func() {
		paths, err := filepath.Glob(filepath.Join(directory, "*.yaml"))
		Expect(err).NotTo(HaveOccurred())
		var files []string
		for _, path := range paths {
			files = append(files, filepath.Base(path))
		}

		known := []string{configurationFile}
		for file := range examples {
			known = append(known, file)
		}
		Expect(files).To(ConsistOf(known))
	})

	It("should have a valid configuration file", func() {
		_, err := loader.DecodeControllerConfiguration(read(configurationFile))
		Expect(err).NotTo(HaveOccurred())
	})

	for file, e := range examples {
		It("should be accepted by the API server: "+file, func(ctx context.Context) {
			objects := decode(read(file))
			Expect(objects).To(HaveLen(e.objects))
			for _, object := range objects {
				stored := e.create(ctx, object)
				if e.load != nil {
					By("Load the configuration as it is stored")
					Expect(e.providerConfig(stored)).To(Equal(e.providerConfig(object)))
					Expect(e.load(e.providerConfig(stored))).To(Succeed())
				}
			}
		})

		if e.hasOption {
			It("should be accepted by the API server, with the option that is commented out: "+file, func(ctx context.Context) {
				for _, object := range decode(option.ReplaceAll(read(file), []byte("$1$2"))) {
					stored := e.create(ctx, object)
					if stored.GetKind() != "ControllerDeployment" {
						Expect(entryOf(stored, "resources")).To(HaveKeyWithValue("autoEnable", ConsistOf("seed")))
					}
				}
			})
		}
	}
})

// create creates an object, and returns what the API server has stored. It leaves nothing behind.
func (e example) create(ctx context.Context, object *unstructured.Unstructured) *unstructured.Unstructured {
	GinkgoHelper()
	c := e.cluster().Client

	created := object.DeepCopy()
	if e.whole != nil {
		created = complete(created, e.whole())
	}
	Expect(strict(c).Create(ctx, created)).To(Succeed(), "%s %s", object.GetKind(), object.GetName())

	stored := created.DeepCopy()
	Expect(c.Get(ctx, client.ObjectKeyFromObject(created), stored)).To(Succeed())
	Expect(c.Delete(ctx, created)).To(Succeed())
	Eventually(ctx, func() error { return c.Get(ctx, client.ObjectKeyFromObject(created), created) }).Should(BeNotFoundError())
	return stored
}
