// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"io/fs"
	"os"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

var _ = Describe("writeAtomically", func() {
	var directory string

	BeforeEach(func() {
		directory = GinkgoT().TempDir()
	})

	write := func(contents map[string]string) bool {
		GinkgoHelper()
		files := map[string]projectedFile{}
		for path, content := range contents {
			files[path] = projectedFile{data: []byte(content), mode: 0o640}
		}
		changed, err := writeAtomically(directory, files)
		Expect(err).NotTo(HaveOccurred())
		return changed
	}
	names := func() []string {
		GinkgoHelper()
		entries, err := os.ReadDir(directory)
		Expect(err).NotTo(HaveOccurred())
		var names []string
		for _, entry := range entries {
			names = append(names, entry.Name())
		}
		return names
	}

	It("should write files behind links", func() {
		Expect(write(map[string]string{"a": "1", "sub/b": "2"})).To(BeTrue())
		Expect(os.ReadFile(filepath.Join(directory, "a"))).To(BeEquivalentTo("1"))
		Expect(os.ReadFile(filepath.Join(directory, "sub", "b"))).To(BeEquivalentTo("2"))
		Expect(os.Readlink(filepath.Join(directory, "a"))).To(Equal("..data/a"))
		Expect(os.Readlink(filepath.Join(directory, "sub"))).To(Equal("..data/sub"))
		info, err := os.Stat(filepath.Join(directory, "a"))
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Mode()).To(Equal(fs.FileMode(0o640)))
	})

	It("should not touch what has not changed", func() {
		Expect(write(map[string]string{"a": "1", "sub/b": "2"})).To(BeTrue())
		before := names()
		Expect(write(map[string]string{"a": "1", "sub/b": "2"})).To(BeFalse())
		Expect(names()).To(Equal(before))
	})

	It("should switch to changed files and remove stale ones", func() {
		write(map[string]string{"a": "1", "sub/b": "2"})
		old, err := os.Readlink(filepath.Join(directory, "..data"))
		Expect(err).NotTo(HaveOccurred())

		Expect(write(map[string]string{"a": "3", "c": "4"})).To(BeTrue())
		Expect(os.ReadFile(filepath.Join(directory, "a"))).To(BeEquivalentTo("3"))
		Expect(names()).To(ConsistOf(HavePrefix("..20"), "..data", "a", "c"))
		Expect(names()).NotTo(ContainElement(old))
	})

	It("should notice changed modes and removed files", func() {
		write(map[string]string{"a": "1", "b": "2"})
		changed, err := writeAtomically(directory, map[string]projectedFile{"a": {data: []byte("1"), mode: 0o600}, "b": {data: []byte("2"), mode: 0o640}})
		Expect(err).NotTo(HaveOccurred())
		Expect(changed).To(BeTrue())
		Expect(write(map[string]string{"a": "1"})).To(BeTrue())
	})

	It("should write an empty volume", func() {
		Expect(write(nil)).To(BeTrue())
		Expect(write(nil)).To(BeFalse())
	})

	DescribeTable("should reject paths outside of the volume", func(path string) {
		_, err := writeAtomically(directory, map[string]projectedFile{path: {}})
		Expect(err).To(MatchError(ContainSubstring("must be relative")))
	},
		Entry("absolute", "/a"),
		Entry("parent", "../a"),
		Entry("nested parent", "a/../../b"),
		Entry("reserved", "..data"),
		Entry("empty", ""),
	)
})

var _ = Describe("rotatingFile", func() {
	It("should keep the current and the previous file", func() {
		path := filepath.Join(GinkgoT().TempDir(), "logs", "container.log")
		log, err := openLog(path)
		Expect(err).NotTo(HaveOccurred())
		log.limit = 10
		for _, line := range []string{"line 1\n", "line 2\n", "line 3\n"} {
			_, err := log.Write([]byte(line))
			Expect(err).NotTo(HaveOccurred())
		}
		Expect(log.Close()).To(Succeed())
		Expect(os.ReadFile(path)).To(BeEquivalentTo("line 3\n"))
		Expect(os.ReadFile(path + ".1")).To(BeEquivalentTo("line 2\n"))
	})
})
