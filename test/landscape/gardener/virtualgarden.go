// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiregistrationv1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1 "github.com/gardener/gardener/pkg/apis/core/v1"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	operationsv1alpha1 "github.com/gardener/gardener/pkg/apis/operations/v1alpha1"
	securityv1alpha1 "github.com/gardener/gardener/pkg/apis/security/v1alpha1"
	seedmanagementv1alpha1 "github.com/gardener/gardener/pkg/apis/seedmanagement/v1alpha1"
	"github.com/gardener/gardener/pkg/utils/kubernetes/health"
	"github.com/gardener/gardener/pkg/utils/retry"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

const (
	gardenerAPIServer     = "gardener-apiserver"
	portGardenerAPIServer = 8443
	// ClusterIdentity is the identity of the landscape.
	ClusterIdentity = "landscape-local"
)

// gardenerGroupVersions are the versions of the APIs that gardener-apiserver serves.
var gardenerGroupVersions = []schema.GroupVersion{
	gardencorev1.SchemeGroupVersion,
	gardencorev1beta1.SchemeGroupVersion,
	seedmanagementv1alpha1.SchemeGroupVersion,
	operationsv1alpha1.SchemeGroupVersion,
	securityv1alpha1.SchemeGroupVersion,
}

// GardenerAPIServer returns the gardener-apiserver of the virtual garden.
func GardenerAPIServer(c *cluster.Cluster) (process.Spec, error) {
	certDir, err := c.CreateServingCertificate(gardenerAPIServer, []string{gardenerAPIServer + ".kube-system.svc"}, c.Address())
	if err != nil {
		return process.Spec{}, err
	}
	return process.Spec{
		Name: c.Name + "-" + gardenerAPIServer,
		Path: filepath.Join(c.BinDir, gardenerAPIServer),
		Args: []string{
			"--bind-address=" + c.Address(),
			fmt.Sprintf("--secure-port=%d", portGardenerAPIServer),
			"--etcd-servers=" + c.EtcdURL(),
			"--tls-cert-file=" + filepath.Join(certDir, "tls.crt"),
			"--tls-private-key-file=" + filepath.Join(certDir, "tls.key"),
			"--cluster-identity=" + ClusterIdentity,
			"--authorization-always-allow-paths=/healthz,/livez,/readyz",
			"--authentication-kubeconfig=" + c.KubeconfigInside(),
			"--authorization-kubeconfig=" + c.KubeconfigInside(),
			"--kubeconfig=" + c.KubeconfigInside(),
			"--log-level=info",
			"--log-format=text",
			"--profiling=false",
		},
	}, nil
}

// RegisterGardenerAPIs registers gardener-apiserver with the API server of the virtual garden, and waits until its APIs are
// available.
func RegisterGardenerAPIs(ctx context.Context, c client.Client, virtualGarden *cluster.Cluster) error {
	service := processService{
		key:        client.ObjectKey{Namespace: metav1.NamespaceSystem, Name: gardenerAPIServer},
		port:       443,
		targetPort: portGardenerAPIServer,
		address:    virtualGarden.Address(),
	}
	if err := service.deploy(ctx, c); err != nil {
		return err
	}

	for _, gv := range gardenerGroupVersions {
		if err := apply(ctx, c, &apiregistrationv1.APIService{
			ObjectMeta: metav1.ObjectMeta{Name: gv.Version + "." + gv.Group},
			Spec: apiregistrationv1.APIServiceSpec{
				Service:              &apiregistrationv1.ServiceReference{Namespace: service.key.Namespace, Name: service.key.Name, Port: new(service.port)},
				Group:                gv.Group,
				Version:              gv.Version,
				CABundle:             virtualGarden.CABundle(),
				GroupPriorityMinimum: 10000,
				VersionPriority:      20,
			},
		}); err != nil {
			return err
		}
	}
	return waitForGardenerAPIs(ctx, c)
}

func waitForGardenerAPIs(ctx context.Context, c client.Client) error {
	if err := retry.UntilTimeout(ctx, 200*time.Millisecond, 2*time.Minute, func(ctx context.Context) (bool, error) {
		for _, gv := range gardenerGroupVersions {
			apiService := &apiregistrationv1.APIService{ObjectMeta: metav1.ObjectMeta{Name: gv.Version + "." + gv.Group}}
			if err := c.Get(ctx, client.ObjectKeyFromObject(apiService), apiService); err != nil {
				return retry.MinorError(err)
			}
			if err := health.CheckAPIService(apiService); err != nil {
				return retry.MinorError(err)
			}
		}
		// The first request may still hit an API server that does not know the API yet.
		if err := c.List(ctx, &gardencorev1beta1.SeedList{}); err != nil {
			return retry.MinorError(err)
		}
		return retry.Ok()
	}); err != nil {
		return fmt.Errorf("the APIs of gardener-apiserver are not available in the virtual garden: %w", err)
	}
	return nil
}
