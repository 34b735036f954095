// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package landscape

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/ingress"
)

// ActOnContainer does something to a container of a pod in the namespace garden: kill, pause or continue.
func (s *State) ActOnContainer(ctx context.Context, clusterName, pod, container, action string) error {
	return s.control(ctx, http.MethodPost, fmt.Sprintf("/clusters/%s/pods/%s/%s/%s", clusterName, pod, container, action), nil)
}

// SetFaults replaces the faults of the WAN in front of the ingress gateways of a cluster.
func (s *State) SetFaults(ctx context.Context, clusterName string, faults ingress.Faults) error {
	data, err := json.Marshal(faults)
	if err != nil {
		return err
	}
	return s.control(ctx, http.MethodPut, "/clusters/"+clusterName+"/ingress/faults", data)
}

// control sends a request to the daemon.
func (s *State) control(ctx context.Context, method, path string, body []byte) error {
	request, err := http.NewRequestWithContext(ctx, method, s.ControlURL+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := controlClient.Do(request)
	if err != nil {
		return fmt.Errorf("failed to reach the daemon of the landscape: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s %s: %s: %s", method, path, response.Status, text)
	}
	return nil
}
