// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package integration_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/keyutil"
	"sigs.k8s.io/controller-runtime/pkg/client"
	logf "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/node"
)

const (
	namespacesVariable = "NODE_INTEGRATION_TEST_IN_NAMESPACES"
	adminToken         = "integration-test" // #nosec G101 -- Only valid within this test.
	clusterIndex       = 3
)

var (
	ctx           context.Context
	directory     string
	restConfig    *rest.Config
	testClient    client.Client
	config        node.Config
	currentNode   *runningNode
	testNamespace = "test"
)

// TestMain runs the tests in namespaces of their own, as the daemon of the landscape runs.
func TestMain(m *testing.M) {
	node.MaybeRunSandbox()
	if os.Getenv(namespacesVariable) != "" {
		os.Exit(m.Run())
	}

	command := exec.Command("/proc/self/exe", os.Args[1:]...) // #nosec G204 -- The test itself.
	command.Env = append(os.Environ(), namespacesVariable+"=1")
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if os.Getuid() != 0 || os.Getenv("NODE_INTEGRATION_TEST_ROOTLESS") != "" {
		command.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	err := command.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		os.Exit(exit.ExitCode())
	case err != nil:
		fmt.Fprintf(os.Stderr, "failed to start the tests in namespaces (the kernel must allow user namespaces, or run them as root): %v\n", err)
		os.Exit(1)
	}
}

func TestIntegration(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Landscape Node Integration Suite")
}

var _ = BeforeSuite(func() {
	SetDefaultEventuallyTimeout(30 * time.Second)
	SetDefaultEventuallyPollingInterval(100 * time.Millisecond)
	log := zap.New(zap.WriteTo(GinkgoWriter), zap.UseDevMode(true))
	logf.SetLogger(log)

	var cancel context.CancelFunc
	ctx, cancel = context.WithCancel(context.Background())
	DeferCleanup(cancel)
	var err error
	directory, err = os.MkdirTemp("", "node-integration")
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(os.RemoveAll, directory)

	By("Set up the network")
	Expect(node.SetUpNetwork()).To(Succeed())

	By("Build the container")
	binary := filepath.Join(directory, "testserver")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "./testserver") // #nosec G204 -- Own code.
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	output, err := build.CombinedOutput()
	Expect(err).NotTo(HaveOccurred(), string(output))

	By("Start the control plane")
	startControlPlane()
	testClient, err = client.New(restConfig, client.Options{Scheme: scheme.Scheme})
	Expect(err).NotTo(HaveOccurred())
	Eventually(func() error {
		return testClient.Get(ctx, client.ObjectKey{Namespace: "default", Name: "kubernetes"}, &corev1.Service{})
	}).WithTimeout(2 * time.Minute).Should(Succeed())
	namespace := &corev1.Namespace{}
	namespace.Name = testNamespace
	Expect(testClient.Create(ctx, namespace)).To(Succeed())

	By("Start the node")
	config = node.Config{
		Cluster:       "test",
		Index:         clusterIndex,
		RESTConfig:    restConfig,
		StateDir:      filepath.Join(directory, "state"),
		LogDir:        filepath.Join(directory, "logs"),
		Images:        []node.Image{{Match: "example.org/testserver:", Binary: binary, Path: "/bin/testserver"}},
		ExternalHosts: map[string]string{"*.ingress.example.org": node.GatewayIP(clusterIndex)},
		Logger:        log,
	}
	currentNode = startNode()
	DeferCleanup(func() { currentNode.stop() })
})

// runningNode is a node that can be stopped.
type runningNode struct {
	*node.Node

	cancel context.CancelFunc
	done   chan error
}

func startNode() *runningNode {
	instance, err := node.New(config)
	Expect(err).NotTo(HaveOccurred())
	nodeContext, cancel := context.WithCancel(ctx)
	running := &runningNode{Node: instance, cancel: cancel, done: make(chan error, 1)}
	go func() { running.done <- instance.Start(nodeContext) }()
	return running
}

func (n *runningNode) stop() {
	GinkgoHelper()
	n.cancel()
	Eventually(n.done).Should(Receive(Succeed()))
	Expect(n.Processes()).To(BeEmpty())
}

func startControlPlane() {
	ip := node.ControlPlaneIP(clusterIndex)
	tokens := filepath.Join(directory, "tokens.csv")
	Expect(os.WriteFile(tokens, []byte(adminToken+",admin,admin,system:masters\n"), 0o600)).To(Succeed())
	key := filepath.Join(directory, "service-account.key")
	pem, err := keyutil.MakeEllipticPrivateKeyPEM()
	Expect(err).NotTo(HaveOccurred())
	Expect(os.WriteFile(key, pem, 0o600)).To(Succeed())
	kubeconfig := filepath.Join(directory, "kubeconfig")
	server := "https://" + ip + ":6443"
	Expect(os.WriteFile(kubeconfig, fmt.Appendf(nil, `apiVersion: v1
kind: Config
clusters: [{name: test, cluster: {server: "%s", insecure-skip-tls-verify: true}}]
users: [{name: test, user: {token: %s}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
current-context: test
`, server, adminToken), 0o600)).To(Succeed())
	restConfig = &rest.Config{Host: server, BearerToken: adminToken, TLSClientConfig: rest.TLSClientConfig{Insecure: true}}

	etcd := "http://" + ip + ":2379"
	startPart("etcd", "--data-dir="+filepath.Join(directory, "etcd"), "--listen-client-urls="+etcd, "--advertise-client-urls="+etcd,
		"--listen-peer-urls=http://"+ip+":2380", "--unsafe-no-fsync")
	certificates := filepath.Join(directory, "certificates")
	startPart("kube-apiserver", "--etcd-servers="+etcd, "--bind-address="+ip, "--advertise-address="+ip, "--cert-dir="+certificates,
		"--service-cluster-ip-range="+node.ServiceCIDR(clusterIndex), "--token-auth-file="+tokens, "--authorization-mode=RBAC",
		"--service-account-issuer="+server, "--service-account-signing-key-file="+key, "--service-account-key-file="+key)
	startPart("kube-controller-manager", "--kubeconfig="+kubeconfig, "--bind-address="+ip, "--leader-elect=false",
		"--use-service-account-credentials=false", "--service-account-private-key-file="+key,
		"--root-ca-file="+filepath.Join(certificates, "apiserver.crt"))
}

// startPart starts a binary of the landscape, and starts it again when it ends too early.
func startPart(name string, args ...string) {
	binary, err := filepath.Abs(filepath.Join("..", "..", "..", "..", "bin", "landscape", name))
	Expect(err).NotTo(HaveOccurred())
	Expect(binary).To(BeAnExistingFile(), "build the parts of the landscape first")
	log, err := os.Create(filepath.Join(directory, name+".log")) // #nosec G304 -- A temporary directory.
	Expect(err).NotTo(HaveOccurred())
	partContext, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for partContext.Err() == nil {
			command := exec.CommandContext(partContext, binary, args...) // #nosec G204 -- Parts of the landscape.
			command.Stdout, command.Stderr, command.Dir = log, log, directory
			command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
			if err := command.Run(); err != nil && partContext.Err() == nil {
				time.Sleep(time.Second)
			}
		}
	}()
	DeferCleanup(func() {
		cancel()
		Eventually(stopped).Should(BeClosed())
		Expect(log.Close()).To(Succeed())
	})
}
