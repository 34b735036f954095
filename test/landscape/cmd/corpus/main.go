// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Command corpus exposes series of all the shapes that federation has to carry unchanged, or what is known about the garden.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/utils/clock"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
)

const (
	shutdownTimeout = 5 * time.Second

	flagGardenSeeds = "garden-seeds"
)

// ofSeeds are the flags that mean nothing to the garden's exporter.
var ofSeeds = []string{"series", "seed", "changing", "utf8-names"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	if err := newCommand().ExecuteContext(ctx); err != nil {
		stop()
		os.Exit(1)
	}
}

type command struct {
	options     corpus.Options
	gardenSeeds []string
	changes     string
	listen      string
}

func newCommand() *cobra.Command {
	c := &command{}
	cmd := &cobra.Command{
		Use:          "corpus",
		Short:        "Exposes series of all the shapes that federation has to carry unchanged, under /metrics",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			exporter, err := c.exporter(cmd.Flags())
			if err != nil {
				return err
			}
			return run(cmd.Context(), exporter, c.listen, cmd.OutOrStdout())
		},
	}
	c.addFlags(cmd.Flags())
	return cmd
}

func (c *command) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&c.listen, "listen", ":8080", "Address to listen on.")
	flags.IntVar(&c.options.Series, "series", corpus.DefaultSeries, "Number of series in all families that federation selects.")
	flags.StringVar(&c.options.Seed, "seed", corpus.DefaultSeed, "Name of the seed, for series that carry it as a label of their own.")
	flags.BoolVar(&c.options.Changing, "changing", false, "Let some counters rise by one per second. By default all values are constant.")
	flags.BoolVar(&c.options.UTF8Names, "utf8-names", false, "Add metric and label names that are only valid in UTF-8.")
	flags.StringSliceVar(&c.gardenSeeds, flagGardenSeeds, nil, "Names of seeds: expose what gardener-metrics-exporter would about the garden and these seeds instead.")
	flags.StringVar(&c.changes, "changes", "",
		`File that is read for each scrape, if it exists: {"hide":[{"label":"value"}],"incidents":["`+corpus.IncidentShootControlPlane+`"]}`)
}

// exporter returns the exporter that the flags ask for.
func (c *command) exporter(flags *pflag.FlagSet) (*corpus.Exporter, error) {
	exporter, err := c.newExporter(flags)
	if err != nil {
		return nil, err
	}
	if c.changes != "" {
		exporter.FollowChanges(c.changes)
	}
	return exporter, nil
}

func (c *command) newExporter(flags *pflag.FlagSet) (*corpus.Exporter, error) {
	if !flags.Changed(flagGardenSeeds) {
		return corpus.NewExporter(c.options, clock.RealClock{})
	}
	for _, name := range ofSeeds {
		if flags.Changed(name) {
			return nil, fmt.Errorf("flag --%s is only about series of a seed, but --%s asks for those of the garden: leave out one of them", name, flagGardenSeeds)
		}
	}
	return corpus.NewGardenExporter(c.gardenSeeds, clock.RealClock{})
}

func run(ctx context.Context, exporter *corpus.Exporter, listen string, out io.Writer) error {
	// What it took to render a large corpus is not needed any more.
	debug.FreeOSMemory()

	mux := http.NewServeMux()
	mux.Handle("/metrics", exporter)
	server := &http.Server{Addr: listen, Handler: mux, ReadHeaderTimeout: time.Minute}
	stop := context.AfterFunc(ctx, func() {
		shutdownCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		_ = server.Shutdown(shutdownCtx)
	})
	defer stop()

	if _, err := fmt.Fprintf(out, "Exposing %d series on %s\n", exporter.Series(), listen); err != nil {
		return fmt.Errorf("failed to say what is exposed: %w", err)
	}
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("failed to serve the corpus on %s, choose a free address with --listen: %w", listen, err)
	}
	return nil
}
