// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package garden_test

import (
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/pkg/drain"
)

func TestGarden(t *testing.T) {
	RegisterFailHandler(Fail)
	// Looking at queues must not take the time that it takes in a cluster.
	drain.AttemptTimeout, drain.Interval = 100*time.Millisecond, 5*time.Millisecond
	RunSpecs(t, "Controller Garden Suite")
}
