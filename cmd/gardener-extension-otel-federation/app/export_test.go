// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"github.com/spf13/pflag"

	extensionscmdwebhook "github.com/gardener/gardener/extensions/pkg/webhook/cmd"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
)

// ClassFor returns the class that the given arguments select.
func ClassFor(args ...string) (extensionsv1alpha1.ExtensionClass, error) {
	opts := newOptions()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	opts.general.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		return "", err
	}
	if err := opts.general.Complete(); err != nil {
		return "", err
	}
	return opts.class()
}

// ConfigFor returns the configuration that the given arguments select.
func ConfigFor(args ...string) (*config.ControllerConfiguration, error) {
	opts := &configOptions{}
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	opts.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	err := opts.Complete()
	return opts.config, err
}

// WebhookServerFor returns the configuration of the webhook server that the given arguments select.
func WebhookServerFor(args ...string) (*extensionscmdwebhook.ServerConfig, error) {
	opts := newOptions()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	opts.webhook.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	err := opts.webhook.Complete()
	return opts.webhook.Completed(), err
}
