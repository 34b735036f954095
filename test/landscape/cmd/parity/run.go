// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/parity"
)

// comparer compares a Prometheus that pulls with those that are pushed to.
type comparer struct {
	pull    *landscape.Prometheus
	push    []*landscape.Prometheus
	options parity.Options
	write   parity.WriteOptions
	wait    time.Duration
}

// run writes the reports to out, and returns an error if there are differences. While it waits for them to vanish, it writes its progress
// to progress.
func (c *comparer) run(ctx context.Context, out, progress io.Writer) error {
	reports, err := c.compare(ctx)
	if (err != nil || differences(reports) > 0) && c.wait > 0 {
		reportProgress(progress, reports, err)
		// The last comparison is not cut short when the time is over, as its result would be lost.
		waitErr := wait.PollUntilContextTimeout(ctx, c.options.Interval, c.wait, false, func(context.Context) (bool, error) {
			reports, err = c.compare(ctx)
			reportProgress(progress, reports, err)
			return err == nil && differences(reports) == 0, nil
		})
		if ctx.Err() != nil {
			return waitErr
		}
	}
	if err != nil {
		return err
	}

	for i, report := range reports {
		if i > 0 {
			_, _ = fmt.Fprintln(out)
		}
		if err := report.Write(out, c.write); err != nil {
			return fmt.Errorf("failed to write the report: %w", err)
		}
	}
	if count := differences(reports); count > 0 {
		return fmt.Errorf("%d differences: see the report", count)
	}
	return nil
}

func (c *comparer) compare(ctx context.Context) ([]*parity.Report, error) {
	var reports []*parity.Report
	for _, push := range c.push {
		report, err := parity.Compare(ctx, c.pull, push, c.options)
		if err != nil {
			return nil, err
		}
		reports = append(reports, report)
	}
	return reports, nil
}

func differences(reports []*parity.Report) int {
	count := 0
	for _, report := range reports {
		count += report.Differences()
	}
	return count
}

func reportProgress(progress io.Writer, reports []*parity.Report, err error) {
	now := time.Now().UTC().Format(time.TimeOnly)
	if err != nil {
		_, _ = fmt.Fprintf(progress, "%s %v\n", now, err)
		return
	}
	for _, report := range reports {
		_, _ = fmt.Fprintf(progress, "%s %s: %d differences in %d families\n", now, report.Push, report.Differences(), len(report.Names()))
	}
}
