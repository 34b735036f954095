// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardencollector

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"

	"github.com/andybalholm/brotli"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	resourcesv1alpha1 "github.com/gardener/gardener/pkg/apis/resources/v1alpha1"
	"github.com/gardener/gardener/pkg/utils/kubernetes/health"
	"github.com/gardener/gardener/pkg/utils/managedresources"
)

// receivesNothing is a value of LabelReceives that no pod has.
const receivesNothing = "nothing"

// StopReceiving takes all pods out of the Service, and returns an error until that is applied. The route stays: the ingress gateway answers
// 503, upon which the seeds keep their samples, whereas it would answer 404 without a route, upon which they drop them. It changes
// nothing else of what is deployed, and so needs neither a configuration nor keys: the pods are not replaced. Deploy takes it back.
func (g *gardenCollector) StopReceiving(ctx context.Context) error {
	managedResource := &resourcesv1alpha1.ManagedResource{}
	err := g.client.Get(ctx, client.ObjectKey{Namespace: g.namespace, Name: name}, managedResource)
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("failed to get ManagedResource %s/%s: %w", g.namespace, name, err)
	}

	data := map[string][]byte{}
	for _, ref := range managedResource.Spec.SecretRefs {
		secret := &corev1.Secret{}
		if err := g.client.Get(ctx, client.ObjectKey{Namespace: g.namespace, Name: ref.Name}, secret); err != nil {
			return fmt.Errorf("failed to get Secret %s/%s of ManagedResource %s: %w", g.namespace, ref.Name, name, err)
		}
		maps.Copy(data, secret.Data)
	}
	changed, err := closeService(data)
	if err != nil {
		return fmt.Errorf("failed to take the pods out of Service %s/%s: the objects of ManagedResource %s cannot be changed: %w", g.namespace, name, name, err)
	}
	if changed {
		if err := managedresources.CreateForSeedWithLabels(ctx, g.client, g.namespace, name, false, managedResourceLabels(), data); err != nil {
			return fmt.Errorf("failed to take the pods out of Service %s/%s: %w", g.namespace, name, err)
		}
		return fmt.Errorf("the pods are being taken out of Service %s/%s", g.namespace, name)
	}
	if err := health.CheckManagedResourceApplied(managedResource); err != nil {
		return fmt.Errorf("the pods have not been taken out of Service %s/%s yet: does gardener-resource-manager apply its ManagedResource? %w", g.namespace, name, err)
	}
	return nil
}

// closeService changes the Service among serialized objects, and returns false if it is changed already. The others are left as they are,
// byte by byte: they need not be read for that.
func closeService(data map[string][]byte) (bool, error) {
	content, err := io.ReadAll(brotli.NewReader(bytes.NewReader(data[resourcesv1alpha1.CompressedDataKey])))
	if err != nil {
		return false, fmt.Errorf("failed to decompress them: %w", err)
	}

	var (
		changed bool
		out     bytes.Buffer
		reader  = utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	)
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return false, fmt.Errorf("failed to split them: %w", err)
		}
		obj := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &obj.Object); err != nil {
			return false, fmt.Errorf("failed to decode one: %w", err)
		}
		path := []string{"spec", "selector", LabelReceives}
		if value, _, _ := unstructured.NestedString(obj.Object, path...); obj.GetKind() == "Service" && obj.GetName() == name && value != receivesNothing {
			changed = true
			if err := unstructured.SetNestedField(obj.Object, receivesNothing, path...); err != nil {
				return false, fmt.Errorf("failed to change the Service: %w", err)
			}
			if document, err = yaml.Marshal(obj.Object); err != nil {
				return false, fmt.Errorf("failed to encode the Service: %w", err)
			}
		}
		out.WriteString("---\n")
		out.Write(document)
		if !bytes.HasSuffix(document, []byte("\n")) {
			out.WriteByte('\n')
		}
	}
	if !changed {
		return false, nil
	}

	var compressed bytes.Buffer
	writer := brotli.NewWriter(&compressed)
	if _, err := writer.Write(out.Bytes()); err != nil {
		return false, fmt.Errorf("failed to compress them: %w", err)
	}
	if err := writer.Close(); err != nil {
		return false, fmt.Errorf("failed to compress them: %w", err)
	}
	data[resourcesv1alpha1.CompressedDataKey] = compressed.Bytes()
	return true, nil
}
