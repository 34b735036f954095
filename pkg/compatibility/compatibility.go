// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package compatibility finds out whether the cluster offers what federation relies on.
package compatibility

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/Masterminds/semver/v3"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gardener/gardener-extension-otel-federation/pkg/conditions"
)

var (
	// minPrometheus is the first version that knows the translation strategy NoTranslation (config/config.go).
	minPrometheus = semver.MustParse("3.4.0")
	// minCollector is the first version whose exporter is called otlp_http (CHANGELOG.md, #14396).
	minCollector = semver.MustParse("0.144.0")
)

// Problem is what keeps federation from working.
type Problem struct {
	// Reason is one of the reasons of the condition Compatible.
	Reason string
	// Message says what is wrong and what to do about it.
	Message string
}

// CheckCollectorKind checks that OpenTelemetryCollectors can be created. The reader must not be a cache.
func CheckCollectorKind(ctx context.Context, reader client.Reader, namespace string) (*Problem, error) {
	err := reader.List(ctx, &otelv1beta1.OpenTelemetryCollectorList{}, client.InNamespace(namespace), client.Limit(1))
	// The latter is the answer if the kind was there before.
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return &Problem{
			Reason: conditions.ReasonCollectorKindMissing,
			Message: "The kind OpenTelemetryCollector (" + otelv1beta1.GroupVersion.String() + ") does not exist in this cluster. gardener-operator and gardenlet of Gardener v1.150 and later install it; " +
				"in older versions it belongs to their feature gate OpenTelemetryCollector: upgrade Gardener, or enable the feature gate. Federation starts by itself once the kind is there.",
		}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("failed to find out whether OpenTelemetryCollectors can be created in namespace %s: %w", namespace, err)
	}
	return nil, nil
}

// CheckCollectorImage checks that the collector is new enough. Only the tags of the OpenTelemetry project's own distributions tell its
// version; those of Gardener's do not.
func CheckCollectorImage(image string) *Problem {
	image, _, _ = strings.Cut(image, "@")
	repository, tag, found := strings.Cut(path.Base(image), ":")
	if !found || !strings.HasPrefix(repository, "opentelemetry-collector-") {
		return nil
	}
	version, err := semver.NewVersion(tag)
	if err != nil || !version.LessThan(minCollector) {
		return nil
	}
	return &Problem{
		Reason:  conditions.ReasonCollectorTooOld,
		Message: fmt.Sprintf("The collector image %s is too old: the exporter otlp_http exists from version %s on. Correct the image vector overwrite (Helm value imageVectorOverwrite).", image, minCollector),
	}
}

// CheckPrometheus checks that the garden Prometheus is new enough. A version that is not given is taken for new enough.
func CheckPrometheus(prometheus *monitoringv1.Prometheus) *Problem {
	version, err := semver.NewVersion(prometheus.Spec.Version)
	if err != nil || !version.LessThan(minPrometheus) {
		return nil
	}
	return &Problem{
		Reason: conditions.ReasonPrometheusTooOld,
		Message: fmt.Sprintf("Prometheus %s has version %s, but stores metrics under the names that they are sent with only from %s on (translationStrategy NoTranslation): upgrade Gardener. Until then seeds are pulled.",
			client.ObjectKeyFromObject(prometheus), version, minPrometheus),
	}
}
