// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package landscape

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/process"
)

// Step is a step of the start of the landscape that has been done.
type Step struct {
	// Elapsed is the time since the start.
	Elapsed time.Duration `json:"elapsed"`
	// Text says what has been done.
	Text string `json:"text"`
}

// Report is what the daemon tells about itself.
type Report struct {
	// Steps are the steps of the start that have been done.
	Steps []Step `json:"steps"`
	// Done says that the start is over.
	Done bool `json:"done"`
	// Error says why the start has failed.
	Error string `json:"error,omitempty"`
	// Processes are the statuses of the processes.
	Processes []process.Status `json:"processes"`
}

var controlClient = &http.Client{Timeout: 20 * time.Second}

// Report asks the daemon for its report.
func (s *State) Report(ctx context.Context) (*Report, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ControlURL+"/report", nil)
	if err != nil {
		return nil, err
	}
	response, err := controlClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("failed to reach the daemon of the landscape: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	report := &Report{}
	if err := json.NewDecoder(response.Body).Decode(report); err != nil {
		return nil, fmt.Errorf("failed to decode the report of the landscape's daemon: %w", err)
	}
	return report, nil
}

// PodMetrics returns the metrics that the only pod of this name exposes on a port, by name.
func (s *State) PodMetrics(ctx context.Context, clusterName, pod string, port int) (map[string]*dto.MetricFamily, error) {
	return s.metrics(ctx, fmt.Sprintf("/clusters/%s/pods/%s/%d/metrics", clusterName, pod, port), "pod "+pod+" of cluster "+clusterName)
}

// IngressMetrics returns the metrics of the ingress gateways of a cluster, by name.
func (s *State) IngressMetrics(ctx context.Context, clusterName string) (map[string]*dto.MetricFamily, error) {
	return s.metrics(ctx, "/clusters/"+clusterName+"/ingress/metrics", "the gateways of cluster "+clusterName)
}

func (s *State) metrics(ctx context.Context, path, of string) (map[string]*dto.MetricFamily, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.ControlURL+path, nil)
	if err != nil {
		return nil, err
	}
	response, err := controlClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("failed to reach the daemon of the landscape: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return nil, fmt.Errorf("failed to read the metrics of %s: %s: %s", of, response.Status, text)
	}
	return parseMetrics(of, response.Body)
}

func parseMetrics(of string, text io.Reader) (map[string]*dto.MetricFamily, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(text)
	if err != nil {
		return nil, fmt.Errorf("failed to parse the metrics of %s: %w", of, err)
	}
	return families, nil
}

// Act does something to a process: stop, restart, kill, pause or continue.
func (s *State) Act(ctx context.Context, processName, action string) error {
	return s.control(ctx, http.MethodPost, "/processes/"+processName+"/"+action, nil)
}
