// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package bench

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

// Versions returns names and versions of the programs.
func Versions(ctx context.Context, o Options) ([]string, error) {
	prometheus, err := moduleVersion(o.Prometheus)
	if err != nil {
		return nil, err
	}
	// It is built from sources that are generated, so its module has no version.
	collector, err := exec.CommandContext(ctx, o.Collector, "--version").Output() // #nosec G204 -- The program that is measured.
	if err != nil {
		return nil, fmt.Errorf("failed to run %s (has it been built? run `make bench`): %w", o.Collector, err)
	}
	fields := strings.Fields(string(collector))
	if len(fields) == 0 {
		return nil, fmt.Errorf("%s does not tell its version", o.Collector)
	}

	versions := []string{"Prometheus " + prometheus, "OpenTelemetry collector " + fields[len(fields)-1]}
	if slices.Contains(o.Ways, WayVMAgent) {
		vmagent, err := moduleVersion(o.VMAgent)
		if err != nil {
			return nil, err
		}
		versions = append(versions, "vmagent "+vmagent)
	}
	return append(versions, runtime.Version()), nil
}

// moduleVersion returns the version of the module that a program is built from.
func moduleVersion(path string) (string, error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("failed to read the version of %s (has it been built? run `make bench`): %w", path, err)
	}
	// Prometheus 3.14.0 is version 0.314.0 of its module.
	return info.Main.Version, nil
}
