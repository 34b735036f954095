// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package landscape

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// WriteTable writes what the landscape federates, how its Extensions are, and where to look.
func (l *Landscape) WriteTable(ctx context.Context, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	l.writeSeeds(ctx, w)
	if err := l.writeExtensions(ctx, w); err != nil {
		return err
	}

	line(w, "")
	line(w, "PROMETHEUS\tURL")
	for _, p := range l.Prometheis {
		line(w, p.Name+"\t"+p.URL)
	}
	line(w, "")
	line(w, "CLUSTER\tKUBECONFIG")
	for _, c := range l.Clusters {
		line(w, c.Name+"\t"+c.Kubeconfig)
	}
	line(w, "all, as contexts\t"+l.Kubeconfig())
	if err := l.writeProcesses(ctx, w); err != nil {
		return err
	}
	return w.Flush()
}

func (l *Landscape) writeSeeds(ctx context.Context, w io.Writer) {
	states := map[string]string{}
	if status, err := l.FederationStatus(ctx); err == nil {
		for _, seed := range status.Seeds {
			states[seed.Name] = string(seed.State)
		}
	}

	line(w, "SEED\tBY\tSERIES IN AGGREGATE\tIN GARDEN-0\tIN GARDEN-1\tAGE OF NEWEST SAMPLE")
	for _, c := range l.Seeds() {
		row := c.Seed + "\t" + cmp.Or(states[c.Seed], "Pull")
		if count, err := l.prometheis[AggregateName(c.Seed)].federated(ctx, c.Seed); err != nil {
			row += "\t-"
		} else {
			row += "\t" + strconv.Itoa(count.Series)
		}

		ages := ""
		for _, replica := range GardenReplicas {
			count, err := l.prometheis[replica].federated(ctx, c.Seed)
			if err != nil {
				row += "\t-"
				continue
			}
			row += "\t" + strconv.Itoa(count.Series)
			if count.Series > 0 {
				if ages != "" {
					ages += " / "
				}
				ages += time.Since(count.Newest).Round(100 * time.Millisecond).String()
			}
		}
		if ages == "" {
			ages = "-"
		}
		line(w, row+"\t"+ages)
	}
}

func (l *Landscape) writeExtensions(ctx context.Context, w io.Writer) error {
	line(w, "")
	line(w, "EXTENSION\tCLUSTER\tCLASS\tLAST OPERATION")
	for _, c := range l.Seeds() {
		list := &extensionsv1alpha1.ExtensionList{}
		if err := l.clients[c.Name].List(ctx, list, client.InNamespace("garden")); err != nil {
			return fmt.Errorf("failed to list the Extensions of cluster %s: %w", c.Name, err)
		}
		for _, extension := range list.Items {
			class, operation := "shoot", "none"
			if extension.Spec.Class != nil {
				class = string(*extension.Spec.Class)
			}
			if last := extension.Status.LastOperation; last != nil {
				operation = fmt.Sprintf("%s %s (%d%%)", last.Type, last.State, last.Progress)
			}
			if last := extension.Status.LastError; last != nil {
				operation += ": " + last.Description
			}
			line(w, extension.Name+"\t"+c.Name+"\t"+class+"\t"+operation)
		}
	}
	return nil
}

// writeProcesses lists the processes that are not as they should be.
func (l *Landscape) writeProcesses(ctx context.Context, w io.Writer) error {
	report, err := l.Report(ctx)
	if err != nil {
		return err
	}
	header := false
	for _, status := range report.Processes {
		if status.State == process.StateRunning && status.Restarts == 0 {
			continue
		}
		if !header {
			line(w, "")
			line(w, "PROCESS\tSTATE\tRESTARTS\tLAST EXIT\tLOG FILE")
			header = true
		}
		line(w, fmt.Sprintf("%s\t%s\t%d\t%s\t%s", status.Name, status.State, status.Restarts, status.LastExit, status.LogFile))
	}
	return nil
}

func line(w io.Writer, text string) { _, _ = fmt.Fprintln(w, text) }
