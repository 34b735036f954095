// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

const stopTimeout = 40 * time.Second

func newDownCommand() *cobra.Command {
	var dir string
	command := &cobra.Command{
		Use:   "down",
		Short: "Stop the landscape",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, err := filepath.Abs(dir)
			if err != nil {
				return err
			}
			state, err := landscape.ReadState(dir)
			if errors.Is(err, landscape.ErrNotRunning) {
				fmt.Println("No landscape is running.")
				return nil
			}
			if err != nil {
				return err
			}
			if !state.Running() {
				fmt.Println("The landscape has already ended.")
			}
			if err := stopDaemon(state); err != nil {
				return err
			}
			fmt.Println("The landscape is down. Logs are in", state.LogDir())
			return nil
		},
	}
	command.Flags().StringVar(&dir, "dir", landscape.DefaultDir, "state directory")
	return command
}

// stopDaemon ends the daemon and verifies that no process is left.
func stopDaemon(state *landscape.State) error {
	if state.Running() {
		if err := syscall.Kill(state.PID, syscall.SIGTERM); err != nil {
			return fmt.Errorf("failed to stop the daemon of the landscape (process %d): %w", state.PID, err)
		}
		if !endsWithin(state, stopTimeout) {
			// The kernel ends all processes of the landscape with the daemon, as they share its process ID namespace.
			if err := syscall.Kill(state.PID, syscall.SIGKILL); err != nil {
				return fmt.Errorf("failed to kill the daemon of the landscape (process %d): %w", state.PID, err)
			}
			if !endsWithin(state, stopTimeout) {
				return fmt.Errorf("the daemon of the landscape (process %d) does not end", state.PID)
			}
		}
		waitUntilReaped(state.PID)
	}

	if left := leftProcesses(state); len(left) > 0 {
		return fmt.Errorf("processes of the landscape are left:\n%s", strings.Join(left, "\n"))
	}
	return os.RemoveAll(filepath.Join(state.Dir, "landscape.json"))
}

func endsWithin(state *landscape.State, timeout time.Duration) bool {
	deadline := time.Now().Add(timeout)
	for state.Running() {
		if time.Now().After(deadline) {
			return false
		}
		time.Sleep(50 * time.Millisecond)
	}
	return true
}

// waitUntilReaped waits until nothing of a process that has ended is to be seen. That is up to its parent.
func waitUntilReaped(pid int) {
	for range 40 {
		if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// leftProcesses lists the processes whose executable is one of the landscape's, or whose command line names its state
// directory.
func leftProcesses(state *landscape.State) []string {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return []string{err.Error()}
	}
	var left []string
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		executable, _ := os.Readlink(filepath.Join("/proc", entry.Name(), "exe"))
		commandLine, _ := os.ReadFile(filepath.Join("/proc", entry.Name(), "cmdline"))
		inBinDir := strings.HasPrefix(executable, filepath.Join(state.Root, "bin")+"/") && executable != ownExecutable()
		if inBinDir && strings.Contains(string(commandLine), state.Dir) {
			left = append(left, fmt.Sprintf("%d %s", pid, strings.ReplaceAll(string(commandLine), "\x00", " ")))
		}
	}
	return left
}

func ownExecutable() string {
	executable, err := os.Executable()
	if err != nil {
		return ""
	}
	return executable
}
