// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package app puts the controllers of this extension into a manager.
package app

import (
	"context"
	"errors"
	"fmt"
	"os"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	monitoringv1alpha1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1alpha1"
	"github.com/spf13/cobra"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/component-base/version/verflag"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/cluster"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/gardener/gardener/extensions/pkg/controller/heartbeat"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	"github.com/gardener/gardener/pkg/client/kubernetes"
	gardenerhealthz "github.com/gardener/gardener/pkg/healthz"

	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentials"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/credentialscopy"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/fanoutqueues"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/federationhealth"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/garden"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/healthcheck"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/lease"
	"github.com/gardener/gardener-extension-otel-federation/pkg/controller/seed"
	handoverstate "github.com/gardener/gardener-extension-otel-federation/pkg/handover"
	"github.com/gardener/gardener-extension-otel-federation/pkg/webhook"
)

// NewCommand returns the command that runs the controllers of one extension class.
func NewCommand() *cobra.Command {
	opts := newOptions()

	cmd := &cobra.Command{
		Use:           name,
		Short:         "Federates the metrics of Gardener's seeds to the garden Prometheus by OTLP push",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			verflag.PrintAndExitIfRequested()

			if err := opts.Complete(); err != nil {
				return fmt.Errorf("failed to complete the options: %w", err)
			}
			if err := opts.heartbeat.Validate(); err != nil {
				return err
			}
			return run(cmd.Context(), opts)
		},
	}

	verflag.AddFlags(cmd.Flags())
	opts.AddFlags(cmd.Flags())
	cmd.AddCommand(newCheckQueueCommand())
	return cmd
}

func run(ctx context.Context, opts *options) error {
	class, err := opts.class()
	if err != nil {
		return err
	}

	restConfig := opts.rest.Completed().Config
	kubernetes.ApplyClientConnectionConfigurationToRESTConfig(opts.config.config.ClientConnection, restConfig)

	mgr, err := manager.New(restConfig, managerOptions(opts))
	if err != nil {
		return fmt.Errorf("failed to create the manager: %w", err)
	}

	if err := addChecks(mgr); err != nil {
		return err
	}

	opts.heartbeat.Completed().Apply(&heartbeat.DefaultAddOptions)
	if err := heartbeat.AddToManager(ctx, mgr); err != nil {
		return fmt.Errorf("failed to add the heartbeat controller: %w", err)
	}

	if err := addHealthChecks(ctx, mgr, opts, class); err != nil {
		return err
	}
	if class == extensionsv1alpha1.ExtensionClassGarden {
		err = addGardenControllers(ctx, mgr, opts)
	} else {
		err = addSeedControllers(ctx, mgr, opts)
	}
	if err != nil {
		return err
	}

	if err := mgr.Start(ctx); err != nil {
		return fmt.Errorf("failed to run the manager: %w", err)
	}
	return nil
}

func managerOptions(opts *options) manager.Options {
	var (
		mgrOpts = opts.manager.Completed().Options()
		common  = ManagerOptions()
	)
	mgrOpts.Scheme = common.Scheme
	mgrOpts.Client = common.Client
	mgrOpts.Cache = common.Cache
	// The process ends with the manager, so the next leader need not wait until the lease of this one has expired.
	mgrOpts.LeaderElectionReleaseOnCancel = true
	return mgrOpts
}

// ManagerOptions are those options of the manager that no argument changes. They limit the caches to the namespace that the
// extension works in, and to the kinds that it watches. The integration tests run their managers with them, too.
func ManagerOptions() manager.Options {
	return manager.Options{
		Scheme: kubernetes.SeedScheme,
		Client: client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{
			&corev1.ConfigMap{},
			&corev1.Namespace{},
			&corev1.PersistentVolumeClaim{},
			&corev1.Pod{},
			&corev1.Secret{},
			&admissionregistrationv1.MutatingWebhookConfiguration{},
			&appsv1.StatefulSet{},
			// The heartbeat is in the namespace of the extension itself.
			&coordinationv1.Lease{},
			&monitoringv1.Prometheus{},
			&monitoringv1.PrometheusRule{},
			&monitoringv1alpha1.ScrapeConfig{},
			&otelv1beta1.OpenTelemetryCollector{},
		}}},
		Cache: cache.Options{
			DefaultNamespaces: map[string]cache.Config{v1beta1constants.GardenNamespace: {}},
			ByObject: map[client.Object]cache.ByObject{
				&appsv1.StatefulSet{}: {Label: labels.SelectorFromSet(labels.Set{v1beta1constants.LabelApp: constants.GardenCollectorName})},
				&corev1.Secret{}:      {Field: fields.OneTermEqualSelector(metav1.ObjectNameField, constants.CredentialsSecretName)},
			},
		},
	}
}

func addGardenControllers(ctx context.Context, mgr manager.Manager, opts *options) error {
	opts.controller.Completed().Apply(&garden.DefaultAddOptions.ControllerOptions)
	opts.reconciler.Completed().Apply(&garden.DefaultAddOptions.IgnoreOperationAnnotation)
	if err := garden.AddToManager(ctx, mgr); err != nil {
		return err
	}

	connection, board := &credentials.Connection{}, &handoverstate.Board{}
	if err := metrics.Registry.Register(board); err != nil {
		return fmt.Errorf("failed to register the metrics of the hand-over: %w", err)
	}
	credentials.DefaultAddOptions.ExtensionClasses = opts.general.Completed().ExtensionClasses
	credentials.DefaultAddOptions.Connection = connection
	if err := credentials.AddToManager(ctx, mgr); err != nil {
		return err
	}

	handover.DefaultAddOptions.ExtensionClasses = opts.general.Completed().ExtensionClasses
	handover.DefaultAddOptions.Connection = connection
	handover.DefaultAddOptions.Board = board
	if err := handover.AddToManager(ctx, mgr); err != nil {
		return err
	}

	fanoutqueues.DefaultAddOptions.ExtensionClasses = opts.general.Completed().ExtensionClasses
	if err := fanoutqueues.AddToManager(ctx, mgr); err != nil {
		return err
	}

	federationhealth.DefaultAddOptions.ExtensionClass = extensionsv1alpha1.ExtensionClassGarden
	federationhealth.DefaultAddOptions.VirtualGarden = connection.Client
	federationhealth.DefaultAddOptions.Board = board
	if err := federationhealth.AddToManager(ctx, mgr); err != nil {
		return err
	}
	return addWebhooks(ctx, mgr, opts)
}

// addWebhooks is the only one that asks the manager for its webhook server: that is what makes the manager run it.
func addWebhooks(ctx context.Context, mgr manager.Manager, opts *options) error {
	if err := webhook.AddToManager(ctx, mgr, opts.webhook.Completed()); err != nil {
		return fmt.Errorf("failed to add the webhooks: %w", err)
	}
	if err := mgr.AddReadyzCheck("webhook-server", mgr.GetWebhookServer().StartedChecker()); err != nil {
		return fmt.Errorf("failed to add the readiness check webhook-server: %w", err)
	}
	return nil
}

func addSeedControllers(ctx context.Context, mgr manager.Manager, opts *options) error {
	seedName := os.Getenv("SEED_NAME")

	gardenCluster, err := newGardenCluster(mgr, seedName)
	if err != nil {
		return err
	}

	opts.controller.Completed().Apply(&seed.DefaultAddOptions.ControllerOptions)
	opts.reconciler.Completed().Apply(&seed.DefaultAddOptions.IgnoreOperationAnnotation)
	seed.DefaultAddOptions.SeedName = seedName
	seed.DefaultAddOptions.GardenReader = gardenCluster.GetAPIReader()
	if err := seed.AddToManager(ctx, mgr); err != nil {
		return err
	}

	credentialscopy.DefaultAddOptions.GardenCluster = gardenCluster
	credentialscopy.DefaultAddOptions.SeedName = seedName
	credentialscopy.DefaultAddOptions.ExtensionClasses = opts.general.Completed().ExtensionClasses
	if err := credentialscopy.AddToManager(ctx, mgr); err != nil {
		return err
	}

	lease.DefaultAddOptions.GardenCluster = gardenCluster
	lease.DefaultAddOptions.SeedName = seedName
	lease.DefaultAddOptions.ExtensionClasses = opts.general.Completed().ExtensionClasses
	if err := lease.AddToManager(ctx, mgr); err != nil {
		return err
	}

	federationhealth.DefaultAddOptions.ExtensionClass = extensionsv1alpha1.ExtensionClassSeed
	federationhealth.DefaultAddOptions.SeedName = seedName
	return federationhealth.AddToManager(ctx, mgr)
}

// addHealthChecks adds what both classes tell of their health in the same way.
func addHealthChecks(ctx context.Context, mgr manager.Manager, opts *options, class extensionsv1alpha1.ExtensionClass) error {
	if config := opts.config.config.HealthCheckConfig; config != nil {
		healthcheck.DefaultAddOptions.HealthCheckConfig = *config
	}
	healthcheck.DefaultAddOptions.ExtensionClasses = opts.general.Completed().ExtensionClasses
	if err := healthcheck.AddToManager(ctx, mgr); err != nil {
		return err
	}
	if err := metrics.Registry.Register(&conditions.Metrics{Reader: mgr.GetClient(), Namespace: v1beta1constants.GardenNamespace, Class: class}); err != nil {
		return fmt.Errorf("failed to register the metrics of the conditions: %w", err)
	}
	return nil
}

// newGardenCluster connects to the virtual garden with what gardenlet injects because of `injectGardenKubeconfig`.
func newGardenCluster(mgr manager.Manager, seedName string) (cluster.Cluster, error) {
	path := os.Getenv("GARDEN_KUBECONFIG")
	if path == "" || seedName == "" {
		return nil, errors.New("GARDEN_KUBECONFIG and SEED_NAME must be set: set injectGardenKubeconfig in the ControllerDeployment or in the operator Extension")
	}

	restConfig, err := kubernetes.RESTConfigFromKubeconfigFile(path, kubernetes.AuthTokenFile, kubernetes.AuthClientCertificate)
	if err != nil {
		return nil, fmt.Errorf("failed to read the kubeconfig that GARDEN_KUBECONFIG names: %w", err)
	}

	gardenCluster, err := cluster.New(restConfig, func(o *cluster.Options) {
		o.Scheme = kubernetes.GardenScheme
		o.Logger = mgr.GetLogger().WithName("garden")
		o.Cache = credentialscopy.GardenCacheOptions(seedName)
	})
	if err != nil {
		return nil, fmt.Errorf("failed to connect to the virtual garden: %w", err)
	}

	// No liveness: a virtual garden that is down is no reason to restart.
	if err := mgr.AddReadyzCheck("garden-informer-sync", gardenerhealthz.NewCacheSyncHealthz(gardenCluster.GetCache())); err != nil {
		return nil, fmt.Errorf("failed to add the readiness check garden-informer-sync: %w", err)
	}
	if err := mgr.Add(gardenCluster); err != nil {
		return nil, fmt.Errorf("failed to add the virtual garden to the manager: %w", err)
	}
	return gardenCluster, nil
}

func addChecks(mgr manager.Manager) error {
	if err := mgr.AddHealthzCheck("ping", healthz.Ping); err != nil {
		return fmt.Errorf("failed to add the health check ping: %w", err)
	}
	if err := mgr.AddHealthzCheck("informer-sync", gardenerhealthz.NewCacheSyncHealthzWithDeadline(mgr.GetLogger(), clock.RealClock{}, mgr.GetCache(), gardenerhealthz.DefaultCacheSyncDeadline)); err != nil {
		return fmt.Errorf("failed to add the health check informer-sync: %w", err)
	}
	if err := mgr.AddReadyzCheck("informer-sync", gardenerhealthz.NewCacheSyncHealthz(mgr.GetCache())); err != nil {
		return fmt.Errorf("failed to add the readiness check informer-sync: %w", err)
	}
	return nil
}
