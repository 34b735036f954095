// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/leaks"
)

// tokenFile is where gardener-resource-manager mounts the token of a ServiceAccount.
const tokenFile = "var/run/secrets/kubernetes.io/serviceaccount/token"

// keptSecret are the resources that are made to hold secrets: only their metadata must have none.
var keptSecret = []string{"secrets", "internalsecrets"}

var _ = Describe("Secrets", Ordered, func() {
	var (
		secrets *leaks.Secrets
		marker  []byte
	)

	BeforeAll(func(ctx SpecContext) {
		secrets = liveSecrets(ctx)
		AddReportEntry("texts that are searched for", secrets.Len())

		random := make([]byte, 32)
		_, err := rand.Read(random)
		Expect(err).NotTo(HaveOccurred())
		marker = []byte(hex.EncodeToString(random))
		Expect(secrets.Add("marker", marker)).To(BeTrue())
	})

	It("should know the secrets of the federation", func(ctx SpecContext) {
		for _, c := range ls.Seeds() {
			secret := &corev1.Secret{}
			Expect(ls.Client(c.Name).Get(ctx, client.ObjectKey{Namespace: nsGarden, Name: constants.CredentialsSecretName}, secret)).To(Succeed())
			Expect(secrets.SearchText(string(secret.Data[constants.DataKeyToken]))).NotTo(BeEmpty(), "token of seed %s", c.Seed)
		}
		list := &corev1.SecretList{}
		Expect(ls.Runtime().List(ctx, list)).To(Succeed())
		known := 0
		for _, secret := range list.Items {
			if strings.HasPrefix(secret.Name, constants.SigningKeySecretName) || strings.HasPrefix(secret.Name, "ca-otel-federation") || strings.HasPrefix(secret.Name, "otel-federation-server") {
				for _, data := range secret.Data {
					known += len(secrets.SearchText(string(data)))
				}
			}
		}
		Expect(known).To(BeNumerically(">=", 2), "signing key, keys of the CA and of the server")
	})

	for _, name := range []string{cluster.NameRuntime, cluster.NameVirtualGarden, secondSeed} {
		It("should be in no object of cluster "+name+" but in Secrets", func(ctx SpecContext) {
			// Proves that the search sees objects, and what is in the metadata of Secrets.
			configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "leak"}, Data: map[string]string{"key": string(marker)}}
			secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "leak", Annotations: map[string]string{"key": string(marker)}}}
			kept := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "kept"}, Data: map[string][]byte{"key": marker}}
			for _, object := range []client.Object{configMap, secret, kept} {
				createForSpec(ctx, ls.Client(name), object)
			}

			findings, objects := searchObjects(ctx, name, secrets)
			Expect(objects).To(BeNumerically(">", 100))
			control := []string{"marker in configmaps default/leak", "marker in metadata of secrets default/leak"}
			Expect(findings).To(ContainElements(control), "the search must find what is there")
			Expect(slices.DeleteFunc(findings, func(finding string) bool { return slices.Contains(control, finding) })).To(BeEmpty())
		})
	}

	It("should be in no log", func() {
		findings, searched := searchFiles(secrets, ls.LogDir(), "")
		Expect(searched).To(BeNumerically(">", 100_000), "bytes of logs")
		Expect(findings).To(BeEmpty())
	})

	It("should be in no audit log", func() {
		for _, c := range ls.Clusters {
			findings, searched := searchFiles(secrets, filepath.Dir(c.Kubeconfig), cluster.AuditLogName)
			Expect(searched).To(BeNumerically(">", 1000), "bytes of the audit log of cluster %s", c.Name)
			Expect(findings).To(BeEmpty())
		}
	})

	It("should be in no arguments and no environment of a process", func() {
		var findings []string
		processes := landscapeProcesses()
		Expect(len(processes)).To(BeNumerically(">", 20))
		for _, pid := range processes {
			for _, file := range []string{"cmdline", "environ"} {
				data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
				if err != nil {
					continue // It has ended.
				}
				for _, kind := range secrets.SearchText(string(data)) {
					findings = append(findings, fmt.Sprintf("%s in %s of %s", kind, file, programOf(pid)))
				}
			}
		}
		Expect(findings).To(BeEmpty())
	})
})

// liveSecrets returns what is secret in all clusters: private keys, tokens and passwords in Secrets, and the tokens that are mounted into pods.
func liveSecrets(ctx context.Context) *leaks.Secrets {
	secrets := &leaks.Secrets{}
	for _, c := range ls.Clusters {
		list := &corev1.SecretList{}
		ExpectWithOffset(1, ls.Client(c.Name).List(ctx, list)).To(Succeed())
		ExpectWithOffset(1, list.Items).NotTo(BeEmpty())
		for _, secret := range list.Items {
			for key, value := range secret.Data {
				kind := fmt.Sprintf("%s of Secret %s/%s in cluster %s", key, secret.Namespace, secret.Name, c.Name)
				switch {
				case bytes.Contains(value, []byte("PRIVATE KEY-----")), slices.Contains([]string{"token", "password", "auth", "bearerToken"}, key):
					secrets.Add(kind, value)
				case key == "kubeconfig":
					addKubeconfig(secrets, kind, value)
				}
			}
		}
	}
	for _, pid := range landscapeProcesses() {
		if token, err := os.ReadFile(fmt.Sprintf("/proc/%d/root/%s", pid, tokenFile)); err == nil {
			secrets.Add("token of the ServiceAccount of "+programOf(pid), token)
		}
	}
	return secrets
}

func addKubeconfig(secrets *leaks.Secrets, kind string, value []byte) {
	kubeconfig, err := clientcmd.Load(value)
	if err != nil {
		return
	}
	for _, user := range kubeconfig.AuthInfos {
		secrets.Add(kind, []byte(user.Token))
		secrets.Add(kind, []byte(user.Password))
		secrets.Add(kind, user.ClientKeyData)
	}
}

// searchObjects searches all objects of all kinds that the API server serves. It also returns how many these are.
func searchObjects(ctx context.Context, clusterName string, secrets *leaks.Secrets) ([]string, int) {
	config := adminConfig(clusterName)
	discoveryClient, err := discovery.NewDiscoveryClientForConfig(config)
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	lists, err := discoveryClient.ServerPreferredResources()
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	dynamicClient, err := dynamic.NewForConfig(config)
	ExpectWithOffset(1, err).NotTo(HaveOccurred())

	var (
		findings []string
		objects  int
	)
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		ExpectWithOffset(1, err).NotTo(HaveOccurred())
		for _, resource := range list.APIResources {
			if !slices.Contains(resource.Verbs, "list") {
				continue
			}
			items, err := dynamicClient.Resource(gv.WithResource(resource.Name)).List(ctx, metav1.ListOptions{})
			if apierrors.IsMethodNotSupported(err) || apierrors.IsNotFound(err) {
				continue
			}
			ExpectWithOffset(1, err).NotTo(HaveOccurred(), "list of %s", resource.Name)
			for _, item := range items.Items {
				objects++
				findings = append(findings, searchObject(secrets, resource.Name, item)...)
			}
		}
	}
	return findings, objects
}

func searchObject(secrets *leaks.Secrets, resource string, object unstructured.Unstructured) []string {
	where := resource + " " + object.GetName()
	if object.GetNamespace() != "" {
		where = resource + " " + object.GetNamespace() + "/" + object.GetName()
	}
	if slices.Contains(keptSecret, resource) {
		where = "metadata of " + where
		object = unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Metadata", "metadata": object.Object["metadata"]}}
	}
	text, err := object.MarshalJSON()
	ExpectWithOffset(2, err).NotTo(HaveOccurred())

	var findings []string
	for _, kind := range secrets.SearchText(string(text)) {
		findings = append(findings, kind+" in "+where)
	}
	return findings
}

// searchFiles searches all files in a directory, or those with a name. It also returns how many bytes these have.
func searchFiles(secrets *leaks.Secrets, directory, name string) ([]string, int64) {
	var (
		findings []string
		searched int64
	)
	ExpectWithOffset(1, filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || name != "" && entry.Name() != name {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }()
		kinds, n, err := secrets.Search(file)
		searched += n
		for _, kind := range kinds {
			findings = append(findings, kind+" in "+path)
		}
		return err
	})).To(Succeed())
	return findings, searched
}

// landscapeProcesses returns the daemon of the landscape and all processes that descend from it.
func landscapeProcesses() []int {
	parents := map[int]int{}
	entries, err := os.ReadDir("/proc")
	ExpectWithOffset(1, err).NotTo(HaveOccurred())
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue // It has ended.
		}
		// The second field is the command in parentheses and may contain anything. The parent is the second one after it.
		if fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); len(fields) > 1 {
			parents[pid], _ = strconv.Atoi(fields[1])
		}
	}

	var pids []int
	for pid := range parents {
		for ancestor, steps := pid, 0; ancestor > 1 && steps < 50; ancestor, steps = parents[ancestor], steps+1 {
			if ancestor == ls.PID {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}

// programOf returns the name of the program of a process. The arguments are left out: they are what is searched.
func programOf(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return "a process that has ended"
	}
	return strings.TrimSpace(string(name))
}
