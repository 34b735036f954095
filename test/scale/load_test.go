// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package scale_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	"google.golang.org/protobuf/proto"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardenerutils "github.com/gardener/gardener/pkg/utils/gardener"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

const (
	// loadTick is a series of each simulated seed whose value is the time of its newest sample.
	loadTick = "load:tick"
	// loadFamilies is over how many names the series are spread.
	loadFamilies = 50
	// maxConnections is how many connections are kept, one for each seed.
	maxConnections = 1000
)

// load are simulated seeds that send samples with tokens of their own through the ingress.
type load struct {
	ctx      context.Context
	cancel   context.CancelFunc
	running  sync.WaitGroup
	endpoint string
	client   *http.Client
	key      *credentials.SigningKey

	// prefix is what the names of the seeds begin with, count is how many there are.
	prefix string
	count  int
	// series is how many samples each sends at a time, interval how often.
	series   int
	interval time.Duration
	encoder  *zstd.Encoder
	// sent is how many samples have been accepted, refused is why the first request was not.
	sent    atomic.Int64
	refused atomic.Pointer[string]
}

// newLoad prepares simulated seeds. There are none until they are added.
func newLoad(ctx context.Context, prefix string, series int, interval time.Duration) *load {
	GinkgoHelper()
	secret := &corev1.Secret{}
	Expect(ls.VirtualGarden().Get(ctx, client.ObjectKey{Namespace: gardenerutils.ComputeGardenNamespace(landscape.SeedRuntime), Name: constants.CredentialsSecretName}, secret)).To(Succeed())
	roots := x509.NewCertPool()
	Expect(roots.AppendCertsFromPEM(secret.Data[constants.DataKeyCABundle])).To(BeTrue())
	gateway, err := url.Parse(ls.GardenIngressURL)
	Expect(err).NotTo(HaveOccurred())

	encoder, err := zstd.NewWriter(nil)
	Expect(err).NotTo(HaveOccurred())

	l := &load{
		prefix:   prefix,
		series:   series,
		interval: interval,
		encoder:  encoder,
		endpoint: string(secret.Data[constants.DataKeyEndpoint]) + "/v1/metrics",
		key:      signingKey(ctx),
		client: &http.Client{Timeout: sendInterval + maxLag, Transport: &http.Transport{
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, gateway.Host)
			},
			TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			MaxIdleConnsPerHost: maxConnections,
		}},
	}
	l.ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return l
}

// signingKey is the newest key that signs tokens. Only a test may read it.
func signingKey(ctx context.Context) *credentials.SigningKey {
	GinkgoHelper()
	secrets := &corev1.SecretList{}
	Expect(ls.Runtime().List(ctx, secrets, client.InNamespace(gardener.Namespace), client.MatchingLabels{"name": constants.SigningKeySecretName})).To(Succeed())
	Expect(secrets.Items).NotTo(BeEmpty())
	newest := &secrets.Items[0]
	for i := range secrets.Items {
		if newest.CreationTimestamp.Before(&secrets.Items[i].CreationTimestamp) {
			newest = &secrets.Items[i]
		}
	}
	key, err := credentials.ParseSigningKey(newest)
	Expect(err).NotTo(HaveOccurred())
	return key
}

// stop ends all simulated seeds.
func (l *load) stop() {
	l.cancel()
	l.running.Wait()
}

// add adds simulated seeds.
func (l *load) add(count int) {
	GinkgoHelper()
	for range count {
		name := fmt.Sprintf("%s-%04d", l.prefix, l.count)
		l.count++
		token, err := credentials.Issue(l.key, name, time.Now(), time.Hour)
		Expect(err).NotTo(HaveOccurred())
		// Seeds do not scrape all at once.
		_, fraction := math.Modf(float64(l.count) * math.Phi)
		offset := time.Duration(fraction * float64(l.interval))
		l.running.Go(func() { l.send(token, offset) })
	}
}

// send sends the samples of a seed at each interval, one request after the other, until the load ends or a request is refused.
func (l *load) send(token string, offset time.Duration) {
	data, points := seedSamples(l.series)
	wait(l.ctx, offset)
	ticker := time.NewTicker(l.interval)
	defer ticker.Stop()
	for l.ctx.Err() == nil {
		now := time.Now()
		for _, point := range points {
			point.TimeUnixNano = uint64(now.UnixNano()) // #nosec G115 -- After 1970.
		}
		points[0].Value = &metricspb.NumberDataPoint_AsDouble{AsDouble: float64(now.UnixMilli()) / 1000}
		if answer := l.post(token, data); answer != "" && l.ctx.Err() == nil {
			l.refused.CompareAndSwap(nil, &answer)
			return
		}
		l.sent.Add(int64(len(points)))
		select {
		case <-ticker.C:
		case <-l.ctx.Done():
		}
	}
}

// post sends a request, and returns the answer if it is not that all is well.
func (l *load) post(token string, data *metricspb.MetricsData) string {
	raw, err := proto.Marshal(data)
	if err != nil {
		return err.Error()
	}
	request, err := http.NewRequestWithContext(l.ctx, http.MethodPost, l.endpoint, bytes.NewReader(l.encoder.EncodeAll(raw, nil)))
	if err != nil {
		return err.Error()
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/x-protobuf")
	request.Header.Set("Content-Encoding", "zstd")
	response, err := l.client.Do(request)
	if os.IsTimeout(err) {
		return fmt.Sprintf("%s within %s", noAnswer, l.client.Timeout)
	}
	if err != nil {
		return strings.ReplaceAll(err.Error(), "|", " ")
	}
	defer func() { _ = response.Body.Close() }()
	// The connection is used again only if all has been read.
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return strings.ReplaceAll(err.Error(), "|", " ")
	}
	if response.StatusCode != http.StatusOK {
		return "answer " + response.Status
	}
	return ""
}

// seedSamples are as many samples as a seed sends at a time, with labels as they have in Gardener. The first is the tick.
func seedSamples(series int) (*metricspb.MetricsData, []*metricspb.NumberDataPoint) {
	var (
		metrics = []*metricspb.Metric{{Name: loadTick, Data: &metricspb.Metric_Gauge{Gauge: &metricspb.Gauge{DataPoints: []*metricspb.NumberDataPoint{{}}}}}}
		points  = []*metricspb.NumberDataPoint{metrics[0].GetGauge().GetDataPoints()[0]}
	)
	for family := range loadFamilies {
		gauge := &metricspb.Gauge{}
		for len(gauge.DataPoints) < series/loadFamilies {
			i := len(points)
			point := &metricspb.NumberDataPoint{
				Value: &metricspb.NumberDataPoint_AsDouble{AsDouble: float64(i) * 1.37},
				Attributes: attributes(
					"job", "cadvisor", "instance", fmt.Sprintf("10.250.%d.%d:10250", i/256%256, i%256), "container", "kube-apiserver",
					"namespace", fmt.Sprintf("shoot--project--%03d", i%97), "node", fmt.Sprintf("ip-10-250-%d-%d.eu-west-1.compute.internal", i/256%256, i%256),
					"pod", fmt.Sprintf("kube-apiserver-6b9f4d5c7d-%05d", i), "type", "seed", "role", "apiserver",
				),
			}
			gauge.DataPoints = append(gauge.DataPoints, point)
			points = append(points, point)
		}
		metrics = append(metrics, &metricspb.Metric{Name: fmt.Sprintf("load:family_%02d:sum", family), Data: &metricspb.Metric_Gauge{Gauge: gauge}})
	}
	return &metricspb.MetricsData{ResourceMetrics: []*metricspb.ResourceMetrics{{
		Resource:     &resourcepb.Resource{Attributes: attributes(constants.ExternalLabelPrometheus, "garden/aggregate", constants.ExternalLabelReplica, "prometheus-aggregate-0")},
		ScopeMetrics: []*metricspb.ScopeMetrics{{Metrics: metrics}},
	}}}, points
}

func attributes(keysAndValues ...string) []*commonpb.KeyValue {
	var list []*commonpb.KeyValue
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		list = append(list, &commonpb.KeyValue{Key: keysAndValues[i], Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: keysAndValues[i+1]}}})
	}
	return list
}
