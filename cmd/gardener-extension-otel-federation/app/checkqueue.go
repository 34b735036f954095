// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"github.com/spf13/cobra"
	logf "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/queuecheck"
)

const (
	flagDirectory = "directory"
	flagFile      = "file"
)

// newCheckQueueCommand returns the command of the init container of the collectors' pods. It calls itself for each file, as the check of a
// file that is destroyed may end the process.
func newCheckQueueCommand() *cobra.Command {
	var directory, file string

	cmd := &cobra.Command{
		Use:           collector.CheckQueueCommand,
		Short:         "Deletes the files of a collector's queues that are destroyed",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log := logf.Log.WithName(collector.CheckQueueCommand)
			if file != "" {
				os.Exit(queuecheck.File(os.Stderr, file))
			}
			if directory == "" {
				return errors.New("--" + flagDirectory + " must name the directory of the queues")
			}
			executable, err := os.Executable()
			if err != nil {
				return fmt.Errorf("failed to find the program to check the files of the queues with: %w", err)
			}
			return queuecheck.Directory(cmd.Context(), log, directory, func(ctx context.Context, path string) *exec.Cmd {
				return exec.CommandContext(ctx, executable, collector.CheckQueueCommand, "--"+flagFile, path) // #nosec G204 -- This program.
			})
		},
	}

	cmd.Flags().StringVar(&directory, flagDirectory, "", "Directory with the files of the queues.")
	cmd.Flags().StringVar(&file, flagFile, "", "One file, which is checked in this process and never deleted.")
	return cmd
}
