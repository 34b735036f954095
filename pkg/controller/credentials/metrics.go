// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// tokenExpiry tells until when the token of each seed is valid.
var tokenExpiry = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "otel_federation_seed_token_expiry_timestamp_seconds",
	Help: "Time at which the token that a seed pushes with expires, in seconds since the epoch.",
}, []string{"seed"})

func init() {
	metrics.Registry.MustRegister(tokenExpiry)
}
