// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/client-go/rest"

	"github.com/gardener/gardener/pkg/utils/retry"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// PortControllerManager is the port of the kube-controller-manager.
const PortControllerManager = 10257

// controllersOfEveryCluster are the controllers of the kube-controller-manager that every cluster needs.
var controllersOfEveryCluster = []string{
	"namespace-controller",
	"garbage-collector-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
	"root-ca-certificate-publisher-controller",
	"clusterrole-aggregation-controller",
}

// controllersOfSeeds are the controllers that a cluster with workload needs in addition.
var controllersOfSeeds = []string{
	"deployment-controller",
	"replicaset-controller",
	"statefulset-controller",
	"disruption-controller",
	"endpoints-controller",
	"endpointslice-controller",
	"persistentvolume-binder-controller",
	"persistentvolume-protection-controller",
	"persistentvolumeclaim-protection-controller",
}

// Start starts the control plane and waits until the API server is ready.
func (c *Cluster) Start(ctx context.Context, supervisor *process.Supervisor) error {
	if err := supervisor.Start(c.etcd()); err != nil {
		return err
	}
	if err := supervisor.Start(c.apiServer()); err != nil {
		return err
	}
	if err := c.waitReady(ctx); err != nil {
		return fmt.Errorf("the API server of cluster %s is not ready (log file: %s): %w", c.Name, supervisor.LogFile(c.Name+"-kube-apiserver"), err)
	}
	return supervisor.Start(c.controllerManager())
}

func (c *Cluster) etcd() process.Spec {
	peerURL := "http://" + c.HostPort(2380)
	return process.Spec{
		Name: c.Name + "-etcd",
		Path: filepath.Join(c.BinDir, "etcd"),
		Args: []string{
			"--name=" + c.Name,
			"--data-dir=" + filepath.Join(c.Dir, "etcd"),
			"--listen-client-urls=" + c.EtcdURL(),
			"--advertise-client-urls=" + c.EtcdURL(),
			"--listen-peer-urls=" + peerURL,
			"--initial-advertise-peer-urls=" + peerURL,
			"--initial-cluster=" + c.Name + "=" + peerURL,
			"--unsafe-no-fsync",
			"--log-level=warn",
		},
	}
}

func (c *Cluster) apiServer() process.Spec {
	args := []string{
		"--etcd-servers=" + c.EtcdURL(),
		"--bind-address=" + c.Address(),
		"--advertise-address=" + c.Address(),
		"--secure-port=6443",
		"--tls-cert-file=" + c.PKIFile("apiserver.crt"),
		"--tls-private-key-file=" + c.PKIFile("apiserver.key"),
		"--client-ca-file=" + c.PKIFile("ca.crt"),
		"--service-cluster-ip-range=" + c.ServiceCIDR(),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-account-key-file=" + c.PKIFile("service-account.key"),
		"--service-account-signing-key-file=" + c.PKIFile("service-account.key"),
		"--api-audiences=kubernetes,gardener",
		"--allow-privileged=true",
		"--enable-aggregator-routing=true",
		"--requestheader-client-ca-file=" + c.PKIFile("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file=" + c.PKIFile("front-proxy-client.crt"),
		"--proxy-client-key-file=" + c.PKIFile("front-proxy-client.key"),
		"--audit-policy-file=" + c.auditPolicyFile(),
		"--audit-log-path=" + c.auditLog(),
		"--audit-log-mode=blocking",
		"--profiling=false",
	}
	return process.Spec{Name: c.Name + "-kube-apiserver", Path: filepath.Join(c.BinDir, "kube-apiserver"), Args: append(args, c.authorizationArgs()...)}
}

func (c *Cluster) controllerManager() process.Spec {
	controllers := controllersOfEveryCluster
	if c.IsSeed {
		controllers = append(append([]string{}, controllers...), controllersOfSeeds...)
	}
	return process.Spec{
		Name: c.Name + "-kube-controller-manager",
		Path: filepath.Join(c.BinDir, "kube-controller-manager"),
		Args: []string{
			"--kubeconfig=" + c.KubeconfigInside(),
			"--authentication-kubeconfig=" + c.KubeconfigInside(),
			"--authorization-kubeconfig=" + c.KubeconfigInside(),
			"--bind-address=" + c.Address(),
			fmt.Sprintf("--secure-port=%d", PortControllerManager),
			"--cert-dir=" + filepath.Join(c.Dir, "kube-controller-manager"),
			"--leader-elect=false",
			"--root-ca-file=" + c.PKIFile("ca.crt"),
			"--service-account-private-key-file=" + c.PKIFile("service-account.key"),
			"--controllers=" + strings.Join(controllers, ","),
			"--min-resync-period=1h",
			"--profiling=false",
		},
	}
}

func (c *Cluster) waitReady(ctx context.Context) error {
	config, err := c.RESTConfig()
	if err != nil {
		return err
	}
	config.Timeout = 5 * time.Second
	config.GroupVersion, config.NegotiatedSerializer = nil, nil
	httpClient, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}

	return retry.UntilTimeout(ctx, 100*time.Millisecond, 2*time.Minute, func(ctx context.Context) (bool, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.InsideURL()+"/readyz", nil)
		if err != nil {
			return retry.SevereError(err)
		}
		response, err := httpClient.Do(request)
		if err != nil {
			return retry.MinorError(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return retry.MinorError(fmt.Errorf("/readyz answers %s", response.Status))
		}
		return retry.Ok()
	})
}
