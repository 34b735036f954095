// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"time"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"
	fakeclient "sigs.k8s.io/controller-runtime/pkg/client/fake"

	kubernetesclient "github.com/gardener/gardener/pkg/client/kubernetes"
	"github.com/gardener/gardener/pkg/component"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/gardencollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/seedcollector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

const (
	// What the rendered configurations refer to, and what stands for it here.
	anyAddress           = "[::]"
	aggregateService     = "prometheus-aggregate:80"
	queueDirectory       = "/var/lib/otelcol"
	jwksDirectory        = "/etc/otel-federation/jwks"
	credentialsDirectory = "/var/run/secrets/otel-federation" // #nosec G101 -- No credential.
)

// renderSeedCollector returns the seed collector as this extension deploys it by default.
func renderSeedCollector(ctx context.Context, endpoint string, ca []byte, interval time.Duration) (*otelv1beta1.OpenTelemetryCollector, error) {
	values := seedcollector.Values{
		Image: "collector",
		Destination: &seedcollector.Destination{
			Endpoint: endpoint, CABundle: ca, Instance: instance, SecretName: constants.CredentialsSecretName,
		},
		ScrapeInterval:   interval,
		ScrapeTimeout:    timeout(interval),
		Selectors:        seedcollector.DefaultSelectors(),
		Compression:      string(configv1alpha1.CompressionZstd),
		CompressionLevel: new(configv1alpha1.DefaultZstdLevel),
		Queue:            queue(configv1alpha1.DefaultSeedQueueCapacity, configv1alpha1.DefaultSeedQueueSize),
		Resources:        seedcollector.DefaultResources(),
	}
	return render(ctx, constants.SeedCollectorName, constants.SeedCollectorName, func(c client.Client) component.Deployer {
		return seedcollector.New(c, collectortest.Namespace, values)
	})
}

// renderFanOut returns a collector of the fan-out as this extension deploys it by default.
func renderFanOut(ctx context.Context, jwks []byte) (*otelv1beta1.OpenTelemetryCollector, error) {
	values := gardencollector.Values{
		Image:           "collector",
		Replicas:        1,
		Resources:       gardencollector.DefaultResources(),
		Queue:           queue(configv1alpha1.DefaultGardenQueueCapacity, configv1alpha1.DefaultGardenQueueSize),
		PrometheusHosts: gardenReplicas,
		JWKS:            jwks,
		ReturnAfter:     configv1alpha1.DefaultHandOverReturnAfter,
		TokenValidity:   configv1alpha1.DefaultTokenValidity,
	}
	return render(ctx, constants.GardenCollectorName+"-0", constants.GardenCollectorName, func(c client.Client) component.Deployer {
		return gardencollector.New(c, collectortest.Namespace, values)
	})
}

func queue(capacity int64, size string) collector.Queue {
	return collector.Queue{Capacity: capacity, Storage: collector.StoragePersistentVolume, Size: resource.MustParse(size)}
}

// render deploys a component and returns one of its collectors.
func render(ctx context.Context, name, managedResource string, newComponent func(client.Client) component.Deployer) (*otelv1beta1.OpenTelemetryCollector, error) {
	c := fakeclient.NewClientBuilder().WithScheme(kubernetesclient.SeedScheme).Build()
	if err := newComponent(c).Deploy(ctx); err != nil {
		return nil, fmt.Errorf("failed to render ManagedResource %s: %w", managedResource, err)
	}
	return collectortest.DeployedCollector(ctx, c, name, managedResource)
}

// forProcess returns the configuration and the environment of a rendered collector as the OpenTelemetry operator would pass them on, for a
// process that listens on an address and has its queue in a directory.
func forProcess(rendered *otelv1beta1.OpenTelemetryCollector, address, queue string, replacements map[string]string) (string, []string, error) {
	content, err := rendered.Spec.Config.Yaml()
	if err != nil {
		return "", nil, fmt.Errorf("failed to marshal the configuration of %s: %w", rendered.Name, err)
	}
	replacements[anyAddress], replacements[queueDirectory] = address, queue
	if content, err = replace(content, replacements); err != nil {
		return "", nil, fmt.Errorf("failed to adapt the configuration of %s: %w", rendered.Name, err)
	}

	var env []string
	for _, variable := range rendered.Spec.Env {
		env = append(env, variable.Name+"="+variable.Value)
	}
	return content, env, nil
}

// startCollector starts a rendered collector that listens on an address.
func (s *site) startCollector(ctx context.Context, role Role, name, address string, rendered *otelv1beta1.OpenTelemetryCollector, replacements map[string]string) error {
	content, env, err := forProcess(rendered, address, filepath.Join(s.directory, name, "queue"), replacements)
	if err != nil {
		return err
	}
	file, err := s.write(name+"/config.yaml", content)
	if err != nil {
		return err
	}
	if err := s.start(role, name, binaryCollector, env, "--config="+file); err != nil {
		return err
	}
	return waitFor(ctx, "http://"+net.JoinHostPort(address, "13133")+"/")
}

// startExtension returns a function that starts what this extension deploys by default, but for some changes: the fan-out and the seed collector.
func startExtension(changes ...change) func(context.Context, *site) error {
	return func(ctx context.Context, s *site) error { return s.startExtension(ctx, changes) }
}

func (s *site) startExtension(ctx context.Context, changes []change) error {
	config, err := otlpReceiverConfig()
	if err != nil {
		return err
	}
	if err := s.startReceivers(ctx, config, flagOTLPReceiver); err != nil {
		return err
	}
	fanOut, err := s.startFanOut(ctx, changes)
	if err != nil {
		return err
	}
	endpoint, err := s.ingress(ctx, fanOut)
	if err != nil {
		return err
	}
	return s.startSeedCollector(ctx, endpoint, changes)
}

// startFanOut starts the fan-out in front of the receivers and returns its host and port.
func (s *site) startFanOut(ctx context.Context, changes []change) (string, error) {
	rendered, err := renderFanOut(ctx, s.credentials.jwks)
	if err != nil {
		return "", err
	}
	if err := apply(changes, RoleFanOut, rendered); err != nil {
		return "", err
	}
	jwks, err := s.write("fan-out/jwks/jwks.json", s.credentials.jwks)
	if err != nil {
		return "", err
	}
	address, receivers := s.address(), s.receiverAddresses()
	return net.JoinHostPort(address, strconv.Itoa(gardencollector.Port)), s.startCollector(ctx, RoleFanOut, "fan-out", address, rendered, map[string]string{
		jwksDirectory:     filepath.Dir(jwks),
		gardenReplicas[0]: receivers[0],
		gardenReplicas[1]: receivers[1],
	})
}

// startSeedCollector starts the seed collector, which pushes to an endpoint.
func (s *site) startSeedCollector(ctx context.Context, endpoint string, changes []change) error {
	rendered, err := renderSeedCollector(ctx, endpoint, s.credentials.ca, s.interval)
	if err != nil {
		return err
	}
	if err := apply(changes, RoleSender, rendered); err != nil {
		return err
	}
	token, err := s.write("sender/credentials/token", s.credentials.token)
	if err != nil {
		return err
	}
	return s.startCollector(ctx, RoleSender, "sender", s.address(), rendered, map[string]string{
		aggregateService:     s.aggregate,
		credentialsDirectory: filepath.Dir(token),
	})
}
