// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package collectortest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"

	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
)

// DeployedCollector returns the collector of the given name in the ManagedResource of the given component, read in the way of
// gardener-resource-manager. Gardener's own matcher cannot read certificates inside of an object.
func DeployedCollector(ctx context.Context, c client.Client, name, component string) (*otelv1beta1.OpenTelemetryCollector, error) {
	managedResource := &resourcesv1alpha1.ManagedResource{}
	if err := c.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: component}, managedResource); err != nil {
		return nil, fmt.Errorf("failed to get ManagedResource %s/%s: %w", Namespace, component, err)
	}

	for _, ref := range managedResource.Spec.SecretRefs {
		secret := &corev1.Secret{}
		if err := c.Get(ctx, client.ObjectKey{Namespace: Namespace, Name: ref.Name}, secret); err != nil {
			return nil, fmt.Errorf("failed to get Secret %s/%s: %w", Namespace, ref.Name, err)
		}
		if obj, err := findCollector(name, secret.Data[resourcesv1alpha1.CompressedDataKey]); err != nil || obj != nil {
			return obj, err
		}
	}
	return nil, fmt.Errorf("ManagedResource %s/%s has no OpenTelemetryCollector %s", Namespace, component, name)
}

func findCollector(name string, compressed []byte) (*otelv1beta1.OpenTelemetryCollector, error) {
	data, err := io.ReadAll(brotli.NewReader(bytes.NewReader(compressed)))
	if err != nil {
		return nil, fmt.Errorf("failed to decompress the objects: %w", err)
	}

	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), len(data))
	for {
		content := map[string]any{}
		if err := decoder.Decode(&content); errors.Is(err, io.EOF) {
			return nil, nil
		} else if err != nil {
			return nil, fmt.Errorf("failed to decode an object: %w", err)
		}

		raw := &unstructured.Unstructured{Object: content}
		if raw.GroupVersionKind() != otelv1beta1.GroupVersion.WithKind("OpenTelemetryCollector") || raw.GetName() != name {
			continue
		}

		obj := &otelv1beta1.OpenTelemetryCollector{}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(content, obj); err != nil {
			return nil, fmt.Errorf("failed to convert the OpenTelemetryCollector: %w", err)
		}
		obj.TypeMeta = metav1.TypeMeta{}
		return obj, nil
	}
}
