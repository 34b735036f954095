// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Command dashboard-image draws a dashboard of Plutono with the data of a Prometheus, without Plutono.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// retryPeriod is the time between two looks whether there is enough to draw.
const retryPeriod = 10 * time.Second

type options struct {
	dashboard  string
	prometheus string
	out        string
	last       time.Duration
	minSpan    time.Duration
	wait       time.Duration
	retry      time.Duration
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := newCommand().ExecuteContext(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func newCommand() *cobra.Command {
	o := options{retry: retryPeriod}
	command := &cobra.Command{
		Use:           "dashboard-image",
		Short:         "Draw a dashboard of Plutono as a PNG file",
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(command *cobra.Command, _ []string) error { return o.run(command.Context(), command.OutOrStdout()) },
	}
	flags := command.Flags()
	flags.StringVar(&o.dashboard, "dashboard", "", "file with the JSON of the dashboard")
	flags.StringVar(&o.prometheus, "prometheus", "", "URL of the Prometheus that all panels ask")
	flags.StringVar(&o.out, "out", "dashboard.png", "file to write")
	flags.DurationVar(&o.last, "last", 5*time.Minute, "how much of the past to draw, at most")
	flags.DurationVar(&o.minSpan, "min-span", 0, "wait until there have been rates for this long")
	flags.DurationVar(&o.wait, "wait", 2*time.Minute, "how long to wait for that, before what is there is drawn")
	for _, name := range []string{"dashboard", "prometheus"} {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return command
}

func (o options) run(ctx context.Context, out io.Writer) error {
	file, err := os.Open(o.dashboard)
	if err != nil {
		return err
	}
	defer file.Close()
	d, skipped, err := readDashboard(file)
	if err != nil {
		return fmt.Errorf("%s: %w", o.dashboard, err)
	}
	source, err := newSource(o.prometheus, o.last)
	if err != nil {
		return err
	}
	graphs, now, err := o.waitForData(ctx, source, d.Panels, out)
	if err != nil {
		return err
	}
	p := page{title: d.Title, start: unix(now), end: unix(now)}
	for _, g := range graphs {
		if len(g.series) == 0 {
			skipped = append(skipped, g.Title+" (no data)")
			continue
		}
		p.graphs = append(p.graphs, g)
		for _, s := range g.series {
			p.start = min(p.start, s.start())
		}
	}
	if len(p.graphs) == 0 {
		return errors.New("no panel of the dashboard has data")
	}
	picture, err := p.draw()
	if err != nil {
		return err
	}
	if err := write(o.out, picture); err != nil {
		return err
	}
	fmt.Fprintf(out, "Drew %d of %d panels.\n", len(p.graphs), len(p.graphs)+len(skipped))
	for _, reason := range skipped {
		fmt.Fprintln(out, "Left out:", reason)
	}
	return nil
}

// waitForData returns what is to be drawn, and up to when, as soon as there is enough of it or the time is over.
func (o options) waitForData(ctx context.Context, s source, panels []panel, out io.Writer) ([]graph, time.Time, error) {
	deadline := time.Now().Add(o.wait)
	for {
		now := time.Now()
		graphs, err := s.read(ctx, panels, now)
		if err != nil {
			return nil, now, err
		}
		span := spanOfRates(graphs).Round(time.Second)
		if span >= min(o.minSpan, o.last) {
			return graphs, now, nil
		}
		if now.Add(o.retry).After(deadline) {
			fmt.Fprintf(out, "Gave up waiting: there have been rates for %s only.\n", span)
			return graphs, now, nil
		}
		fmt.Fprintf(out, "Waiting until there have been rates for %s; so far it is %s.\n", o.minSpan, span)
		select {
		case <-ctx.Done():
			return nil, now, context.Cause(ctx)
		case <-time.After(o.retry):
		}
	}
}

// write replaces a file at once, so that whoever looks at it sees a whole picture.
func write(path string, picture image.Image) error {
	var data bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&data, picture); err != nil {
		return fmt.Errorf("failed to encode the picture: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", data.Bytes(), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
