// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Command landscape starts, shows and stops the local landscape.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/node"
)

func main() {
	node.MaybeRunSandbox()

	command := &cobra.Command{
		Use:           "landscape",
		Short:         "Run a Gardener landscape with this extension on this machine",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	command.AddCommand(newUpCommand(), newStatusCommand(), newDownCommand(), newRunCommand())
	if err := command.Execute(); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}
