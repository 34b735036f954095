// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Command parity compares what a Prometheus that pulls and Prometheis that are pushed to store of the same seeds.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	if err := newCommand().ExecuteContext(ctx); err != nil {
		stop()
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "parity",
		Short: "Compares what a Prometheus that pulls and Prometheis that are pushed to store of the same seeds",
		Long: `Compares what a Prometheus that pulls and Prometheis that are pushed to store of the same seeds.
It ends with exit code 1 if there are differences that the phase of scraping does not explain.`,
		Example: `  parity --dir .landscape --wait 2m
  parity --pull http://localhost:9090 --push http://localhost:9091 --push http://localhost:9092
  parity --pull http://localhost:9090 --push http://localhost:9090 --push-prefix shadow:`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := f.complete(cmd.Flags())
			if err != nil {
				return err
			}
			return c.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.addTo(cmd.Flags())
	return cmd
}
