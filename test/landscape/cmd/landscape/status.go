// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

func newStatusCommand() *cobra.Command {
	var dir string
	command := &cobra.Command{
		Use:   "status",
		Short: "Show what the landscape federates and where to look",
		Args:  cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			dir, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			state, err := landscape.ReadState(dir)
			if err != nil {
				return err
			}
			if !state.Running() {
				return fmt.Errorf("the landscape has ended: start it again with `make up` (log files: %s)", state.LogDir())
			}
			return show(command.Context(), state)
		},
	}
	command.Flags().StringVar(&dir, "dir", landscape.DefaultDir, "state directory")
	return command
}

func show(ctx context.Context, state *landscape.State) error {
	l, err := landscape.LoadState(state)
	if err != nil {
		return err
	}
	return l.WriteTable(ctx, os.Stdout)
}
