// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package framework starts what the integration tests run the controllers against: real API servers, without any other
// controller. What gardener-resource-manager, the garbage collector or the OpenTelemetry operator would do, the tests do.
package framework

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	gardenerenvtest "github.com/gardener/gardener/test/envtest"
)

// SeedCRDs are the files of the gardener module with the CustomResourceDefinitions of a seed that concern this extension.
var SeedCRDs = []string{
	"example/seed-crds/10-crd-autoscaling.k8s.io_verticalpodautoscalers.yaml",
	"example/seed-crds/10-crd-extensions.gardener.cloud_clusters.yaml",
	"example/seed-crds/10-crd-extensions.gardener.cloud_extensions.yaml",
	"example/seed-crds/10-crd-monitoring.coreos.com_prometheusrules.yaml",
	"example/seed-crds/10-crd-monitoring.coreos.com_servicemonitors.yaml",
	"example/seed-crds/10-crd-resources.gardener.cloud_managedresources.yaml",
	"pkg/component/networking/istio/charts/istio/istio-crds/crd-all.gen.yaml",
	"pkg/component/observability/opentelemetry/operator/assets/crd-opentelemetry.io_opentelemetrycollectors.yaml",
}

// RuntimeCRDs are those of the runtime cluster.
var RuntimeCRDs = append([]string{
	"example/operator/10-crd-operator.gardener.cloud_gardens.yaml",
	"example/seed-crds/10-crd-monitoring.coreos.com_prometheuses.yaml",
	"example/seed-crds/10-crd-monitoring.coreos.com_scrapeconfigs.yaml",
}, SeedCRDs...)

// Cluster is a running API server.
type Cluster struct {
	// Config is the configuration for clients that may do everything.
	Config *rest.Config
	// Client is a client that may do everything and reads without a cache.
	Client client.Client

	environment *envtest.Environment
}

// StartCluster starts an API server with CustomResourceDefinitions from files of the gardener module, and with a namespace
// `garden`. It runs until the suite ends.
func StartCluster(crdFiles ...string) *Cluster {
	GinkgoHelper()
	cluster := &Cluster{environment: newEnvironment("etcd", "kube-apiserver")}
	cluster.environment.CRDDirectoryPaths = absolutePaths(crdFiles)
	cluster.start(cluster.environment)
	return cluster
}

// StartVirtualGarden starts an API server that also serves Gardener's own APIs.
func StartVirtualGarden() *Cluster {
	GinkgoHelper()
	cluster := &Cluster{environment: newEnvironment("etcd", "kube-apiserver", "gardener-apiserver")}
	cluster.start(&gardenerenvtest.GardenerTestEnvironment{
		Environment: cluster.environment,
		GardenerAPIServer: &gardenerenvtest.GardenerAPIServer{
			Path: filepath.Join(cluster.environment.BinaryAssetsDirectory, "gardener-apiserver"),
			Args: []string{"--disable-admission-plugins=ExtensionValidator,ResourceReferenceManager,SeedValidator"},
		},
	})
	return cluster
}

func newEnvironment(binaries ...string) *envtest.Environment {
	GinkgoHelper()
	logf.SetLogger(zap.New(zap.UseDevMode(true), zap.WriteTo(GinkgoWriter)))

	environment := &envtest.Environment{
		BinaryAssetsDirectory: binaryAssetsDirectory(binaries),
		ErrorIfCRDPathMissing: true,
	}
	// Nobody removes the finalizer that this plugin adds to PersistentVolumeClaims.
	environment.ControlPlane.GetAPIServer().Configure().Append("disable-admission-plugins", "StorageObjectInUseProtection")
	return environment
}

func (c *Cluster) start(environment interface {
	Start() (*rest.Config, error)
	Stop() error
}) {
	GinkgoHelper()
	DeferCleanup(func() {
		Expect(environment.Stop()).To(Succeed())
	})

	var err error
	c.Config, err = environment.Start()
	Expect(err).NotTo(HaveOccurred(), "failed to start the API servers")
	c.Client, err = client.New(c.Config, client.Options{Scheme: clientScheme()})
	Expect(err).NotTo(HaveOccurred())

	Expect(c.Client.Create(GinkgoT().Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
		Name:   v1beta1constants.GardenNamespace,
		Labels: map[string]string{v1beta1constants.GardenRole: v1beta1constants.GardenNamespace},
	}})).To(Succeed())
}

// ConfigFor returns the configuration for clients that may do only what RBAC allows the given user.
func (c *Cluster) ConfigFor(userName string) *rest.Config {
	GinkgoHelper()
	user, err := c.environment.AddUser(envtest.User{Name: userName}, nil)
	Expect(err).NotTo(HaveOccurred())
	return user.Config()
}

func binaryAssetsDirectory(binaries []string) string {
	GinkgoHelper()
	directory := filepath.Join(repositoryRoot(), "bin", "landscape")
	for _, name := range binaries {
		_, err := os.Stat(filepath.Join(directory, name))
		Expect(err).NotTo(HaveOccurred(), "%s is missing: run `make landscape-binaries`", name)
	}
	return directory
}

func absolutePaths(files []string) []string {
	GinkgoHelper()
	gardener := gardenerDirectory()
	paths := make([]string, 0, len(files))
	for _, file := range files {
		if !filepath.IsAbs(file) {
			file = filepath.Join(gardener, file)
		}
		paths = append(paths, file)
	}
	return paths
}

// gardenerDirectory is the directory of the gardener module, so that the definitions are those of the version in go.mod.
func gardenerDirectory() string {
	GinkgoHelper()
	command := exec.CommandContext(GinkgoT().Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/gardener/gardener")
	command.Dir = repositoryRoot()
	output, err := command.Output()
	Expect(err).NotTo(HaveOccurred(), "failed to find the gardener module")
	directory := strings.TrimSpace(string(output))
	Expect(directory).NotTo(BeEmpty(), "the gardener module is not downloaded: run `go mod download`")
	return directory
}

func repositoryRoot() string {
	GinkgoHelper()
	start, err := os.Getwd()
	Expect(err).NotTo(HaveOccurred())
	for directory := start; ; directory = filepath.Dir(directory) {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			return directory
		}
		if directory == filepath.Dir(directory) {
			Fail(fmt.Sprintf("there is no go.mod in %s and the directories above it", start))
		}
	}
}

// Address is the host and port of the API server.
func (c *Cluster) Address() string {
	return c.environment.ControlPlane.GetAPIServer().HostPort()
}
