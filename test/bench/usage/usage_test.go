// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package usage_test

import (
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	. "github.com/gardener/gardener-extension-otel-federation/test/bench/usage"
)

var _ = Describe("Reader", func() {
	var (
		reader Reader
		write  func(path, content string)
	)

	BeforeEach(func() {
		reader = Reader{Root: GinkgoT().TempDir()}
		write = func(path, content string) {
			GinkgoHelper()
			path = filepath.Join(reader.Root, path)
			Expect(os.MkdirAll(filepath.Dir(path), 0o700)).To(Succeed())
			Expect(os.WriteFile(path, []byte(content), 0o600)).To(Succeed())
		}
		write("42/stat", "42 (a ) 1 (name) S 1 42 42 0 -1 4194560 100 0 5 0 1234 56 7 8 20 0 9 0 100 1000 50\n")
		write("42/status", "Name:\ta\nVmPeak:\t  9999 kB\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n")
		write("stat", "cpu  100 20 30 4000 500 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n")
		write("cpuinfo", "processor\t: 0\nmodel name\t: Fast One\n\nprocessor\t: 1\nmodel name\t: Fast One\n")
		write("meminfo", "MemTotal:       16500000 kB\nMemFree:        1 kB\n")
	})

	It("should read what a process has used, whatever its name is", func() {
		Expect(reader.Process(42)).To(Equal(Process{CPU: 12900 * time.Millisecond, RSS: 1 << 20, PeakRSS: 2 << 20}))
	})

	It("should read it of this very process", func() {
		used, err := Proc.Process(os.Getpid())
		Expect(err).NotTo(HaveOccurred())
		Expect(used.PeakRSS).To(BeNumerically(">", 1<<20))
	})

	It("should read how long the machine was busy", func() {
		Expect(reader.Busy()).To(Equal(1630 * time.Millisecond))
	})

	It("should describe the machine", func() {
		Expect(reader.Machine()).To(MatchRegexp(`^Fast One, \d+ cores, 16 GiB of memory$`))
	})

	DescribeTable("should say what it cannot read",
		func(path, content, expected string) {
			write(path, content)
			_, err := reader.Process(42)
			Expect(err).To(MatchError(ContainSubstring(expected)))
		},
		Entry("too few fields", "42/stat", "42 (a) S 1", "2 fields"),
		Entry("no number", "42/stat", "42 (a) S 1 42 42 0 -1 4194560 100 0 5 0 x 56 7 8", "failed to parse the processor time of process 42"),
		Entry("no memory", "42/status", "Name:\ta\n", "has no VmHWM"),
	)

	It("should say that a process is not there", func() {
		Expect(reader.Process(43)).Error().To(MatchError(ContainSubstring("process 43")))
	})
})
