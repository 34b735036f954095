// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/spf13/pflag"

	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
)

var _ = Describe("Command", func() {
	run := func(ctx context.Context, args ...string) (string, string, error) {
		cmd := newCommand()
		out, progress := &bytes.Buffer{}, &bytes.Buffer{}
		cmd.SetOut(out)
		cmd.SetErr(progress)
		cmd.SetArgs(args)
		err := cmd.ExecuteContext(ctx)
		return out.String(), progress.String(), err
	}

	DescribeTable("flags that are wrong",
		func(ctx SpecContext, expected string, args ...string) {
			_, _, err := run(ctx, args...)
			Expect(err).To(MatchError(ContainSubstring(expected)))
		},
		Entry("push is missing", "both --pull and --push are needed", "--pull", "http://a"),
		Entry("pull is missing", "both --pull and --push are needed", "--push", "http://a"),
		Entry("directory and URLs", "--dir excludes --pull and --push", "--dir", "a", "--pull", "http://a", "--push", "http://b"),
		Entry("no URL", "--pull is not the URL of a Prometheus", "--pull", "localhost:9090", "--push", "http://b"),
		Entry("no host", "--push is not the URL of a Prometheus", "--pull", "http://a", "--push", "http://"),
		Entry("the same Prometheus", "--pull and --push are the same Prometheus", "--pull", "http://a", "--push", "http://a"),
		Entry("prefix", `"shadow:*" is not a prefix of metric names`, "--push-prefix", "shadow:*"),
		Entry("selector that cannot be given the prefix", "selector sum(up) cannot be used with the prefix", "--push-prefix", "shadow:", "--selector", "sum(up)"),
		Entry("negative wait", "--wait -1s", "--wait", "-1s"),
		Entry("negative examples", "--examples -1", "--examples", "-1"),
		Entry("no interval", "--interval 0s", "--interval", "0"),
		Entry("no steps", "--steps 0", "--steps", "0"),
		Entry("too few steps", "2 evaluation times", "--steps", "2"),
		Entry("no token", "--bearer-token-file cannot be read", "--bearer-token-file", "does-not-exist", "--pull", "http://a", "--push", "http://b"),
		Entry("no landscape", "no landscape runs", "--dir", "does-not-exist"),
		Entry("arguments", "unknown command", "a"),
	)

	It("should use the Prometheis, the interval and the seeds of a landscape", func() {
		dir := GinkgoT().TempDir()
		startTime, err := landscape.StartTime(os.Getpid())
		Expect(err).NotTo(HaveOccurred())
		kubeconfig := filepath.Join(dir, "kubeconfig")
		Expect(os.WriteFile(kubeconfig, []byte(`{"apiVersion":"v1","kind":"Config","clusters":[{"name":"a","cluster":{"server":"http://localhost"}}],"contexts":[{"name":"a","context":{"cluster":"a"}}],"current-context":"a"}`), 0o600)).To(Succeed())
		state := &landscape.State{
			Dir: dir, PID: os.Getpid(), StartTime: startTime, ScrapeInterval: 5 * time.Second,
			Clusters: []landscape.ClusterState{{Name: "garden", Kubeconfig: kubeconfig}, {Name: "runtime", Seed: "local", Kubeconfig: kubeconfig}},
			Prometheis: []landscape.PrometheusState{
				{Name: "garden-0", URL: "http://garden-0"}, {Name: "garden-1", URL: "http://garden-1"}, {Name: "reference", URL: "http://reference"},
			},
		}
		Expect(state.Write()).To(Succeed())

		complete := func(args ...string) (*comparer, error) {
			f := &flags{}
			set := pflag.NewFlagSet("parity", pflag.ContinueOnError)
			f.addTo(set)
			Expect(set.Parse(append(args, "--dir", dir))).To(Succeed())
			return f.complete(set)
		}
		c, err := complete()
		Expect(err).NotTo(HaveOccurred())
		Expect(c.pull.URL).To(Equal("http://reference"))
		Expect(c.push).To(HaveExactElements(HaveField("URL", "http://garden-0"), HaveField("URL", "http://garden-1")))
		Expect(c.options.Interval).To(Equal(5 * time.Second))
		Expect(c.options.Seeds).To(Equal([]string{"local"}))
		Expect(c.options.MinConstant).To(Equal(0.9))

		c, err = complete("--interval", "10s", "--min-constant", "0", "--seeds", "a,b", "--exclude-jobs", "")
		Expect(err).NotTo(HaveOccurred())
		Expect(c.options.Interval).To(Equal(10 * time.Second))
		Expect(c.options.Seeds).To(Equal([]string{"a", "b"}))
		Expect(c.options.ExcludeJobs).To(And(BeEmpty(), Not(BeNil())))
		Expect(c.options.MinConstant).To(BeZero())

		state.Prometheis = state.Prometheis[:2]
		Expect(state.Write()).To(Succeed())
		_, err = complete()
		Expect(err).To(MatchError(ContainSubstring("has no Prometheus reference")))
	})

	Describe("comparing", func() {
		var pull, push, other *fakePrometheus

		BeforeEach(func() {
			pull, push, other = newFakePrometheus("1"), newFakePrometheus("1"), newFakePrometheus("1")
		})

		It("should write a report per Prometheus and succeed if there are no differences", func(ctx SpecContext) {
			out, _, err := run(ctx, "--pull", pull.URL, "--push", push.URL, "--push", other.URL, "--all")
			Expect(err).NotTo(HaveOccurred())
			Expect(out).To(MatchRegexp(`(?s)and ` + push.URL + ` \(push\).*test +1 +1 .*differences: 0.*and ` + other.URL + ` \(push\).*differences: 0`))
		})

		It("should compare metrics of one Prometheus that have a prefix with those that have none", func(ctx SpecContext) {
			pull.names = map[string]string{
				`{__name__=~"seed:(.+):count",__name__!~"shadow:.*"}`: "test",
				`{__name__=~"shadow:(?:seed:(.+):count)"}`:            "shadow:test",
			}
			out, _, err := run(ctx, "--pull", pull.URL, "--push", pull.URL, "--push-prefix", "shadow:", "--all")
			Expect(err).NotTo(HaveOccurred())
			Expect(out).To(MatchRegexp(`(?s)\(push, without shadow:\).*test +1 +1 .*series compared: 1 in pull, 1 in push\nconstant values compared: 1\n.*differences: 0`))
		})

		It("should write the report and fail if there are differences in one of them", func(ctx SpecContext) {
			other.value = "2"
			out, progress, err := run(ctx, "--pull", pull.URL, "--push", push.URL, "--push", other.URL)
			Expect(err).To(MatchError("1 differences: see the report"))
			Expect(out).To(MatchRegexp(`(?s)differences: 0.*value differs: pull 1 push 2.*differences: 1`))
			Expect(progress).To(Equal("Error: 1 differences: see the report\n"))
		})

		It("should fail if a Prometheus cannot be asked", func(ctx SpecContext) {
			push.Close()
			out, _, err := run(ctx, "--pull", pull.URL, "--push", push.URL)
			Expect(err).To(MatchError(ContainSubstring("failed to query Prometheus " + push.URL)))
			Expect(out).To(BeEmpty())
		})

		It("should wait for differences and errors to vanish", func(ctx SpecContext) {
			push.fails, push.differs = 1, 2
			out, progress, err := run(ctx, "--pull", pull.URL, "--push", push.URL, "--wait", "1m", "--interval", "20ms")
			Expect(err).NotTo(HaveOccurred())
			Expect(out).To(ContainSubstring("differences: 0"))
			Expect(progress).To(MatchRegexp(`(?s)failed to query.*: 1 differences in 1 families\n.*: 0 differences in 0 families\n$`))
		})

		It("should fail with the last report if differences do not vanish in time", func(ctx SpecContext) {
			push.value = "2"
			out, progress, err := run(ctx, "--pull", pull.URL, "--push", push.URL, "--wait", "100ms", "--interval", "20ms")
			Expect(err).To(MatchError("1 differences: see the report"))
			Expect(out).To(ContainSubstring("differences: 1"))
			Expect(progress).To(ContainSubstring("1 differences in 1 families"))
		})

		It("should stop waiting when it is told to stop", func(ctx SpecContext) {
			push.value = "2"
			stopCtx, stop := context.WithCancel(ctx)
			push.asked = stop
			_, _, err := run(stopCtx, "--pull", pull.URL, "--push", push.URL, "--wait", "1h")
			Expect(err).To(MatchError(context.Canceled))
		})

		It("should send the token, and not print it", func(ctx SpecContext) {
			file := filepath.Join(GinkgoT().TempDir(), "token")
			Expect(os.WriteFile(file, []byte("secret\n"), 0o600)).To(Succeed())
			push.value = "2"
			out, progress, err := run(ctx, "--pull", pull.URL, "--push", push.URL, "--bearer-token-file", file)
			Expect(err).To(HaveOccurred())
			Expect(pull.token.Load()).To(Equal("Bearer secret"))
			Expect(push.token.Load()).To(Equal("Bearer secret"))
			Expect(out + progress).NotTo(ContainSubstring("secret"))
		})
	})
})

// fakePrometheus has one series with one value.
type fakePrometheus struct {
	*httptest.Server

	value string
	// names are the names of the series by the queries which they answer.
	names map[string]string
	// fails and differs are how many comparisons fail, and how many then find another value.
	fails, differs int64
	// asked is called with each request.
	asked func()

	comparisons atomic.Int64
	token       atomic.Value
}

func newFakePrometheus(value string) *fakePrometheus {
	f := &fakePrometheus{value: value, names: map[string]string{landscape.Selectors()[0]: "test"}, asked: func() {}}
	f.Server = httptest.NewServer(f)
	DeferCleanup(f.Close)
	return f
}

func (f *fakePrometheus) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked()
	f.token.Store(r.Header.Get("Authorization"))
	result := []any{}
	if r.URL.Path == "/api/v1/query" {
		// This is the first request of a comparison.
		if f.comparisons.Add(1) <= f.fails {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write([]byte(`{"status":"error","errorType":"execution","error":"not now"}`))
			return
		}
		result = append(result, map[string]any{"metric": map[string]string{"seed": "one"}, "value": []any{0, "1"}})
		answer(w, "vector", result)
		return
	}

	value := f.value
	if f.differs > 0 && f.comparisons.Load() <= f.differs {
		value = "2"
	}
	if name, ok := f.names[r.FormValue("query")]; ok {
		start, _ := strconv.ParseFloat(r.FormValue("start"), 64)
		step, _ := strconv.ParseFloat(r.FormValue("step"), 64)
		var values []any
		for i := range 6 {
			values = append(values, []any{start + float64(i)*step, value})
		}
		result = append(result, map[string]any{"metric": map[string]string{"__name__": name, "seed": "one"}, "values": values})
	}
	answer(w, "matrix", result)
}

func answer(w http.ResponseWriter, resultType string, result any) {
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": resultType, "result": result}})
}
