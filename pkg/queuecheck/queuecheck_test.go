// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package queuecheck_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/go-logr/logr/funcr"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"go.etcd.io/bbolt"

	. "github.com/gardener/gardener-extension-otel-federation/pkg/queuecheck"
)

var _ = Describe("Directory", func() {
	const pageSize = 4096

	var (
		ctx       = context.Background()
		directory string
		file      string
		logged    []string
	)

	// write writes a queue as filestorage does.
	write := func(path string) {
		GinkgoHelper()
		db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, NoSync: true, NoFreelistSync: true, FreelistType: bbolt.FreelistMapType, PageSize: pageSize})
		Expect(err).NotTo(HaveOccurred())
		for i := range 20 {
			Expect(db.Update(func(tx *bbolt.Tx) error {
				bucket, err := tx.CreateBucketIfNotExists([]byte("default"))
				if err != nil {
					return err
				}
				for j := range 50 {
					if err := bucket.Put(fmt.Appendf(nil, "%d-%d", i, j), make([]byte, 1000)); err != nil {
						return err
					}
				}
				return nil
			})).To(Succeed())
		}
		Expect(db.Close()).To(Succeed())
	}
	command := func(ctx context.Context, path string) *exec.Cmd {
		cmd := exec.CommandContext(ctx, os.Args[0])
		cmd.Env = append(os.Environ(), checkedFile+"="+path)
		return cmd
	}
	check := func() error {
		logged = nil
		return Directory(ctx, funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{}), directory, command)
	}
	change := func(do func(content []byte) []byte) {
		GinkgoHelper()
		content, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		Expect(os.WriteFile(file, do(content), 0o600)).To(Succeed())
	}

	BeforeEach(func() {
		directory = GinkgoT().TempDir()
		file = filepath.Join(directory, "exporter_otlp_http_garden_metrics")
		write(file)
	})

	It("should leave files alone that can be read", func() {
		other := filepath.Join(directory, "exporter_otlp_http_other_metrics")
		write(other)
		before, err := os.ReadFile(file)
		Expect(err).NotTo(HaveOccurred())
		Expect(check()).To(Succeed())
		Expect(os.ReadFile(file)).To(Equal(before))
		Expect(other).To(BeARegularFile())
		Expect(logged).To(ConsistOf(ContainSubstring("can be read"), ContainSubstring("can be read")))
	})

	DescribeTable("should delete a file that is destroyed, and nothing else", func(damage func(content []byte) []byte) {
		other := filepath.Join(directory, "exporter_otlp_http_other_metrics")
		write(other)
		change(damage)
		info, err := os.Stat(file)
		Expect(err).NotTo(HaveOccurred())

		Expect(check()).To(Succeed())
		Expect(file).NotTo(BeAnExistingFile())
		Expect(other).To(BeARegularFile())
		Expect(logged).To(ContainElement(And(ContainSubstring("Deleted the file of a queue"), ContainSubstring(file), ContainSubstring(fmt.Sprintf(`"bytes"=%d`, info.Size())))))
	},
		Entry("all of it", func(content []byte) []byte {
			for i := range content {
				content[i] = byte(i * 7)
			}
			return content
		}),
		Entry("both meta pages", func(content []byte) []byte {
			clear(content[:2*pageSize])
			return content
		}),
		Entry("all but the meta pages", func(content []byte) []byte {
			for i := 2 * pageSize; i < len(content); i++ {
				content[i] = byte(i * 7)
			}
			return content
		}),
		Entry("its second half is missing", func(content []byte) []byte { return content[:len(content)/2/pageSize*pageSize] }),
		Entry("all but a few bytes are missing", func(content []byte) []byte { return content[:100] }),
	)

	It("should leave a file alone that somebody else uses", func() {
		db, err := bbolt.Open(file, 0o600, nil)
		Expect(err).NotTo(HaveOccurred())
		defer func() { _ = db.Close() }()
		Expect(check()).To(Succeed())
		Expect(file).To(BeARegularFile())
		Expect(logged).To(ConsistOf(And(ContainSubstring("Cannot find out"), ContainSubstring("timeout"))))
	})

	DescribeTable("should leave a file alone if the check says nothing about it", func(script string) {
		logged = nil
		command := func(ctx context.Context, _ string) *exec.Cmd {
			return exec.CommandContext(ctx, "/bin/sh", "-c", script)
		}
		Expect(Directory(ctx, funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{}), directory, command)).To(Succeed())
		Expect(file).To(BeARegularFile())
		Expect(logged).To(ConsistOf(ContainSubstring("Cannot find out")))
	},
		Entry("because it was killed", "kill -9 $$"),
		Entry("because it got no memory", "echo 'fatal error: runtime: out of memory'; exit 2"),
		Entry("because it fails otherwise", "exit 1"),
	)

	It("should not look at what a collector does not open", func() {
		for _, name := range []string{"tempdb123", "exporter_otlp_http_garden_metrics.20260101T000000.000Z.backup"} {
			Expect(os.WriteFile(filepath.Join(directory, name), []byte("no database"), 0o600)).To(Succeed())
		}
		Expect(os.WriteFile(filepath.Join(directory, "empty"), nil, 0o600)).To(Succeed())
		Expect(os.Mkdir(filepath.Join(directory, "lost+found"), 0o700)).To(Succeed())
		Expect(check()).To(Succeed())
		Expect(os.ReadDir(directory)).To(HaveLen(5))
		Expect(logged).To(HaveLen(1))
	})

	It("should do nothing if there is no directory", func() {
		directory = filepath.Join(directory, "missing")
		Expect(check()).To(Succeed())
	})

	It("should say which directory it cannot read", func() {
		directory = file
		Expect(check()).To(MatchError(And(ContainSubstring(file), ContainSubstring("is the volume mounted"))))
	})
})
