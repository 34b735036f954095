// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Command bench measures push against pull and other ways, side by side, and writes the results into a document.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gardener/gardener-extension-otel-federation/test/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	if err := newCommand().ExecuteContext(ctx); err != nil {
		stop()
		os.Exit(1)
	}
}

type command struct {
	options  bench.Options
	output   string
	command  string
	target   string
	isolated bool
}

func newCommand() *cobra.Command {
	c := &command{}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measures the ways by which samples can get from a seed to the garden, side by side",
		Long: `Measures the ways by which samples can get from the aggregate Prometheus of a seed to both garden Prometheis, side by side: WAN bytes,
processor time, memory, latency, and what is stored. Everything runs as plain processes in a network namespace of its own.`,
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	c.addFlags(cmd.Flags())
	return cmd
}

func (c *command) addFlags(flags *pflag.FlagSet) {
	flags.IntSliceVar(&c.options.Series, "series", []int{7000, 70000, 200000}, "Numbers of series, which are measured one after the other.")
	flags.DurationVar(&c.options.Interval, "interval", 15*time.Second, "Scrape interval.")
	flags.IntVar(&c.options.WarmUp, "warm-up", 4, "Number of scrapes before the measurement.")
	flags.IntVar(&c.options.Scrapes, "scrapes", 12, "Number of scrapes that are measured.")
	flags.IntVar(&c.options.LatencyScrapes, "latency-scrapes", 6, "Number of scrapes of which the latency is measured afterwards.")
	flags.StringSliceVar(&c.options.Ways, "ways", bench.WayNames(), "Ways to measure, among them other settings of this extension: "+strings.Join(bench.VariantNames(), ", ")+". Pull is always measured as well.")
	flags.IntVar(&c.options.Together, "together", 0, "How many ways run at the same time, pull included. By default as many as two cores keep up with.")
	flags.DurationVar(&c.options.Soak, "soak", 0, "For how long all run on after the measurement, to see whether their memory grows. By default they do not.")
	flags.DurationVar(&c.options.Outage, "outage", 0, "For how long the WAN is cut in the end, to measure how long catching up takes. By default it is not.")
	flags.StringVar(&c.options.Prometheus, "prometheus", "bin/landscape/prometheus", "Path of Prometheus.")
	flags.StringVar(&c.options.Collector, "collector", "bin/landscape/otelcol", "Path of the OpenTelemetry collector.")
	flags.StringVar(&c.options.VMAgent, "vmagent", "bin/bench/vmagent", "Path of vmagent.")
	flags.StringVar(&c.options.Directory, "dir", ".bench", "Directory for the files of the processes, and for the results as JSON.")
	flags.StringVar(&c.output, "output", "", "Document of Markdown into which the results are written. By default they are only printed.")
	flags.StringVar(&c.command, "command", "", "Command that the document names. By default it is this one.")
	flags.StringVar(&c.target, "target", "bench", "Target of make between whose markers the results are written.")
	flags.BoolVar(&c.isolated, "isolated", false, "Says that this process has a network namespace of its own.")
	_ = flags.MarkHidden("isolated")
}

func (c *command) run(ctx context.Context, out, progress io.Writer) error {
	if err := c.options.Validate(); err != nil {
		return err
	}
	if !c.isolated {
		return isolate(ctx, out, progress)
	}
	if err := setUpNetwork(); err != nil {
		return err
	}
	if err := c.preparePaths(); err != nil {
		return err
	}

	document := &bench.Document{Command: cmp.Or(c.command, strings.Join(commandLine(os.Args), " ")), Target: c.target, Date: time.Now(), Options: c.options}
	var err error
	if document.Machine, err = bench.Machine(); err != nil {
		return err
	}
	if document.Versions, err = bench.Versions(ctx, c.options); err != nil {
		return err
	}
	c.options.Progress = progress
	var failure error
	document.Results, failure = bench.Run(ctx, c.options)
	document.Took = time.Since(document.Date)
	if err := errors.Join(failure, c.writeJSON(document.Results)); err != nil {
		// What has been measured took long.
		document.Write(out)
		return err
	}
	if c.output != "" {
		return document.WriteFile(c.output)
	}
	document.Write(out)
	return nil
}

// preparePaths makes all paths absolute, because the processes have other working directories.
func (c *command) preparePaths() error {
	for _, path := range []*string{&c.options.Prometheus, &c.options.Collector, &c.options.VMAgent, &c.options.Directory} {
		absolute, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("failed to find %s: %w", *path, err)
		}
		*path = absolute
	}
	if err := os.MkdirAll(c.options.Directory, 0o700); err != nil {
		return fmt.Errorf("failed to create the directory for the files of the processes: %w", err)
	}
	return nil
}

func (c *command) writeJSON(results []*bench.Result) error {
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return fmt.Errorf("failed to marshal the results: %w", err)
	}
	path := filepath.Join(c.options.Directory, "results.json")
	if err := os.WriteFile(path, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("failed to write the results: %w", err)
	}
	return nil
}

// commandLine returns the arguments as the user has given them.
func commandLine(args []string) []string {
	line := []string{filepath.Base(args[0])}
	for _, arg := range args[1:] {
		if arg != isolatedFlag {
			line = append(line, arg)
		}
	}
	return line
}

const isolatedFlag = "--isolated"

// isolate runs this very program again, in a network namespace of its own, where no port is taken. What it starts is in it, too.
func isolate(ctx context.Context, out, progress io.Writer) error {
	executable, err := os.Executable()
	if err != nil {
		return fmt.Errorf("failed to find this program: %w", err)
	}
	command := exec.CommandContext(ctx, executable, append(os.Args[1:], isolatedFlag)...) // #nosec G204 G702 -- This very program.
	command.Stdout, command.Stderr = out, progress
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	command.WaitDelay = 30 * time.Second
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM, Cloneflags: syscall.CLONE_NEWNET}
	if os.Geteuid() != 0 {
		command.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		command.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		command.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	err = command.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Exited() {
		return errors.New("the measurement has failed with exit code " + strconv.Itoa(exit.ExitCode()))
	}
	if err != nil {
		return fmt.Errorf("failed to run in a network namespace (that needs root, or user namespaces must be allowed): %w", err)
	}
	return nil
}
