// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/rand"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// maxBody is the size up to which a request is accepted.
	maxBody = 4 << 20

	// allowedQuick is how old the newest sample of another seed may become while nothing heavy goes on: two scrapes, and what a busy machine
	// takes.
	allowedQuick = 20 * time.Second
)

// abuse is a request that is not what a seed sends.
type abuse struct {
	name    string
	attempt func(ctx context.Context, value float64) attempt
	// answer is the status, or a matcher for it.
	answer any
	// time is that of the sample, if it is not the present.
	time time.Time
	// stored says that it is stored under the attacker's name.
	stored bool
}

// timed is an abuse by the time of a sample.
func timed(name string, t time.Time) abuse {
	return abuse{name: name, time: t, answer: http.StatusOK, attempt: body(func(value float64) []byte { return request(gauge("attack:abuse", point(t, value))) })}
}

func (a abuse) matcher() gomegatypes.GomegaMatcher {
	if matcher, ok := a.answer.(gomegatypes.GomegaMatcher); ok {
		return matcher
	}
	return Equal(a.answer)
}

// body is an abuse by what is sent.
func body(content func(value float64) []byte, header ...string) func(context.Context, float64) attempt {
	return func(_ context.Context, value float64) attempt {
		a := attempt{body: content(value), header: map[string]string{}}
		for i := 0; i+1 < len(header); i += 2 {
			a.header[header[i]] = header[i+1]
		}
		return a
	}
}

// at is an abuse by where it is sent.
func at(method, path string, header ...string) func(context.Context, float64) attempt {
	return func(ctx context.Context, value float64) attempt {
		a := body(plain, header...)(ctx, value)
		a.method, a.path = method, path
		return a
	}
}

// plain is a request as a seed sends it.
func plain(value float64) []byte { return request(gauge("attack:abuse", point(time.Now(), value))) }

func gzipped(data []byte) []byte {
	var buffer bytes.Buffer
	w := gzip.NewWriter(&buffer)
	_, err := w.Write(data)
	Expect(err).NotTo(HaveOccurred())
	Expect(w.Close()).To(Succeed())
	return buffer.Bytes()
}

func noise(size int) []byte {
	data := make([]byte, size)
	_, _ = rand.Read(data)
	return data
}

var (
	clientError = And(BeNumerically(">=", 400), BeNumerically("<", 500))
	anyError    = BeNumerically(">=", 400)
)

// malformed are bodies that are no metrics.
func malformed() []abuse {
	const encoding, contentType = "Content-Encoding", "Content-Type"
	return []abuse{
		{name: "noise instead of protobuf", attempt: body(func(float64) []byte { return noise(4096) }), answer: http.StatusBadRequest},
		{name: "a request cut off in the middle", attempt: body(func(v float64) []byte { d := plain(v); return d[:len(d)-5] }), answer: http.StatusBadRequest},
		{name: "a length beyond the end", attempt: body(func(float64) []byte { return []byte{0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f} }), answer: http.StatusBadRequest},
		{name: "a field of another type", attempt: body(func(float64) []byte { return varint(1, 1) }), answer: http.StatusBadRequest},
		{name: "nothing", attempt: body(func(float64) []byte { return nil }), answer: http.StatusOK},
		{name: "JSON that is none", attempt: body(func(float64) []byte { return []byte(`{"resourceMetrics":[{`) }, contentType, "application/json"), answer: http.StatusBadRequest},
		{name: "JSON with lists in lists", attempt: body(func(float64) []byte { return []byte(strings.Repeat("[", 1<<20)) }, contentType, "application/json"), answer: http.StatusBadRequest},
		{name: "another content type", attempt: body(plain, contentType, "text/plain"), answer: http.StatusUnsupportedMediaType},
		{name: "no content type", attempt: body(plain, contentType, ""), answer: http.StatusUnsupportedMediaType},
		{name: "an unknown compression", attempt: body(plain, encoding, "br"), answer: http.StatusBadRequest},
		{name: "two compressions", attempt: body(plain, encoding, "gzip, zstd"), answer: http.StatusBadRequest},
		{name: "gzip that is none", attempt: body(plain, encoding, "gzip"), answer: http.StatusBadRequest},
		{name: "zstd that is none", attempt: body(plain, encoding, "zstd"), answer: http.StatusBadRequest},
		{name: "snappy that promises 4 GiB", attempt: body(func(float64) []byte { return []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0, 0, 0} }, encoding, "snappy"), answer: http.StatusBadRequest},
		{name: "zstd with a window of 1 GiB", attempt: body(func(float64) []byte { return zstdFrame(30, 1<<10) }, encoding, "zstd"), answer: http.StatusBadRequest},
		{name: "30 MiB", attempt: body(func(float64) []byte { return make([]byte, 30<<20) }), answer: anyError},
		{name: "zeros: 1 GiB in 32 KiB of zstd", attempt: body(func(float64) []byte { return zstdBomb(1 << 30) }, encoding, "zstd"), answer: http.StatusBadRequest},
		{name: "zeros: 256 MiB in 256 KiB of gzip", attempt: body(func(float64) []byte { return gzipped(make([]byte, 256<<20)) }, encoding, "gzip"), answer: http.StatusBadRequest},
	}
}

// misaddressed are requests to something else than the fan-out receives.
func misaddressed() []abuse {
	return []abuse{
		{name: "`GET /v1/metrics`", attempt: at(http.MethodGet, metricsPath), answer: http.StatusMethodNotAllowed},
		{name: "`PUT /v1/metrics`", attempt: at(http.MethodPut, metricsPath), answer: http.StatusMethodNotAllowed},
		{name: "`DELETE /v1/metrics`", attempt: at(http.MethodDelete, metricsPath), answer: http.StatusMethodNotAllowed},
		{name: "`TRACE /v1/metrics`", attempt: at(http.MethodTrace, metricsPath), answer: clientError},
		{name: "`POST /`", attempt: at(http.MethodPost, "/"), answer: http.StatusNotFound},
		{name: "`POST /v1/traces`", attempt: at(http.MethodPost, "/v1/traces"), answer: http.StatusNotFound},
		{name: "`POST /v1/logs`", attempt: at(http.MethodPost, "/v1/logs"), answer: http.StatusNotFound},
		{name: "`POST /v1/metrics/`", attempt: at(http.MethodPost, metricsPath+"/"), answer: http.StatusNotFound},
		{name: "`GET /metrics`", attempt: at(http.MethodGet, "/metrics"), answer: http.StatusNotFound},
		{name: "`GET /debug/pprof/`", attempt: at(http.MethodGet, "/debug/pprof/"), answer: http.StatusNotFound},
		{name: "the path of Prometheus' receiver", attempt: at(http.MethodPost, "/api/v1/otlp/v1/metrics"), answer: http.StatusNotFound},
		{name: "another host on the connection", answer: http.StatusMisdirectedRequest, attempt: func(ctx context.Context, value float64) attempt {
			a := body(plain)(ctx, value)
			a.host = "prometheus-garden.ingress.garden.local"
			return a
		}},
		{name: "gRPC", answer: clientError, attempt: func(_ context.Context, value float64) attempt {
			data := plain(value)
			frame := append([]byte{0, 0, 0, byte(len(data) >> 8), byte(len(data))}, data...)
			return attempt{
				client: connect(http2), path: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", body: frame,
				header: map[string]string{"Content-Type": "application/grpc", "TE": "trailers"},
			}
		}},
		{name: "HTTP/2", answer: http.StatusOK, stored: true, attempt: func(_ context.Context, value float64) attempt {
			return attempt{client: connect(http2), body: plain(value)}
		}},
		{name: "a header of 2 MiB", attempt: at(http.MethodPost, metricsPath, "X-Attack", strings.Repeat("a", 2<<20)), answer: http.StatusRequestHeaderFieldsTooLarge},
	}
}

// odd are metrics that no seed sends.
func odd() []abuse {
	histogram := func(number protowire.Number, fields ...field) func(float64) []byte {
		return func(sum float64) []byte {
			data := append([]field{nanoseconds(3, time.Now()), fixed64(4, math.MaxUint64), double(5, sum)}, fields...)
			return request(metric("attack:abuse", embedded(number, embedded(1, data...), varint(2, 2))))
		}
	}
	return []abuse{
		timed("a sample of a month ago", time.Now().AddDate(0, -1, 0)),
		timed("a sample of 1970", time.Unix(0, 0)),
		timed("a sample of tomorrow", time.Now().AddDate(0, 0, 1)),
		timed("a sample of the end of time", time.Unix(0, math.MaxInt64)),
		timed("a sample of a time before 1970", time.Unix(0, -1)),
		{name: "a metric without a name", attempt: body(func(v float64) []byte { return request(gauge("", point(time.Now(), v))) }), answer: http.StatusOK},
		{name: "a metric without samples", attempt: body(func(float64) []byte { return request(gauge("attack:abuse")) }), answer: http.StatusOK},
		{name: "a histogram", attempt: body(histogram(9, embedded(6), embedded(7))), answer: http.StatusOK},
		{name: "a histogram with 200,000 buckets", attempt: body(histogram(9, zeros(6, 1_600_000), zeros(7, 1_600_000-8))), answer: http.StatusOK},
		{name: "an exponential histogram at the end of its scale", attempt: body(histogram(10, varint(6, math.MaxUint32), embedded(8, varint(1, math.MaxUint32), varint(2, 1)))), answer: http.StatusOK},
		{name: "a summary", attempt: body(histogram(11)), answer: http.StatusOK},
		{name: "exemplars", attempt: body(func(v float64) []byte {
			return request(metric("attack:abuse", embedded(7, point(time.Now(), v, embedded(5, attribute(7, "a", "b"), nanoseconds(2, time.Now()))), varint(2, 2))))
		}), answer: http.StatusOK},
		{name: "10,000 labels", stored: true, attempt: body(func(v float64) []byte {
			var labels []field
			for i := range 10_000 {
				labels = append(labels, label(fmt.Sprint("l", i), "x"))
			}
			return request(gauge("attack:abuse", point(time.Now(), v, labels...)))
		}), answer: http.StatusOK},
		{name: "a list in lists, 100 deep", stored: true, attempt: body(func(v float64) []byte {
			return request(gauge("attack:abuse", point(time.Now(), v, nested("deep", 400))))
		}), answer: http.StatusOK},
	}
}

var _ = DescribeTable("Abuse", func(ctx SpecContext, abuses func() []abuse) {
	watched := observe(ctx)
	values := map[string]float64{}
	var told []*row
	all := abuses()
	for _, a := range all {
		values[a.name] = mark()
		attempt := a.attempt(ctx, values[a.name])
		got := attempt.send(ctx)
		if attempt.client != nil {
			attempt.client.CloseIdleConnections()
		}
		told = append(told, tell(sectionAbuse, a.name, got.String(), nothing))
		if got.err == nil {
			Expect(got.status).To(a.matcher(), a.name)
		} else {
			// The answer may be lost if the connection is closed before all has been sent.
			Expect(a.matcher().Match(http.StatusRequestEntityTooLarge)).To(BeTrue(), "%s: %v", a.name, got.err)
		}
	}
	settle(ctx)
	for _, a := range all {
		what := stored(ctx, values[a.name])
		if !a.time.IsZero() {
			what = storedUntil(ctx, values[a.name], a.time.Add(markedFor/2))
		}
		if a.stored {
			Expect(what).NotTo(Equal(nothing), a.name)
			retell(a.name, ownName)
		} else {
			Expect(what).To(Equal(nothing), a.name)
		}
	}
	watched.expectUnharmed(ctx, allowedQuick)
	for _, r := range told {
		r.watched(watched)
	}
},
	Entry("by what is no metrics", malformed),
	Entry("by other paths, methods and protocols", misaddressed),
	Entry("by odd metrics", odd),
)
