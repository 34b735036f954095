// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	componentbaseconfigv1alpha1 "k8s.io/component-base/config/v1alpha1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	admissioncontrollerconfigv1alpha1 "github.com/gardener/gardener/pkg/apis/config/admissioncontroller/v1alpha1"
	controllermanagerconfigv1alpha1 "github.com/gardener/gardener/pkg/apis/config/controllermanager/v1alpha1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	"github.com/gardener/gardener/pkg/component"
	"github.com/gardener/gardener/pkg/component/gardener/admissioncontroller"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"
	fakesecretsmanager "github.com/gardener/gardener/pkg/utils/secrets/manager/fake"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// Ports of Gardener's control plane.
const (
	portAdmissionControllerWebhook = 2721
	portAdmissionControllerHealth  = 2722
	portAdmissionControllerMetrics = 2723
	portControllerManagerHealth    = 2718
	portControllerManagerMetrics   = 2719
)

// SeedAuthorizerURL is where gardener-admission-controller says what the identities of a seed may do.
func SeedAuthorizerURL(virtualGarden *cluster.Cluster) string {
	return "https://" + virtualGarden.HostPort(portAdmissionControllerWebhook) + "/webhooks/auth/seed"
}

// AdmissionController returns gardener-admission-controller, which serves the SeedAuthorizer and the SeedRestriction.
func AdmissionController(c *cluster.Cluster) (process.Spec, error) {
	const name = "gardener-admission-controller"
	certDir, err := c.CreateServingCertificate(name, nil, c.Address())
	if err != nil {
		return process.Spec{}, err
	}
	config := &admissioncontrollerconfigv1alpha1.AdmissionControllerConfiguration{
		TypeMeta:  metav1.TypeMeta{APIVersion: admissioncontrollerconfigv1alpha1.SchemeGroupVersion.String(), Kind: "AdmissionControllerConfiguration"},
		LogLevel:  "info",
		LogFormat: "text",
	}
	config.GardenClientConnection.Kubeconfig = c.KubeconfigInside()
	config.Server.Webhooks.Server = admissioncontrollerconfigv1alpha1.Server{BindAddress: c.Address(), Port: portAdmissionControllerWebhook}
	config.Server.Webhooks.TLS.ServerCertDir = certDir
	config.Server.HealthProbes = &admissioncontrollerconfigv1alpha1.Server{BindAddress: c.Address(), Port: portAdmissionControllerHealth}
	config.Server.Metrics = &admissioncontrollerconfigv1alpha1.Server{BindAddress: c.Address(), Port: portAdmissionControllerMetrics}
	return configured(c, name, config)
}

// ControllerManager returns gardener-controller-manager, which creates the namespaces of the seeds and the ControllerInstallations.
func ControllerManager(c *cluster.Cluster) (process.Spec, error) {
	config := &controllermanagerconfigv1alpha1.ControllerManagerConfiguration{
		TypeMeta:       metav1.TypeMeta{APIVersion: controllermanagerconfigv1alpha1.SchemeGroupVersion.String(), Kind: "ControllerManagerConfiguration"},
		LogLevel:       "info",
		LogFormat:      "text",
		LeaderElection: &componentbaseconfigv1alpha1.LeaderElectionConfiguration{LeaderElect: new(false)},
	}
	config.GardenClientConnection.Kubeconfig = c.KubeconfigInside()
	config.Server.HealthProbes = &controllermanagerconfigv1alpha1.Server{BindAddress: c.Address(), Port: portControllerManagerHealth}
	config.Server.Metrics = &controllermanagerconfigv1alpha1.Server{BindAddress: c.Address(), Port: portControllerManagerMetrics}
	return configured(c, "gardener-controller-manager", config)
}

// configured writes the configuration of a program and returns its process.
func configured(c *cluster.Cluster, name string, config any) (process.Spec, error) {
	data, err := yaml.Marshal(config)
	if err != nil {
		return process.Spec{}, fmt.Errorf("failed to encode the configuration of %s: %w", name, err)
	}
	path := filepath.Join(c.Dir, name+".yaml")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return process.Spec{}, fmt.Errorf("failed to write the configuration of %s: %w", name, err)
	}
	return process.Spec{Name: c.Name + "-" + name, Path: filepath.Join(c.BinDir, name), Args: []string{"--config=" + path}}, nil
}

// WaitForAdmissionController waits until gardener-admission-controller is ready: before that the identities of the seeds may do nothing.
func WaitForAdmissionController(ctx context.Context, c *cluster.Cluster) error {
	if err := waitForHTTP(ctx, "http://"+c.HostPort(portAdmissionControllerHealth)+"/readyz"); err != nil {
		return fmt.Errorf("gardener-admission-controller is not ready: %w", err)
	}
	return nil
}

// RegisterAdmissionWebhooks registers the webhooks of gardener-admission-controller, the SeedRestriction among them, as
// gardener-operator does.
func RegisterAdmissionWebhooks(ctx context.Context, gardenClient client.Client, virtualGarden *cluster.Cluster) error {
	secret := func(name string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: Namespace}, Data: map[string][]byte{secretsutils.DataKeyCertificateBundle: virtualGarden.CABundle()}}
	}
	objects, err := render(ctx, admissioncontroller.ManagedResourceNameVirtual, func(c client.Client) component.Deployer {
		return admissioncontroller.New(c, Namespace, fakesecretsmanager.New(c, Namespace), admissioncontroller.Values{AuthorizerRestrictionsEnabled: true})
	}, secret(operatorv1alpha1.SecretNameCAGardener), secret(v1beta1constants.SecretNameGenericTokenKubeconfig))
	if err != nil {
		return err
	}
	for _, object := range objects {
		switch configuration := object.(type) {
		case *admissionregistrationv1.ValidatingWebhookConfiguration:
			for i := range configuration.Webhooks {
				leadToProcess(&configuration.Webhooks[i].ClientConfig, virtualGarden)
			}
		case *admissionregistrationv1.MutatingWebhookConfiguration:
			for i := range configuration.Webhooks {
				leadToProcess(&configuration.Webhooks[i].ClientConfig, virtualGarden)
			}
		default:
			// The process is an administrator.
			continue
		}
		if err := apply(ctx, gardenClient, object); err != nil {
			return err
		}
	}
	return nil
}

// leadToProcess makes a webhook lead to a process of the landscape instead of a Service of the runtime cluster.
func leadToProcess(config *admissionregistrationv1.WebhookClientConfig, virtualGarden *cluster.Cluster) {
	if config.URL == nil {
		return
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(*config.URL, "https://"), "/")
	to := url.URL{Scheme: "https", Host: virtualGarden.HostPort(portAdmissionControllerWebhook), Path: "/" + path}
	config.URL = new(to.String())
}
