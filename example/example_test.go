// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package example_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	corevalidation "github.com/gardener/gardener/pkg/api/core/validation"
	"github.com/gardener/gardener/pkg/apis/core"
	gardencoreinstall "github.com/gardener/gardener/pkg/apis/core/install"
	gardencorev1 "github.com/gardener/gardener/pkg/apis/core/v1"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	"github.com/gardener/gardener/pkg/utils/gardener/operator"
	. "github.com/gardener/gardener/pkg/utils/test/matchers"

	"github.com/gardener/gardener-extension-otel-federation/charts"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/seedcollector"
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

// providerConfigs of the examples, in the order of the file.
func gardenProviderConfigs() []*runtime.RawExtension {
	GinkgoHelper()
	var providerConfigs []*runtime.RawExtension
	for _, garden := range objects[*operatorv1alpha1.Garden]("garden.yaml") {
		Expect(garden.Spec.Extensions).To(HaveLen(1))
		Expect(garden.Spec.Extensions[0].Type).To(Equal(constants.ExtensionType))
		providerConfigs = append(providerConfigs, garden.Spec.Extensions[0].ProviderConfig)
	}
	return providerConfigs
}

func seedProviderConfigs() []*runtime.RawExtension {
	GinkgoHelper()
	var providerConfigs []*runtime.RawExtension
	for _, seed := range objects[*gardencorev1beta1.Seed]("seed.yaml") {
		Expect(seed.Spec.Extensions).To(HaveLen(1))
		Expect(seed.Spec.Extensions[0].Type).To(Equal(constants.ExtensionType))
		providerConfigs = append(providerConfigs, seed.Spec.Extensions[0].ProviderConfig)
	}
	return providerConfigs
}

// missing returns the paths of the fields of a configuration that none of the given ones has.
func missing[T any](providerConfigs ...*runtime.RawExtension) []string {
	GinkgoHelper()
	contents := make([]map[string]any, len(providerConfigs))
	for i, providerConfig := range providerConfigs {
		Expect(json.Unmarshal(providerConfig.Raw, &contents[i])).To(Succeed())
	}
	return missingOf(reflect.TypeFor[T](), "", contents)
}

func missingOf(t reflect.Type, prefix string, contents []map[string]any) []string {
	var paths []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" {
			continue // apiVersion and kind
		}

		var parts []map[string]any
		found := false
		for _, content := range contents {
			value, ok := content[name]
			found = found || ok
			if part, ok := value.(map[string]any); ok {
				parts = append(parts, part)
			}
		}

		fieldType := t.Field(i).Type
		if fieldType.Kind() == reflect.Pointer {
			fieldType = fieldType.Elem()
		}
		switch {
		case fieldType.Kind() == reflect.Struct && fieldType.PkgPath() == t.PkgPath():
			paths = append(paths, missingOf(fieldType, prefix+name+".", parts)...)
		case !found:
			paths = append(paths, prefix+name)
		}
	}
	return paths
}

func decodeChartFile(name string, into any) {
	GinkgoHelper()
	data, err := charts.Chart.ReadFile(charts.Name + "/" + name)
	Expect(err).NotTo(HaveOccurred())
	Expect(yaml.Unmarshal(data, into)).To(Succeed())
}

var _ = Describe("Examples", func() {
	It("should be known to this test", func() {
		files, err := filepath.Glob("*.yaml")
		Expect(err).NotTo(HaveOccurred())
		Expect(files).To(ConsistOf(
			"00-componentconfig.yaml",
			"extension-garden.yaml",
			"extension-seed.yaml",
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

		By("Validate what gardener-operator makes of it in the virtual garden")
		registration, controllerDeployment := operator.ControllerRegistrationForExtension(extensions[0])
		expectValid(registration, controllerDeployment)
		shown := objects[*gardencorev1beta1.ControllerRegistration]("controller-registration.yaml")[0]
		Expect(registration.Annotations).To(Equal(shown.Annotations))
		Expect(registration.Spec).To(Equal(shown.Spec))
		Expect(controllerDeployment.Helm).To(Equal(objects[*gardencorev1.ControllerDeployment]("controller-registration.yaml")[0].Helm))
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
		providerConfigs := gardenProviderConfigs()
		Expect(providerConfigs).To(HaveLen(2))
		Expect(providerConfigs[0]).To(BeNil())
		Expect(missing[v1alpha1.GardenFederationConfig](providerConfigs[1:]...)).To(BeEmpty())

		cfg, err := loader.DecodeGardenFederationConfig(providerConfigs[1])
		Expect(err).NotTo(HaveOccurred())
		defaults, err := loader.DecodeGardenFederationConfig(nil)
		Expect(err).NotTo(HaveOccurred())
		defaults.Resources = new(gardencollector.DefaultResources())
		// There is no default to show.
		defaults.Queue.Persistence.StorageClassName = new("default")
		Expect(cfg).To(DeepEqual(defaults))
	})

	It("should enable the extension in a Seed, with and without configuration, and without the garden part", func() {
		providerConfigs := seedProviderConfigs()
		Expect(providerConfigs).To(HaveLen(3))
		Expect(providerConfigs[0]).To(BeNil())
		Expect(missing[v1alpha1.SeedFederationConfig](providerConfigs[1])).To(HaveEach(HavePrefix("garden.")))
		Expect(missing[v1alpha1.SeedFederationConfig](providerConfigs[1:]...)).To(BeEmpty())

		cfg, err := loader.DecodeSeedFederationConfig(providerConfigs[1])
		Expect(err).NotTo(HaveOccurred())
		defaults, err := loader.DecodeSeedFederationConfig(nil)
		Expect(err).NotTo(HaveOccurred())
		defaults.Selectors = seedcollector.DefaultSelectors()
		defaults.Resources = new(seedcollector.DefaultResources())
		// There are no defaults to show.
		defaults.Compression.Level = new(int32(3))
		defaults.Queue.Persistence.StorageClassName = new("default")
		Expect(cfg).To(DeepEqual(defaults))

		cfg, err = loader.DecodeSeedFederationConfig(providerConfigs[2])
		Expect(err).NotTo(HaveOccurred())
		Expect(cfg.Garden).NotTo(BeNil())
	})

	DescribeTable("should show the Extensions that Gardener creates",
		func(file, name string, class extensionsv1alpha1.ExtensionClass, providerConfigs func() []*runtime.RawExtension) {
			extensions := objects[*extensionsv1alpha1.Extension](file)
			Expect(extensions).To(HaveLen(1))
			Expect(extensions[0].Namespace).To(Equal("garden"))
			Expect(extensions[0].Name).To(Equal(name))
			Expect(extensions[0].Spec.Type).To(Equal(constants.ExtensionType))
			Expect(extensions[0].Spec.Class).To(HaveValue(Equal(class)))
			Expect(extensions[0].Spec.ProviderConfig).To(Equal(providerConfigs()[1]))
		},
		Entry("seed", "extension-seed.yaml", "otel-federation", extensionsv1alpha1.ExtensionClassSeed, seedProviderConfigs),
		Entry("garden", "extension-garden.yaml", "garden-otel-federation", extensionsv1alpha1.ExtensionClassGarden, gardenProviderConfigs),
	)

	It("should carry the version of this repository, and so should the chart", func() {
		data, err := os.ReadFile("../VERSION")
		Expect(err).NotTo(HaveOccurred())
		version := strings.TrimSpace(string(data))
		repository := "europe-docker.pkg.dev/gardener-project/public/"
		reference := repository + "charts/gardener/extensions/otel-federation:" + version
		Expect(objects[*operatorv1alpha1.Extension]("extension.yaml")[0].Spec.Deployment.ExtensionDeployment.Helm.OCIRepository.GetURL()).To(Equal(reference))
		Expect(objects[*gardencorev1.ControllerDeployment]("controller-registration.yaml")[0].Helm.OCIRepository.GetURL()).To(Equal(reference))

		var chart struct{ Version string }
		decodeChartFile("Chart.yaml", &chart)
		Expect("v" + chart.Version).To(Equal(version))
		var values struct{ Image string }
		decodeChartFile("values.yaml", &values)
		Expect(values.Image).To(Equal(repository + "gardener/extensions/otel-federation:" + version))
	})
})
