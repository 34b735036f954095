// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"github.com/onsi/gomega/gbytes"
)

const testDashboard = `{"title": "My Dashboard", "panels": [
	{"type": "graph", "title": "Rate", "yaxes": [{"format": "cps"}], "targets": [{"expr": "sum by (pod) (rate(some_total[25s]))", "legendFormat": "{{pod}}"}]},
	{"type": "graph", "title": "Nothing", "targets": [{"expr": "absent_metric", "legendFormat": "absent"}]},
	{"type": "graph", "title": "Many", "targets": [{"expr": "many", "legendFormat": "{{pod}}"}]}
]}`

// answer returns the series that a query has in a range of time.
type answer func(start, end, step float64) any

// lines answers by so many series, which have values since so many seconds, or in the whole range.
func lines(count int, since float64) answer {
	return func(start, end, step float64) any {
		result := []any{}
		if since > 0 {
			start = max(start, end-since)
		}
		for i := range count {
			values := []any{}
			for t := end; t >= start; t -= step {
				values = append([]any{[]any{t, strconv.Itoa(100 * (i + 1))}}, values...)
			}
			result = append(result, map[string]any{"metric": map[string]string{"pod": fmt.Sprintf("pod-%d", i)}, "values": values})
		}
		return result
	}
}

// fakePrometheus answers range queries. It knows no other expressions than those that there are answers for.
func fakePrometheus(answers map[string]answer) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v1/query_range", func(w http.ResponseWriter, r *http.Request) {
		get, known := answers[r.FormValue("query")]
		if !known {
			w.WriteHeader(http.StatusUnprocessableEntity)
			fmt.Fprint(w, `{"status": "error", "errorType": "execution", "error": "no such metric"}`)
			return
		}
		number := func(name string) float64 {
			defer GinkgoRecover()
			value, err := strconv.ParseFloat(r.FormValue(name), 64)
			Expect(err).NotTo(HaveOccurred(), name)
			return value
		}
		data := map[string]any{"resultType": "matrix", "result": get(number("start"), number("end"), number("step"))}
		_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": data})
	})
	return mux
}

var _ = Describe("Command", func() {
	var (
		answers map[string]answer
		server  *httptest.Server
		opts    options
		out     *gbytes.Buffer
	)

	BeforeEach(func() {
		answers = map[string]answer{
			"sum by (pod) (rate(some_total[25s]))": lines(2, 0),
			"absent_metric":                        lines(0, 0),
			"many":                                 lines(maxSeries+3, 0),
		}
		server = httptest.NewServer(fakePrometheus(answers))
		DeferCleanup(server.Close)

		dir := GinkgoT().TempDir()
		opts = options{
			dashboard: filepath.Join(dir, "dashboard.json"), prometheus: server.URL, out: filepath.Join(dir, "images", "my.png"),
			last: 5 * time.Minute, retry: time.Millisecond,
		}
		Expect(os.WriteFile(opts.dashboard, []byte(testDashboard), 0o600)).To(Succeed())
		out = gbytes.NewBuffer()
	})

	It("should draw the panels that have data, and say which are left out", func(ctx SpecContext) {
		Expect(opts.run(ctx, out)).To(Succeed())
		Expect(string(out.Contents())).To(Equal("Drew 2 of 3 panels.\nLeft out: Nothing (no data)\n"))

		file, err := os.Open(opts.out)
		Expect(err).NotTo(HaveOccurred())
		defer file.Close()
		picture, err := png.Decode(file)
		Expect(err).NotTo(HaveOccurred())
		Expect(picture.Bounds().Dx()).To(Equal(pageWidth))

		pixels := map[color.Color]int{}
		for x := range picture.Bounds().Dx() {
			for y := range picture.Bounds().Dy() {
				pixels[picture.At(x, y)]++
			}
		}
		Expect(pixels[color.RGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xff}]).To(BeNumerically(">", picture.Bounds().Dx()*picture.Bounds().Dy()*8/10), "background")
		for i, c := range palette {
			Expect(pixels[c]).To(BeNumerically(">", panelWidth/2), "line of colour %d", i)
		}
		info, err := file.Stat()
		Expect(err).NotTo(HaveOccurred())
		Expect(info.Size()).To(BeNumerically("<", 100*1024))
	})

	It("should look back no further than there is data", func(ctx SpecContext) {
		answers["sum by (pod) (rate(some_total[25s]))"] = lines(1, 30)
		answers["many"] = lines(0, 0)
		s, err := newSource(opts.prometheus, opts.last)
		Expect(err).NotTo(HaveOccurred())
		now := time.Now()
		graphs, _, err := opts.waitForData(ctx, s, []panel{{Targets: []query{{Expr: "sum by (pod) (rate(some_total[25s]))"}}}}, out)
		Expect(err).NotTo(HaveOccurred())
		Expect(graphs[0].series[0].start()).To(BeNumerically("~", unix(now)-30, 3))
		Expect(graphs[0].span()).To(BeNumerically("~", 30*time.Second, 3*time.Second))
	})

	It("should wait until there is enough to draw", func(ctx SpecContext) {
		asked := 0
		answers["sum by (pod) (rate(some_total[25s]))"] = func(start, end, step float64) any {
			asked++
			return lines(1, float64(20*asked))(start, end, step)
		}
		opts.minSpan, opts.wait = 50*time.Second, time.Minute
		Expect(opts.run(ctx, out)).To(Succeed())
		Expect(asked).To(Equal(3))
		Expect(out).To(gbytes.Say(`Waiting until there have been rates for 50s; so far it is (19|20)s.\n`))
		Expect(out).To(gbytes.Say(`Waiting until there have been rates for 50s; so far it is (39|40)s.\n`))
		Expect(out).To(gbytes.Say("Drew 2 of 3 panels"))
	})

	It("should draw what is there when the time is over", func(ctx SpecContext) {
		answers["sum by (pod) (rate(some_total[25s]))"] = lines(0, 0)
		opts.minSpan, opts.wait = 50*time.Second, 0
		Expect(opts.run(ctx, out)).To(Succeed())
		Expect(out).To(gbytes.Say("Gave up waiting: there have been rates for 0s only.\nDrew 1 of 3 panels"))
	})

	It("should stop waiting when it is told to", func(ctx SpecContext) {
		answers["sum by (pod) (rate(some_total[25s]))"] = lines(0, 0)
		opts.minSpan, opts.wait, opts.retry = time.Minute, time.Minute, time.Minute/2
		cancelled, cancel := context.WithCancel(ctx)
		cancel()
		Expect(opts.run(cancelled, out)).To(MatchError(context.Canceled))
		Expect(opts.out).NotTo(BeAnExistingFile())
	})

	It("should name panel and query that fail, and write nothing", func(ctx SpecContext) {
		delete(answers, "many")
		Expect(opts.run(ctx, out)).To(MatchError(And(HavePrefix(`panel "Many": query "many" failed: `), ContainSubstring("no such metric"))))
		Expect(opts.out).NotTo(BeAnExistingFile())
	})

	It("should draw nothing without data", func(ctx SpecContext) {
		answers["sum by (pod) (rate(some_total[25s]))"], answers["many"] = lines(0, 0), lines(0, 0)
		Expect(opts.run(ctx, out)).To(MatchError("no panel of the dashboard has data"))
		Expect(opts.out).NotTo(BeAnExistingFile())
	})
})

var _ = Describe("Colors", func() {
	named := func(names ...string) []series {
		var all []series
		for _, name := range names {
			all = append(all, series{name: name})
		}
		return all
	}

	It("should be the same in all graphs", func() {
		c := colors{}
		Expect(c.of(named("local", "seed-2"))).To(HaveExactElements(palette[0], palette[1]))
		Expect(c.of(named("garden-0", "seed-2"))).To(HaveExactElements(palette[2], palette[1]))
	})

	It("should differ within a graph", func() {
		c := colors{}
		c.of(named("a", "b", "c", "d", "e", "f", "g"))
		Expect(c.of(named("h", "i", "a"))).To(HaveExactElements(palette[7], palette[0], palette[1]))
	})
})
