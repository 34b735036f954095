// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package faults_test

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape"
	"github.com/gardener/gardener-extension-otel-federation/test/landscape/gardener"
)

// noticeTimeout is how long it may take until a condition tells a fault, and until it tells that it is over.
const noticeTimeout = 2 * time.Minute

// lookTimeout is for those that stand still.
const lookTimeout = 2 * time.Second

// observer remembers what operators are told while something is wrong: conditions that are not True, and alerts that fire.
type observer struct {
	began time.Time
	mutex sync.Mutex
	seen  map[string]time.Duration
	stop  context.CancelFunc
	ended chan struct{}
}

// observe begins to observe. The observer must be stopped.
func observe(ctx context.Context) *observer {
	ctx, cancel := context.WithCancel(ctx)
	o := &observer{began: time.Now(), seen: map[string]time.Duration{}, stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(o.ended)
		ticker := time.NewTicker(time.Second)
		defer ticker.Stop()
		for {
			o.look(ctx)
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
		}
	}()
	return o
}

// look asks those that can be asked: the others may be what is broken.
func (o *observer) look(ctx context.Context) {
	for class, ex := range extensionsOf(ctx) {
		for _, condition := range ex.Status.Conditions {
			if condition.Status != gardencorev1beta1.ConditionTrue {
				o.remember(fmt.Sprintf("%s/%s=%s %s", class, condition.Type, condition.Status, condition.Reason))
			}
		}
	}
	for class, prometheus := range map[string]string{"garden": landscape.GardenReplicas[0], "seed": landscape.AggregateName(seed)} {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		alerts, err := ls.Prometheus(prometheus).Query(ctx, `ALERTS{alertname=~"OTelFederation.+",alertstate="firing"}`)
		cancel()
		if err != nil {
			continue
		}
		for _, alert := range alerts {
			o.remember(class + "/" + string(alert.Metric["alertname"]))
		}
	}
}

func (o *observer) remember(what string) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	if _, known := o.seen[what]; !known {
		o.seen[what] = time.Since(o.began)
	}
}

// told returns what has been seen until now, and when first.
func (o *observer) told() map[string]time.Duration {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return maps.Clone(o.seen)
}

// end stops observing, and returns what has been seen.
func (o *observer) end() map[string]time.Duration {
	o.stop()
	<-o.ended
	return o.told()
}

// extensionsOf returns the Extensions that can be read: that of the garden, and that of the seed that suffers.
func extensionsOf(ctx context.Context) map[string]*extensionsv1alpha1.Extension {
	found := map[string]*extensionsv1alpha1.Extension{}
	for class, where := range map[string]struct {
		client client.Client
		name   string
	}{
		"garden": {ls.Runtime(), gardener.GardenExtensionName},
		"seed":   {ls.Seed(seed), constants.ExtensionType},
	} {
		ctx, cancel := context.WithTimeout(ctx, lookTimeout)
		ex := &extensionsv1alpha1.Extension{}
		if err := where.client.Get(ctx, client.ObjectKey{Namespace: gardener.Namespace, Name: where.name}, ex); err == nil {
			found[class] = ex
		}
		cancel()
	}
	return found
}

// expectHealthy waits until all conditions are there, and True.
func expectHealthy(ctx context.Context) {
	GinkgoHelper()
	Eventually(ctx, func(g Gomega) {
		extensions := extensionsOf(ctx)
		g.Expect(extensions).To(HaveLen(2))
		for class, ex := range extensions {
			for _, conditionType := range []gardencorev1beta1.ConditionType{
				conditions.TypeCollectorHealthy, conditions.TypeCredentialsValid, conditions.TypeFederationHealthy,
			} {
				g.Expect(ex.Status.Conditions).To(ContainElement(And(HaveField("Type", conditionType), HaveField("Status", gardencorev1beta1.ConditionTrue))), class)
			}
		}
	}).WithTimeout(noticeTimeout + healthySlack).Should(Succeed())
}

// healthySlack is for what a fault has led to after it is over, as a collector that is replaced.
const healthySlack = time.Minute
