// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
)

const (
	// allowedHeavy is how old the newest sample of another seed may become while the fan-out has much to do. A seed whose samples are refused for
	// the moment tries again after five seconds at the latest, but the requests that it sends may take half a minute to fail.
	allowedHeavy = 45 * time.Second
	// hold is for how long the attacker keeps requests open that do not end.
	hold = 20 * time.Second

	slowClients, slowStreams = 100, 100
)

const (
	ownName = "under its own name"
	asText  = ownName + ", as a text"
	// withoutThem is told of samples that have lost what is long.
	withoutThem = ownName + ", without them"
	// unmarked is told of attacks that have no sample that could be looked for. That they were refused is checked.
	unmarked = "nothing, as all is refused"
)

// heavy is an attack by quantity with samples of the given value. It returns the answer.
type heavy func(ctx context.Context, value float64) string

var _ = DescribeTable("Heavy abuse", Label(labelLong), Serial, func(ctx SpecContext, what string, attack heavy) {
	expectCurrent(ctx)
	watched := observe(ctx)
	value := mark()
	answer := attack(ctx, value)
	settle(ctx)
	if what == nothing || what == unmarked {
		Expect(stored(ctx, value)).To(Equal(nothing))
	} else {
		Expect(stored(ctx, value)).NotTo(Equal(nothing))
	}
	if what == withoutThem {
		for _, metric := range marked(ctx, Default, landscape.GardenReplicas[0], value, time.Now()) {
			Expect(len(metric.String())).To(BeNumerically("<", 1000), "length of the labels of a series")
		}
	}
	r := tell(sectionAbuse, CurrentSpecReport().LeafNodeText, answer, what)
	watched.expectUnharmed(ctx, allowedHeavy)
	r.watched(watched)
},
	Entry("a million series in a request", nothing, heavy(func(ctx context.Context, value float64) string {
		return expectRefused(push(ctx, request(gauge("attack:many", seriesPoints(1_000_000, value)...))))
	})),
	Entry("75,000 series in a request", ownName, heavy(func(ctx context.Context, value float64) string {
		return expectAccepted(push(ctx, request(gauge("attack:many", seriesPoints(75_000, value)...))))
	})),
	Entry("a label of 10 MB", nothing, heavy(func(ctx context.Context, value float64) string {
		return expectRefused(push(ctx, request(gauge("attack:large", point(time.Now(), value, label("large", strings.Repeat("a", 10_000_000)))))))
	})),
	Entry("a label of 3 MB", ownName, heavy(func(ctx context.Context, value float64) string {
		return expectAccepted(push(ctx, request(gauge("attack:large", point(time.Now(), value, label("large", strings.Repeat("a", 3_000_000)))))))
	})),
	Entry("the name of a label of 3 MB", ownName, heavy(func(ctx context.Context, value float64) string {
		return expectAccepted(push(ctx, request(gauge("attack:large", point(time.Now(), value, label(strings.Repeat("a", 3_000_000), "large"))))))
	})),
	Entry("a name of a metric of 2 MB that 20,000 samples share", nothing, heavy(func(ctx context.Context, value float64) string {
		return expectAccepted(push(ctx, request(gauge(strings.Repeat("a", 2_000_000), seriesPoints(20_000, value)...))))
	})),
	Entry("attributes of a resource of 500 kB each that 20,000 samples share", withoutThem, heavy(func(ctx context.Context, value float64) string {
		long := strings.Repeat("a", 500_000)
		got := push(ctx, requestOf(resource("service.name", long, "service.instance.id", long, constants.ExternalLabelPrometheus, long, constants.ExternalLabelReplica, long),
			gauge("attack:shared", seriesPoints(20_000, value)...)))
		return expectAccepted(got)
	})),
	Entry("lists in lists, 1 MiB of them", asText, heavy(func(ctx context.Context, value float64) string {
		return expectAccepted(push(ctx, request(gauge("attack:nested", point(time.Now(), value, nested("deep", 1<<20))))))
	})),
	Entry("lists in lists, as many as fit into a request", asText, heavy(func(ctx context.Context, value float64) string {
		return expectAccepted(push(ctx, deepest(value)))
	})),
	Entry("lists in lists as `job`, in a scope, and as metadata, 1 MiB of each", withoutThem, heavy(func(ctx context.Context, value float64) string {
		deep := nested("service.name", 1<<20)[1:]
		of := embedded(1, append(field{1<<3 | 2}, deep...))
		in := embedded(1, append(field{3<<3 | 2}, deep...))
		return expectAccepted(push(ctx, requestOf(of, in, metric("attack:nested", embedded(5, point(time.Now(), value)), append(field{12<<3 | 2}, deep...)))))
	})),
	Entry("50 requests at once, each of 1 KiB that becomes 3 MiB", unmarked, heavy(func(ctx context.Context, _ float64) string {
		return atOnce(50, func(ctx context.Context) answer {
			return attempt{body: zstdBomb(3 << 20), header: map[string]string{"Content-Encoding": "zstd"}}.send(ctx)
		})(ctx)
	})),
	Entry("8 requests that do not end, each with a window of 512 MiB to decompress", unmarked, heavy(func(ctx context.Context, _ float64) string {
		return atOnce(8, func(ctx context.Context) answer {
			frame := zstdFrame(29, 1<<20)
			return attempt{stream: endless(ctx, frame[:len(frame)-4]), header: map[string]string{"Content-Encoding": "zstd"}}.send(ctx)
		})(ctx)
	})),
	Entry("10,000 requests at once that do not end", unmarked, heavy(slow)),
)

func expectRefused(got answer) string {
	GinkgoHelper()
	Expect(got.err != nil || got.status >= 400 && got.status < 500).To(BeTrue(), "%v", got)
	return got.String()
}

func expectAccepted(got answer) string {
	GinkgoHelper()
	Expect(got.status).To(Equal(http.StatusOK))
	return got.String()
}

// seriesPoints are samples with the given value, each of another series.
func seriesPoints(count int, value float64) []field {
	now := time.Now()
	points := make([]field, 0, count)
	for i := range count {
		points = append(points, point(now, value, label("a", fmt.Sprint(i))))
	}
	return points
}

// endless is a body of which only the beginning comes, for as long as the attacker holds it.
func endless(ctx context.Context, beginning []byte) io.Reader {
	reader, writer := io.Pipe()
	go func() {
		_, _ = writer.Write(beginning)
		select {
		case <-ctx.Done():
		case <-time.After(hold):
		}
		_ = writer.CloseWithError(io.ErrUnexpectedEOF)
	}()
	return reader
}

// atOnce sends so many requests at once, all of which must be refused, and returns how they were answered.
func atOnce(count int, send func(ctx context.Context) answer) func(ctx context.Context) string {
	return func(ctx context.Context) string {
		counts := answersOf(count, func() answer {
			got := send(ctx)
			Expect(got.err != nil || got.status >= 400).To(BeTrue(), "%v", got)
			return got
		})
		return summary(counts)
	}
}

// answersOf counts the answers to so many requests that are sent at once.
func answersOf(count int, send func() answer) map[string]int {
	var (
		group   sync.WaitGroup
		answers = make(chan answer, count)
	)
	for range count {
		group.Go(func() {
			defer GinkgoRecover()
			answers <- send()
		})
	}
	group.Wait()
	close(answers)
	counts := map[string]int{}
	for got := range answers {
		counts[got.String()]++
	}
	return counts
}

func summary(counts map[string]int) string {
	var parts []string
	for _, what := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s (%d times)", what, counts[what]))
	}
	return strings.Join(parts, ", ")
}

// slow holds as many requests open as the gateway lets one do on a hundred connections.
func slow(ctx context.Context, _ float64) string {
	var (
		open   atomic.Int64
		most   int64
		counts = map[string]int{}
		mutex  sync.Mutex
		group  sync.WaitGroup
	)
	clients := make([]*http.Client, slowClients)
	for i := range clients {
		clients[i] = connect(http2)
		defer clients[i].CloseIdleConnections()
		// As long as there is no connection, each request would make one.
		Expect(attempt{client: clients[i], path: "/"}.send(ctx).status).To(BeNumerically(">=", 400))
	}
	for _, c := range clients {
		for range slowStreams {
			group.Go(func() {
				defer GinkgoRecover()
				now := open.Add(1)
				mutex.Lock()
				most = max(most, now)
				mutex.Unlock()
				got := attempt{client: c, stream: endless(ctx, []byte{0x0a})}.send(ctx)
				Expect(got.err != nil || got.status >= 400).To(BeTrue(), "%v", got)
				open.Add(-1)
				mutex.Lock()
				defer mutex.Unlock()
				counts[got.String()]++
			})
		}
	}
	group.Wait()
	Expect(most).To(BeNumerically(">=", slowClients*slowStreams*9/10), "requests that were open at once")
	return fmt.Sprintf("%s; %d were open at once", summary(counts), most)
}

// The collector has no limit for lists in lists, and reading them takes memory that its limiter does not see. So requests that are made for it may
// end a collector of the fan-out. What must not happen is that anything is lost.
var _ = It("loses nothing by requests that may end a collector", Label(labelLong), Serial, func(ctx SpecContext) {
	const name = "8 requests at once with lists in lists, as many as fit into each"
	before := historyOf(ctx, time.Now().Add(-20*time.Second), time.Now())
	from := time.Now().Add(-ls.ScrapeInterval)
	watched := observe(ctx)

	value := mark()
	body := deepest(value)
	counts := answersOf(8, func() answer { return push(ctx, body) })
	killed := killExceeding(ctx)
	settle(ctx)
	// What has been accepted is read once more when it is taken from the queue.
	killed += killExceeding(ctx)
	expectSamplesSince(ctx, time.Now().Add(ls.ScrapeInterval))
	watched.end()
	expectUntouched(ctx, before, from, time.Now().Add(-ls.ScrapeInterval), true)

	what := nothing
	if stored(ctx, value) != nothing {
		what = asText
	}
	r := tell(sectionAbuse, name, summary(counts), what)
	r.watched(watched)
	if now := restarts(ctx); killed > 0 || !maps.Equal(now, watched.restarts) {
		r.answer += ", a collector of the fan-out is started again"
	}
	Expect(watched.delay).To(BeNumerically("<", allowedHeavy))
})

// killExceeding kills the collectors of the fan-out that have more memory than their limit, as a node would. It returns how many these are.
func killExceeding(ctx context.Context) int {
	GinkgoHelper()
	killed := 0
	for pod, limit := range memoryLimits(ctx) {
		families, err := ls.PodMetrics(ctx, cluster.NameRuntime, pod, collector.MetricsPort)
		if err == nil && sum(families, collector.MetricMemory, nil) > limit {
			Expect(ls.ActOnContainer(ctx, cluster.NameRuntime, pod, collector.ContainerName, "kill")).To(Succeed())
			killed++
		}
	}
	return killed
}

// deepest is a request with lists in lists that is as large as a request may be.
func deepest(value float64) []byte {
	return request(gauge("attack:nested", point(time.Now(), value, nested("deep", maxBody-1024))))
}
