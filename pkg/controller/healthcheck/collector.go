// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package healthcheck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener/extensions/pkg/controller/healthcheck"
	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/utils/kubernetes/health"

	"github.com/gardener/gardener-extension-otel-federation/pkg/component/collector"
)

const (
	// startThreshold is how long a collector may take to start, or to be replaced.
	startThreshold = time.Minute
	// deployThreshold is how long there may be no collector, because its credentials or the garden Prometheus are missing.
	deployThreshold = 24 * time.Hour
)

// collectorCheck checks what gardener-resource-manager does not: that the OpenTelemetry operator has made a StatefulSet of each
// OpenTelemetryCollector of a component, and that its pods are ready.
type collectorCheck struct {
	reader    client.Reader
	component string
}

// NewCollectorCheck returns a check of the collectors of a component. The reader must not be a cache, because it reads kinds that may not
// exist.
func NewCollectorCheck(reader client.Reader, component string) healthcheck.HealthCheck {
	return &collectorCheck{reader: reader, component: component}
}

// managedResourceCheck checks that a ManagedResource is applied. Unlike that of Gardener's library it has patience: the library lets a
// condition that is False not become Progressing, and a ManagedResource that has just been changed is not applied yet.
type managedResourceCheck struct {
	client client.Client
	name   string
}

// NewManagedResourceCheck returns a check of a ManagedResource. The client may read from a cache.
func NewManagedResourceCheck(c client.Client, name string) healthcheck.HealthCheck {
	return &managedResourceCheck{client: c, name: name}
}

// SetLoggerSuffix implements healthcheck.HealthCheck. The check logs nothing.
func (c *managedResourceCheck) SetLoggerSuffix(string, string) {}

// Check implements healthcheck.HealthCheck.
func (c *managedResourceCheck) Check(ctx context.Context, request types.NamespacedName) (*healthcheck.SingleCheckResult, error) {
	obj := &resourcesv1alpha1.ManagedResource{}
	err := c.client.Get(ctx, client.ObjectKey{Namespace: request.Namespace, Name: c.name}, obj)
	if apierrors.IsNotFound(err) {
		return progressing(startThreshold, "ManagedResource %s/%s does not exist: see the last error of the Extension.", request.Namespace, c.name), nil
	}
	if err != nil {
		return nil, fmt.Errorf("failed to get ManagedResource %s/%s: %w", request.Namespace, c.name, err)
	}
	if err := health.CheckManagedResource(obj); err != nil {
		return progressing(startThreshold, "ManagedResource %s/%s is not healthy: %s. Its conditions and gardener-resource-manager's log say more.", request.Namespace, c.name, err), nil
	}
	return &healthcheck.SingleCheckResult{Status: gardencorev1beta1.ConditionTrue}, nil
}

// SetLoggerSuffix implements healthcheck.HealthCheck. The check logs nothing.
func (c *collectorCheck) SetLoggerSuffix(string, string) {}

// Check implements healthcheck.HealthCheck.
func (c *collectorCheck) Check(ctx context.Context, request types.NamespacedName) (*healthcheck.SingleCheckResult, error) {
	var (
		collectors = &otelv1beta1.OpenTelemetryCollectorList{}
		sets       = &appsv1.StatefulSetList{}
		selector   = client.MatchingLabels{v1beta1constants.LabelApp: c.component}
	)
	if err := c.reader.List(ctx, collectors, client.InNamespace(request.Namespace), selector); err != nil {
		if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
			return unhealthy("The kind OpenTelemetryCollector does not exist: is the OpenTelemetry operator deployed?"), nil
		}
		return nil, fmt.Errorf("failed to list the OpenTelemetryCollectors of %s in namespace %s: %w", c.component, request.Namespace, err)
	}
	if len(collectors.Items) == 0 {
		return progressing(deployThreshold, "There is no OpenTelemetryCollector of %s yet: the other conditions say what is waited for.", c.component), nil
	}
	if err := c.reader.List(ctx, sets, client.InNamespace(request.Namespace), selector); err != nil {
		return nil, fmt.Errorf("failed to list the StatefulSets of %s in namespace %s: %w", c.component, request.Namespace, err)
	}

	var problems []string
	for i := range collectors.Items {
		if problem := problemOf(&collectors.Items[i], sets.Items); problem != "" {
			problems = append(problems, problem)
		}
	}
	if len(problems) > 0 {
		return progressing(startThreshold, "%s", strings.Join(problems, " ")), nil
	}
	return &healthcheck.SingleCheckResult{Status: gardencorev1beta1.ConditionTrue}, nil
}

// problemOf says what is wrong with a collector, or nothing.
func problemOf(obj *otelv1beta1.OpenTelemetryCollector, sets []appsv1.StatefulSet) string {
	name := obj.Name + "-collector"
	i := slices.IndexFunc(sets, func(set appsv1.StatefulSet) bool { return set.Name == name })
	if i < 0 {
		return fmt.Sprintf("StatefulSet %s/%s does not exist: is the OpenTelemetry operator running?", obj.Namespace, name)
	}

	set := &sets[i]
	if !collector.IsReady(set) {
		return fmt.Sprintf("Of the pods of StatefulSet %s/%s, %d of %d are ready, and %d are of the newest version.", obj.Namespace, name, set.Status.ReadyReplicas, max(set.Status.Replicas, 1), set.Status.UpdatedReplicas)
	}
	if replicas := obj.Status.Scale.StatusReplicas; replicas != "" && replicas != fmt.Sprintf("%d/%d", set.Status.ReadyReplicas, set.Status.Replicas) {
		return fmt.Sprintf("OpenTelemetryCollector %s/%s has %s pods in its status, but StatefulSet %s has %d: is the OpenTelemetry operator running?", obj.Namespace, obj.Name, replicas, name, set.Status.ReadyReplicas)
	}
	return ""
}

func unhealthy(message string) *healthcheck.SingleCheckResult {
	return &healthcheck.SingleCheckResult{Status: gardencorev1beta1.ConditionFalse, Detail: message}
}

func progressing(threshold time.Duration, format string, args ...any) *healthcheck.SingleCheckResult {
	return &healthcheck.SingleCheckResult{Status: gardencorev1beta1.ConditionProgressing, Detail: fmt.Sprintf(format, args...), ProgressingThreshold: &threshold}
}
