// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package queuecheck_test

import (
	"os"
	"testing"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/queuecheck"
)

// checkedFile is the variable that makes this program the process that checks a file.
const checkedFile = "CHECKED_FILE"

func TestMain(m *testing.M) {
	if file := os.Getenv(checkedFile); file != "" {
		os.Exit(File(os.Stderr, file))
	}
	os.Exit(m.Run())
}

func TestQueueCheck(t *testing.T) {
	RegisterFailHandler(Fail)
	RunSpecs(t, "Queue Check Suite")
}
