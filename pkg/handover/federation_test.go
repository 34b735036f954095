// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package handover_test

import (
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/handover"
)

var _ = Describe("Board", func() {
	It("should tell as metrics what is on it", func() {
		board := &Board{}
		Expect(testutil.CollectAndCount(board)).To(BeZero())

		board.Publish(&Federation{Seeds: []SeedFederation{
			{Name: "a", State: "Push", Enabled: true, Newest: time.UnixMilli(1767268800500)},
			{Name: "b", State: "Pull"},
		}})
		Expect(testutil.CollectAndCompare(board, strings.NewReader(`
# HELP otel_federation_seed_enabled Whether a seed is to push: 1 if it has the extension and nothing speaks against its pushing, 0 otherwise.
# TYPE otel_federation_seed_enabled gauge
otel_federation_seed_enabled{seed="a"} 1
otel_federation_seed_enabled{seed="b"} 0
# HELP otel_federation_seed_hand_over_state State of a seed between pull and push: 1 for the state that it is in.
# TYPE otel_federation_seed_hand_over_state gauge
otel_federation_seed_hand_over_state{seed="a",state="Push"} 1
otel_federation_seed_hand_over_state{seed="b",state="Pull"} 1
# HELP otel_federation_seed_last_sample_timestamp_seconds Time of the newest sample of a seed that all replicas of the garden Prometheus have by push, in seconds since the epoch.
# TYPE otel_federation_seed_last_sample_timestamp_seconds gauge
otel_federation_seed_last_sample_timestamp_seconds{seed="a"} 1.7672688005e+09
`))).To(Succeed())
		problems, err := testutil.CollectAndLint(board)
		Expect(err).NotTo(HaveOccurred())
		Expect(problems).To(BeEmpty())

		board.Publish(nil)
		Expect(testutil.CollectAndCount(board)).To(BeZero())
	})

	It("should name the replicas that have not answered for long enough", func() {
		federation := &Federation{Silence: map[string]time.Duration{"b": time.Hour, "a": 2 * time.Minute, "c": time.Minute}}
		Expect(federation.Unavailable(time.Minute)).To(Equal([]string{"a", "b"}))
	})
})
