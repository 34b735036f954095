// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package cluster starts the control planes of the local landscape: etcd, kube-apiserver and kube-controller-manager.
package cluster

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// IndexRuntime is the index of the runtime cluster, which is also the first seed.
	IndexRuntime = 0
	// IndexVirtualGarden is the index of the virtual garden.
	IndexVirtualGarden = 1
	// NameRuntime is the name of the runtime cluster.
	NameRuntime = "runtime"
	// NameVirtualGarden is the name of the virtual garden.
	NameVirtualGarden = "virtual-garden"

	// AuditLogName is the name of the API server's audit log, beside the kubeconfigs. It has what ServiceAccounts request: everybody
	// else is an administrator.
	AuditLogName = "audit.log"

	portAPIServer = 6443
	portEtcd      = 2379
)

// Cluster is a control plane of the landscape.
type Cluster struct {
	// Name is the name of the cluster. It prefixes the names of its processes.
	Name string
	// Index is the index of the cluster. It determines the cluster's addresses.
	Index int
	// Dir is the directory with the cluster's files.
	Dir string
	// BinDir is the directory with the binaries.
	BinDir string
	// OutsideURL is the URL under which the API server can be reached from outside the landscape's network.
	OutsideURL string
	// IsSeed says that workload runs in this cluster, so that it needs the controllers of a full cluster.
	IsSeed bool
	// SeedAuthorizerURL is where the API server asks what the identities of seeds may do. If it is empty RBAC alone decides.
	SeedAuthorizerURL string

	pki *pki
}

// Address is the address to which the processes of the control plane bind.
func (c *Cluster) Address() string { return fmt.Sprintf("198.18.%d.1", c.Index) }

// IngressAddress is the address of the cluster's ingress gateway.
func (c *Cluster) IngressAddress() string { return fmt.Sprintf("198.18.%d.2", c.Index) }

// DNSAddress is the address of the cluster's DNS server.
func (c *Cluster) DNSAddress() string { return fmt.Sprintf("198.18.%d.10", c.Index) }

// ServiceCIDR is the range of the cluster IPs.
func (c *Cluster) ServiceCIDR() string { return fmt.Sprintf("198.19.%d.0/24", c.Index) }

// PodCIDR is the range of the pods' addresses.
func (c *Cluster) PodCIDR() string { return fmt.Sprintf("198.18.%d.0/24", 100+c.Index) }

// InsideURL is the URL of the API server inside the landscape's network.
func (c *Cluster) InsideURL() string { return "https://" + c.HostPort(portAPIServer) }

// EtcdURL is the URL of etcd.
func (c *Cluster) EtcdURL() string { return "http://" + c.HostPort(portEtcd) }

// HostPort joins the cluster's address with a port.
func (c *Cluster) HostPort(port int) string { return net.JoinHostPort(c.Address(), strconv.Itoa(port)) }

// KubeconfigInside is the path of the administrator's kubeconfig for processes inside the landscape's network.
func (c *Cluster) KubeconfigInside() string { return filepath.Join(c.Dir, "kubeconfig-inside.yaml") }

// KubeconfigOutside is the path of the administrator's kubeconfig for users and tests.
func (c *Cluster) KubeconfigOutside() string { return filepath.Join(c.Dir, "kubeconfig.yaml") }

// CABundle is the PEM encoded CA of the API server.
func (c *Cluster) CABundle() []byte { return c.pki.ca.CertificatePEM }

// PKIFile is the path of a file of the cluster's PKI: ca.crt, admin.crt, admin.key, ....
func (c *Cluster) PKIFile(name string) string { return filepath.Join(c.Dir, "pki", name) }

// auditLog is the path of the API server's audit log.
func (c *Cluster) auditLog() string { return filepath.Join(c.Dir, AuditLogName) }

func (c *Cluster) auditPolicyFile() string { return filepath.Join(c.Dir, "audit-policy.yaml") }

// RESTConfig returns the administrator's configuration for processes inside the landscape's network.
func (c *Cluster) RESTConfig() (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", c.KubeconfigInside())
	if err != nil {
		return nil, fmt.Errorf("failed to read kubeconfig of cluster %s: %w", c.Name, err)
	}
	config.QPS, config.Burst = 200, 400
	return config, nil
}

// Client returns a client for the cluster with the administrator's permissions.
func (c *Cluster) Client(scheme *runtime.Scheme) (client.Client, error) {
	config, err := c.RESTConfig()
	if err != nil {
		return nil, err
	}
	cl, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("failed to create client for cluster %s: %w", c.Name, err)
	}
	return cl, nil
}

const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
- level: Metadata
  userGroups: ["system:serviceaccounts"]
- level: None
`

// Prepare creates the PKI, the kubeconfigs and the audit policy of the cluster.
func (c *Cluster) Prepare(_ context.Context) error {
	if err := os.WriteFile(c.auditPolicyFile(), []byte(auditPolicy), 0o600); err != nil {
		return fmt.Errorf("failed to write the audit policy of cluster %s: %w", c.Name, err)
	}
	if err := c.createPKI(); err != nil {
		return fmt.Errorf("failed to create the certificates of cluster %s: %w", c.Name, err)
	}
	if err := c.writeAuthorizationConfig(); err != nil {
		return err
	}
	if err := c.writeKubeconfig(c.KubeconfigInside(), c.InsideURL()); err != nil {
		return err
	}
	return c.writeKubeconfig(c.KubeconfigOutside(), c.OutsideURL)
}
