// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Command corpus exposes series of all the shapes that federation has to carry unchanged.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/utils/clock"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
)

const shutdownTimeout = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	if err := newCommand().ExecuteContext(ctx); err != nil {
		stop()
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	var (
		options corpus.Options
		listen  string
	)
	cmd := &cobra.Command{
		Use:          "corpus",
		Short:        "Exposes series of all the shapes that federation has to carry unchanged, under /metrics",
		Args:         cobra.NoArgs,
		SilenceUsage: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return run(cmd.Context(), options, listen)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", ":8080", "Address to listen on.")
	cmd.Flags().IntVar(&options.Series, "series", corpus.DefaultSeries, "Number of series in all families that federation selects.")
	cmd.Flags().StringVar(&options.Seed, "seed", corpus.DefaultSeed, "Name of the seed, for series that carry it as a label of their own.")
	cmd.Flags().BoolVar(&options.Changing, "changing", false, "Let some counters rise by one per second. By default all values are constant.")
	cmd.Flags().BoolVar(&options.UTF8Names, "utf8-names", false, "Add metric and label names that are only valid in UTF-8.")
	return cmd
}

func run(ctx context.Context, options corpus.Options, listen string) error {
	exporter, err := corpus.NewExporter(options, clock.RealClock{})
	if err != nil {
		return err
	}

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

	fmt.Printf("Exposing %d series on %s\n", exporter.Series(), listen)
	if err := server.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("failed to serve the corpus: %w", err)
	}
	return nil
}
