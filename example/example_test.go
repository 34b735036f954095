// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package example_test

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"

	corevalidation "github.com/gardener/gardener/pkg/api/core/validation"
	"github.com/gardener/gardener/pkg/apis/core"
	gardencoreinstall "github.com/gardener/gardener/pkg/apis/core/install"
	gardencorev1 "github.com/gardener/gardener/pkg/apis/core/v1"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	"github.com/gardener/gardener/pkg/utils/gardener/operator"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

var scheme = runtime.NewScheme()

func init() {
	gardencoreinstall.Install(scheme)
	utilruntime.Must(extensionsv1alpha1.AddToScheme(scheme))
	utilruntime.Must(operatorv1alpha1.AddToScheme(scheme))
}

// documents returns the documents of an example as they are.
func documents(file string) [][]byte {
	GinkgoHelper()

	data, err := os.ReadFile(filepath.Clean(file))
	Expect(err).NotTo(HaveOccurred())

	var docs [][]byte
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return docs
		}
		Expect(err).NotTo(HaveOccurred())
		docs = append(docs, doc)
	}
}

// objects decodes each document of an example strictly, without defaults.
func objects[T runtime.Object](file string) []T {
	GinkgoHelper()

	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var decoded []T
	for _, doc := range documents(file) {
		obj, _, err := decoder.Decode(doc, nil, nil)
		Expect(err).NotTo(HaveOccurred(), "%s", doc)
		if typed, ok := obj.(T); ok {
			decoded = append(decoded, typed)
		}
	}
	return decoded
}

// expectValid applies the validation of gardener-apiserver.
func expectValid(registration *gardencorev1beta1.ControllerRegistration, deployment *gardencorev1.ControllerDeployment) {
	GinkgoHelper()

	registration, deployment = registration.DeepCopy(), deployment.DeepCopy()
	scheme.Default(registration)
	scheme.Default(deployment)

	internalRegistration, internalDeployment := &core.ControllerRegistration{}, &core.ControllerDeployment{}
	Expect(scheme.Convert(registration, internalRegistration, nil)).To(Succeed())
	Expect(scheme.Convert(deployment, internalDeployment, nil)).To(Succeed())
	Expect(corevalidation.ValidateControllerRegistration(internalRegistration)).To(BeEmpty())
	Expect(corevalidation.ValidateControllerDeployment(internalDeployment)).To(BeEmpty())
}

var _ = Describe("Examples", func() {
	It("should be known to this test", func() {
		files, err := filepath.Glob("*.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(files).To(ConsistOf(
			"00-componentconfig.yaml",
			"30-extension-garden.yaml",
			"30-extension-seed.yaml",
			"controller-registration.yaml",
			"extension.yaml",
			"garden.yaml",
			"seed.yaml",
		))
	})

	It("should show the defaults of the configuration file", func() {
		docs := documents("00-componentconfig.yaml")
		Expect(docs).To(HaveLen(1))
		cfg, err := loader.DecodeControllerConfiguration(docs[0])
		Expect(err).NotTo(HaveOccurred())

		defaults, err := loader.DecodeControllerConfiguration(nil)
		Expect(err).NotTo(HaveOccurred())
		Expect(cfg).To(Equal(defaults))
	})

	It("should register the extension with gardener-operator", func() {
		extensions := objects[*operatorv1alpha1.Extension]("extension.yaml")
		Expect(extensions).To(HaveLen(1))

		Expect(extensions[0].Spec.Resources).To(ConsistOf(gardencorev1beta1.ControllerResource{
			Kind:                 extensionsv1alpha1.ExtensionResource,
			Type:                 constants.ExtensionType,
			ClusterCompatibility: []gardencorev1beta1.ClusterType{operatorv1alpha1.ClusterTypeGarden, gardencorev1beta1.ClusterTypeSeed},
		}))
		deployment := extensions[0].Spec.Deployment.ExtensionDeployment
		Expect(deployment.InjectGardenKubeconfig).To(HaveValue(BeTrue()))
		Expect(deployment.RuntimeClusterValues).NotTo(BeNil())
		Expect(deployment.RuntimeClusterValues.Raw).To(MatchJSON(`{"replicaCount":2}`), "every replica serves the webhook")
		Expect(deployment.Helm.OCIRepository.GetURL()).To(HavePrefix("europe-docker.pkg.dev/gardener-project/"))

		By("Validate what gardener-operator makes of it in the virtual garden")
		registration, controllerDeployment := operator.ControllerRegistrationForExtension(extensions[0])
		expectValid(registration, controllerDeployment)
		Expect(registration.Spec).To(Equal(objects[*gardencorev1beta1.ControllerRegistration]("controller-registration.yaml")[0].Spec))
	})

	It("should register the seed part with the virtual garden", func() {
		const file = "controller-registration.yaml"
		Expect(documents(file)).To(HaveLen(2))

		deployments := objects[*gardencorev1.ControllerDeployment](file)
		Expect(deployments).To(HaveLen(1))
		Expect(deployments[0].InjectGardenKubeconfig).To(HaveValue(BeTrue()))

		registrations := objects[*gardencorev1beta1.ControllerRegistration](file)
		Expect(registrations).To(HaveLen(1))
		Expect(registrations[0].Spec.Deployment.DeploymentRefs).To(ConsistOf(gardencorev1beta1.DeploymentRef{Name: deployments[0].Name}))
		expectValid(registrations[0], deployments[0])
		Expect(registrations[0].Spec.Resources).To(ConsistOf(gardencorev1beta1.ControllerResource{
			Kind:                 extensionsv1alpha1.ExtensionResource,
			Type:                 constants.ExtensionType,
			ClusterCompatibility: []gardencorev1beta1.ClusterType{gardencorev1beta1.ClusterTypeSeed},
		}))
	})

	It("should enable the extension in a Garden, with and without configuration", func() {
		gardens := objects[*operatorv1alpha1.Garden]("garden.yaml")
		Expect(gardens).To(HaveLen(2))
		for _, garden := range gardens {
			Expect(garden.Spec.Extensions).To(HaveLen(1))
			Expect(garden.Spec.Extensions[0].Type).To(Equal(constants.ExtensionType))
			_, err := loader.DecodeGardenFederationConfig(garden.Spec.Extensions[0].ProviderConfig)
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(gardens[0].Spec.Extensions[0].ProviderConfig).To(BeNil())
		Expect(gardens[1].Spec.Extensions[0].ProviderConfig).NotTo(BeNil())
	})

	It("should enable the extension in a Seed, with and without configuration", func() {
		seeds := objects[*gardencorev1beta1.Seed]("seed.yaml")
		Expect(seeds).To(HaveLen(3))
		for i, seed := range seeds {
			Expect(seed.Spec.Extensions).To(HaveLen(1))
			Expect(seed.Spec.Extensions[0].Type).To(Equal(constants.ExtensionType))
			cfg, err := loader.DecodeSeedFederationConfig(seed.Spec.Extensions[0].ProviderConfig)
			Expect(err).NotTo(HaveOccurred())
			Expect(cfg.Garden != nil).To(Equal(i == 2))
		}
		Expect(seeds[0].Spec.Extensions[0].ProviderConfig).To(BeNil())
		Expect(seeds[1].Spec.Extensions[0].ProviderConfig).NotTo(BeNil())
	})

	DescribeTable("should show the Extensions that Gardener creates",
		func(file string, class extensionsv1alpha1.ExtensionClass, decode func(*runtime.RawExtension) error) {
			extensions := objects[*extensionsv1alpha1.Extension](file)
			Expect(extensions).To(HaveLen(1))
			Expect(extensions[0].Namespace).To(Equal("garden"))
			Expect(extensions[0].Spec.Type).To(Equal(constants.ExtensionType))
			Expect(extensions[0].Spec.Class).To(HaveValue(Equal(class)))
			Expect(decode(extensions[0].Spec.ProviderConfig)).To(Succeed())
		},
		Entry("seed", "30-extension-seed.yaml", extensionsv1alpha1.ExtensionClassSeed, func(raw *runtime.RawExtension) error {
			_, err := loader.DecodeSeedFederationConfig(raw)
			return err
		}),
		Entry("garden", "30-extension-garden.yaml", extensionsv1alpha1.ExtensionClassGarden, func(raw *runtime.RawExtension) error {
			_, err := loader.DecodeGardenFederationConfig(raw)
			return err
		}),
	)
})
