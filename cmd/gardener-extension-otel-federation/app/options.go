// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"

	extensionscmdcontroller "github.com/gardener/gardener/extensions/pkg/controller/cmd"
	extensionsheartbeatcmd "github.com/gardener/gardener/extensions/pkg/controller/heartbeat/cmd"
	extensionscmdwebhook "github.com/gardener/gardener/extensions/pkg/webhook/cmd"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/loader"
)

const name = "gardener-extension-otel-federation"

type options struct {
	extensionscmdcontroller.OptionAggregator

	general    *extensionscmdcontroller.GeneralOptions
	rest       *extensionscmdcontroller.RESTOptions
	manager    *extensionscmdcontroller.ManagerOptions
	controller *extensionscmdcontroller.ControllerOptions
	reconciler *extensionscmdcontroller.ReconcilerOptions
	heartbeat  *extensionsheartbeatcmd.Options
	webhook    *extensionscmdwebhook.ServerOptions
	config     *configOptions
}

func newOptions() *options {
	o := &options{
		general: &extensionscmdcontroller.GeneralOptions{},
		rest:    &extensionscmdcontroller.RESTOptions{},
		manager: &extensionscmdcontroller.ManagerOptions{
			LeaderElection:          true,
			LeaderElectionID:        extensionscmdcontroller.LeaderElectionNameID(name),
			LeaderElectionNamespace: os.Getenv("LEADER_ELECTION_NAMESPACE"),
			MetricsBindAddress:      ":8080",
			HealthBindAddress:       ":8081",
			WebhookServerPort:       10250,
			WebhookCertDir:          "/tmp/gardener-extensions-cert",
		},
		controller: &extensionscmdcontroller.ControllerOptions{MaxConcurrentReconciles: 5},
		reconciler: &extensionscmdcontroller.ReconcilerOptions{},
		heartbeat: &extensionsheartbeatcmd.Options{
			ExtensionName:        name,
			RenewIntervalSeconds: 30,
			Namespace:            os.Getenv("LEADER_ELECTION_NAMESPACE"),
		},
		// The webhooks are served by class garden only.
		webhook: &extensionscmdwebhook.ServerOptions{Namespace: os.Getenv("WEBHOOK_CONFIG_NAMESPACE")},
		config:  &configOptions{},
	}

	o.OptionAggregator = extensionscmdcontroller.NewOptionAggregator(
		o.general,
		o.rest,
		o.manager,
		o.controller,
		o.reconciler,
		extensionscmdcontroller.PrefixOption("heartbeat-", o.heartbeat),
		o.webhook,
		o.config,
	)
	return o
}

// class returns the one class that this process is responsible for. Classes are not mixed in a process, because what runs in
// the runtime cluster and what runs in a seed have neither permissions nor controllers in common.
func (o *options) class() (extensionsv1alpha1.ExtensionClass, error) {
	classes := o.general.Completed().ExtensionClasses
	if len(classes) == 1 && (classes[0] == extensionsv1alpha1.ExtensionClassGarden || classes[0] == extensionsv1alpha1.ExtensionClassSeed) {
		return classes[0], nil
	}
	return "", fmt.Errorf("--%s must be either %q or %q, but is %q", extensionscmdcontroller.ExtensionClassesFlag, extensionsv1alpha1.ExtensionClassGarden, extensionsv1alpha1.ExtensionClassSeed, classes)
}

// configOptions read the ControllerConfiguration.
type configOptions struct {
	path   string
	config *config.ControllerConfiguration
}

// AddFlags implements Flagger.
func (o *configOptions) AddFlags(fs *pflag.FlagSet) {
	fs.StringVar(&o.path, "config", o.path, "Path of a file with a ControllerConfiguration. Without it the defaults apply.")
}

// Complete implements Completer.
func (o *configOptions) Complete() error {
	var data []byte
	if o.path != "" {
		var err error
		if data, err = os.ReadFile(o.path); err != nil {
			return fmt.Errorf("failed to read the file that --config names: %w", err)
		}
	}

	cfg, err := loader.DecodeControllerConfiguration(data)
	if err != nil {
		return fmt.Errorf("the configuration in %q is invalid: %w", o.path, err)
	}
	o.config = cfg
	return nil
}
