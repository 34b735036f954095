// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/cluster"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

const (
	// revocationTimeout is how long it may take until a seed is denied.
	revocationTimeout = 2 * time.Minute
	// allowedRoll is how old the newest sample of another seed may become while the fan-out is replaced, one collector after the other.
	allowedRoll = 45 * time.Second
)

var _ = Describe("Revocation", Label(labelLong), Serial, func() {
	It("drops what a denied seed sends within two minutes, and counts it", func(ctx SpecContext) {
		expectCurrent(ctx)
		var delay time.Duration
		watched := observe(ctx)
		denied := map[string]string{"processor": "filter/denied"}
		DeferCleanup(func(ctx SpecContext) {
			Expect(ls.EnableGarden(ctx)).To(Succeed())
			Eventually(ctx, func(g Gomega) {
				g.Expect(fanOutMetric(ctx, g, collector.MetricIncoming, denied)).To(BeZero())
			}).WithTimeout(revocationTimeout).Should(Succeed())
			expectCurrent(ctx)
		})

		began := time.Now()
		config := gardener.With(gardener.GardenProviderConfig(ls.ScrapeInterval, ls.HandOver), []any{attackerSeed}, "deniedSeeds")
		Expect(gardener.EnableGarden(ctx, ls.Runtime(), config)).To(Succeed())
		Eventually(ctx, func(g Gomega) {
			push(ctx, plain(mark()))
			for _, pod := range fanOutPods(ctx, g) {
				families, err := ls.PodMetrics(ctx, cluster.NameRuntime, pod.Name, collector.MetricsPort)
				g.Expect(err).NotTo(HaveOccurred())
				g.Expect(sum(families, collector.MetricIncoming, denied)-sum(families, collector.MetricOutgoing, denied)).To(BeNumerically(">", 0), pod.Name)
			}
		}).WithTimeout(revocationTimeout).Should(Succeed())
		inForce := time.Since(began)

		value := mark()
		got := push(ctx, plain(value))
		Expect(got.status).To(Equal(http.StatusOK))
		settle(ctx)
		Expect(stored(ctx, value)).To(Equal(nothing))
		expectCurrent(ctx)
		watched.end()
		delay = watched.delay
		Expect(delay).To(BeNumerically("<", allowedRoll))
		tell(sectionAuthentication, "a valid token of a denied seed", got.String(), fmt.Sprintf("nothing, counted; in force after %s, while the newest sample of another seed was at most %s old",
			inForce.Round(time.Second), delay.Round(100*time.Millisecond)))
	})

	It("refuses what a retired key has signed", func(ctx SpecContext) {
		expectCurrent(ctx)
		var (
			retired = token
			old     = signingKeySecret(ctx)
			oldID   = keyID(&privateKey(ctx).PublicKey)
		)
		DeferCleanup(issueTokens)
		annotateGarden(ctx, constants.AnnotationOperation, constants.OperationRotateSigningKey)
		expectPhase(ctx, configv1alpha1.SigningKeyPhaseCompleting)
		Expect(push(ctx, plain(mark())).status).To(Equal(http.StatusOK), "while seeds may have tokens of the old key")
		Eventually(ctx, func(g Gomega) {
			for _, id := range keyIDsInUse(g) {
				g.Expect(id).NotTo(Equal(oldID))
			}
		}).Should(Succeed())

		// As somebody does who does not want to wait until all that it has signed has expired.
		Expect(ls.Runtime().Delete(ctx, &old)).To(Succeed())
		expectPhase(ctx, configv1alpha1.SigningKeyPhaseCompleted)

		value := mark()
		Eventually(ctx, func(g Gomega) {
			for range 6 {
				g.Expect(push(ctx, plain(value)).status).To(Equal(http.StatusUnauthorized))
			}
		}).WithTimeout(revocationTimeout).Should(Succeed())
		issueTokens(ctx)
		value = mark()
		Expect(attempt{body: plain(value), header: map[string]string{"Authorization": "Bearer " + retired}}.send(ctx).status).To(Equal(http.StatusUnauthorized))
		settle(ctx)
		Expect(stored(ctx, value)).To(Equal(nothing))
		tell(sectionAuthentication, "a token of a retired key", fmt.Sprint(http.StatusUnauthorized), nothing)
		expectCurrent(ctx)
	})

	It("writes little about what it refuses", func(ctx SpecContext) {
		const count = 1000
		for name, authorization := range map[string]string{
			"1,000 requests with something else than a token":            "Bearer garbage",
			"1,000 requests with a token of an issuer of 30,000 letters": "Bearer " + sign(newKey(), validClaims().with("iss", strings.Repeat("a", 30_000))),
		} {
			linesBefore, bytesBefore := sizeOf(fanOutLogs())
			refuseMany(ctx, count, authorization)
			lines, bytes := sizeOf(fanOutLogs())
			lines, bytes = lines-linesBefore, bytes-bytesBefore
			Expect(lines).To(BeNumerically("<", count/5), name)
			tell(sectionAuthentication, name, fmt.Sprint(http.StatusUnauthorized), fmt.Sprintf("%s; the fan-out logs %d lines, %d bytes", nothing, lines, bytes))
		}
	})
})

// refuseMany sends so many requests that are refused.
func refuseMany(ctx context.Context, count int, authorization string) {
	GinkgoHelper()
	const workers = 10
	var group sync.WaitGroup
	for range workers {
		c := connect(http1)
		group.Go(func() {
			defer GinkgoRecover()
			defer c.CloseIdleConnections()
			for range count / workers {
				got := attempt{client: c, body: plain(1), header: map[string]string{"Authorization": authorization}}.send(ctx)
				Expect(got.status).To(Equal(http.StatusUnauthorized))
			}
		})
	}
	group.Wait()
}

func gardenExtension() *extensionsv1alpha1.Extension {
	return &extensionsv1alpha1.Extension{ObjectMeta: metav1.ObjectMeta{Namespace: gardener.Namespace, Name: gardener.GardenExtensionName}}
}

func annotateGarden(ctx context.Context, key, value string) {
	GinkgoHelper()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, key, value)
	Expect(ls.Runtime().Patch(ctx, gardenExtension(), client.RawPatch(types.MergePatchType, patch))).To(Succeed())
}

func expectPhase(ctx context.Context, phase configv1alpha1.SigningKeyPhase) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		status, err := ls.FederationStatus(ctx)
		g.Expect(err).NotTo(HaveOccurred())
		g.Expect(status.SigningKey).To(HaveValue(HaveField("Phase", phase)))
	}).WithTimeout(5 * time.Minute).Should(Succeed())
}

// keyIDsInUse are the ids of the keys that have signed the tokens in the volumes of the seeds' collectors.
func keyIDsInUse(g Gomega) []string {
	var ids []string
	g.Expect(filepath.WalkDir(filepath.Join(ls.Dir, "nodes"), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && (entry.IsDir() || entry.Name() != constants.DataKeyToken) {
			return nil
		} else if err != nil {
			return err
		}
		data, err := os.ReadFile(path) // #nosec G304 G122 -- A file of the landscape.
		if errors.Is(err, fs.ErrNotExist) {
			// It is being replaced right now.
			return nil
		} else if err != nil {
			return err
		}
		if claims, id, err := credentials.Inspect(string(data)); err == nil && claims.Seed != "" {
			ids = append(ids, id)
		}
		return nil
	})).To(Succeed())
	g.Expect(len(ids)).To(BeNumerically(">=", len(victims)), "tokens in volumes of collectors")
	return ids
}
