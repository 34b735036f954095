// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package federationhealth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	v1beta1helper "github.com/gardener/gardener/pkg/api/core/v1beta1/helper"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	secretsutils "github.com/gardener/gardener/pkg/utils/secrets"

	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/utils/collectortest"
)

const (
	namespace = "garden"
	endpoint  = "https://otel-federation.ingress.example.com"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// collector plays a collector in a pod.
type collector struct {
	started                      time.Time
	accepted, sent, failed, full float64
	down                         bool
}

// collectors plays all pods, by their addresses.
type collectors struct {
	clock *testclock.FakeClock
	byIP  map[string]*collector
}

// RoundTrip implements http.RoundTripper.
func (c *collectors) RoundTrip(request *http.Request) (*http.Response, error) {
	told := c.byIP[request.URL.Hostname()]
	if told == nil || told.down {
		return nil, errors.New("connection refused")
	}
	body := &bytes.Buffer{}
	for name, value := range map[string]float64{
		"otelcol_process_uptime":                                               c.clock.Since(told.started).Seconds(),
		"otelcol_receiver_accepted_metric_points":                              told.accepted,
		`otelcol_exporter_sent_metric_points{exporter="otlp_http/foo"}`:        told.sent,
		`otelcol_exporter_send_failed_metric_points{exporter="otlp_http/foo"}`: told.failed,
		`otelcol_exporter_queue_size{exporter="otlp_http/foo"}`:                told.full,
		`otelcol_exporter_queue_capacity{exporter="otlp_http/foo"}`:            1000,
	} {
		_, _ = fmt.Fprintln(body, name, value)
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(body), Request: request}, nil
}

func newPod(component, name, ip string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: collectortest.PodSelector(component)},
		Status:     corev1.PodStatus{PodIP: ip},
	}
}

func newExtension(class extensionsv1alpha1.ExtensionClass) *extensionsv1alpha1.Extension {
	return &extensionsv1alpha1.Extension{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "otel-federation"},
		Spec:       extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{Type: "otel-federation", Class: &class}},
	}
}

func newToken(seedName string, issued time.Time) []byte {
	GinkgoHelper()
	token, err := credentials.Issue(signingKey, seedName, issued, 7*24*time.Hour)
	Expect(err).NotTo(HaveOccurred())
	return []byte(token)
}

func conditionOf(ctx context.Context, c client.Client, ex *extensionsv1alpha1.Extension, conditionType gardencorev1beta1.ConditionType) *gardencorev1beta1.Condition {
	GinkgoHelper()
	Expect(c.Get(ctx, client.ObjectKeyFromObject(ex), ex)).To(Succeed())
	return v1beta1helper.GetCondition(ex.Status.Conditions, conditionType)
}

func be(status gardencorev1beta1.ConditionStatus, reason string, message OmegaMatcher) OmegaMatcher {
	return HaveValue(And(HaveField("Status", status), HaveField("Reason", reason), HaveField("Message", message)))
}

// pass reconciles again and again while time passes.
func pass(ctx context.Context, clock *testclock.FakeClock, reconciler reconcile.Reconciler, duration time.Duration, each func()) {
	GinkgoHelper()
	for end := clock.Now().Add(duration); clock.Now().Before(end); {
		each()
		result, err := reconciler.Reconcile(ctx, reconcile.Request{})
		Expect(err).NotTo(HaveOccurred())
		Expect(result.RequeueAfter).To(BeNumerically(">", 0))
		clock.Step(result.RequeueAfter)
	}
}

func told(recorder *events.FakeRecorder) []string {
	var all []string
	for {
		select {
		case event := <-recorder.Events:
			all = append(all, event)
		default:
			return all
		}
	}
}

// signingKey signs the tokens. It is generated once, because that takes its time.
var signingKey = func() *credentials.SigningKey {
	data, err := (&secretsutils.RSASecretConfig{Name: "key", Bits: 2048}).Generate()
	if err != nil {
		panic(err)
	}
	key, err := credentials.ParseSigningKey(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "key"}, Data: data.SecretData()})
	if err != nil {
		panic(err)
	}
	return key
}()
