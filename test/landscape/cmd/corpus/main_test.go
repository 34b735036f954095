// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/spf13/pflag"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape/corpus"
)

var _ = Describe("Command", func() {
	exporterFor := func(args ...string) (*corpus.Exporter, error) {
		GinkgoHelper()
		var (
			c     command
			flags = pflag.NewFlagSet("corpus", pflag.ContinueOnError)
		)
		c.addFlags(flags)
		Expect(flags.Parse(args)).To(Succeed())
		return c.exporter(flags)
	}
	scrape := func(exporter *corpus.Exporter) string {
		GinkgoHelper()
		recorder := httptest.NewRecorder()
		exporter.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		Expect(recorder.Code).To(Equal(http.StatusOK))
		return recorder.Body.String()
	}

	It("should expose the corpus of a seed", func() {
		exporter, err := exporterFor("--series=800", "--seed=my-seed", "--utf8-names", "--changing")
		Expect(err).NotTo(HaveOccurred())
		Expect(exporter.Series()).To(Equal(800))
		Expect(scrape(exporter)).To(And(ContainSubstring(`seed="my-seed"`), ContainSubstring("seed:corpus_requests:count"), Not(ContainSubstring("garden_shoot_info"))))
	})

	It("should expose what is known about the garden instead", func() {
		exporter, err := exporterFor("--garden-seeds=local,seed-2")
		Expect(err).NotTo(HaveOccurred())
		Expect(scrape(exporter)).To(And(ContainSubstring(`shoot_uid="seed-2-two"`), ContainSubstring(`shoot_uid="local-one"`), Not(ContainSubstring("shoot:"))))
	})

	DescribeTable("changes",
		func(name string, args ...string) {
			path := filepath.Join(GinkgoT().TempDir(), "changes.json")
			exporter, err := exporterFor(append(args, "--changes="+path)...)
			Expect(err).NotTo(HaveOccurred())
			Expect(scrape(exporter)).To(ContainSubstring("\n" + name + "{"))
			Expect(corpus.Changes{Hide: []corpus.Matcher{{"__name__": name}}}.Write(path)).To(Succeed())
			Expect(scrape(exporter)).NotTo(ContainSubstring("\n" + name + "{"))
		},
		Entry("of a seed", "shoot:a:b"),
		Entry("of the garden", "garden_shoot_info", "--garden-seeds=local"),
	)

	DescribeTable("flags that do not fit together",
		func(flag string) {
			_, err := exporterFor("--garden-seeds=local", flag)
			Expect(err).To(MatchError(And(ContainSubstring("--garden-seeds"), ContainSubstring("leave out one of them"))))
		},
		Entry(nil, "--series=700"),
		Entry(nil, "--seed=local"),
		Entry(nil, "--changing"),
		Entry(nil, "--utf8-names"),
	)

	It("should refuse a garden without seeds", func() {
		_, err := exporterFor("--garden-seeds=")
		Expect(err).To(MatchError(ContainSubstring("has no seed")))
	})

	It("should say what it exposes, until it is stopped", func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		var out bytes.Buffer
		cmd := newCommand()
		cmd.SetOut(&out)
		cmd.SetArgs([]string{"--listen=127.0.0.1:0", "--series=700"})
		Expect(cmd.ExecuteContext(ctx)).To(Succeed())
		Expect(out.String()).To(Equal("Exposing 700 series on 127.0.0.1:0\n"))
	})

	It("should say that it cannot listen", func() {
		cmd := newCommand()
		cmd.SetOut(&bytes.Buffer{})
		cmd.SetErr(&bytes.Buffer{})
		cmd.SetArgs([]string{"--listen=127.0.0.1:-1"})
		Expect(cmd.ExecuteContext(context.Background())).To(MatchError(And(ContainSubstring("127.0.0.1:-1"), ContainSubstring("--listen"))))
	})
})
