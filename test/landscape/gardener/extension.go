// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package gardener

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	extensionsv1alpha1 "github.com/gardener/gardener/pkg/apis/extensions/v1alpha1"
	operatorv1alpha1 "github.com/gardener/gardener/pkg/apis/operator/v1alpha1"
	"github.com/gardener/gardener/pkg/component/extensions/extension"

	configv1alpha1 "github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	// GardenExtensionName is the name of the Extension that gardener-operator creates in the namespace garden.
	GardenExtensionName = gardenExtensionPrefix + constants.ExtensionType
	// SeedExtensionName is the name of the Extension that gardenlet creates in the namespace garden.
	SeedExtensionName = constants.ExtensionType

	gardenExtensionPrefix = "garden-"
	configAPIVersion      = "otel-federation.extensions.gardener.cloud/v1alpha1"
)

// SeedProviderConfig returns the providerConfig of the Extensions of class seed in this landscape.
func SeedProviderConfig(scrapeInterval time.Duration) *runtime.RawExtension {
	return rawExtension(map[string]any{
		"apiVersion": configAPIVersion,
		"kind":       "SeedFederationConfig",
		"scrape":     map[string]any{"interval": scrapeInterval.String(), "timeout": max(scrapeInterval-time.Second, scrapeInterval/2).String()},
		"queue":      map[string]any{"persistence": map[string]any{"size": "1Gi"}},
	})
}

// GardenProviderConfig returns the providerConfig of the Extension of class garden in this landscape: the default mode and times of
// the hand-over, the latter scaled.
func GardenProviderConfig(scrapeInterval time.Duration, mode configv1alpha1.HandOverMode) *runtime.RawExtension {
	return rawExtension(map[string]any{
		"apiVersion": configAPIVersion,
		"kind":       "GardenFederationConfig",
		"queue":      map[string]any{"persistence": map[string]any{"size": "1Gi"}},
		"handOver": map[string]any{
			"mode":        mode,
			"freshFor":    FreshFor(scrapeInterval).String(),
			"returnAfter": ReturnAfter(scrapeInterval).String(),
		},
	})
}

// With sets a field of a providerConfig.
func With(providerConfig *runtime.RawExtension, value any, path ...string) *runtime.RawExtension {
	config := map[string]any{}
	// It was marshalled from such a map, and nothing but maps lies on the paths.
	_ = json.Unmarshal(providerConfig.Raw, &config)
	_ = unstructured.SetNestedField(config, value, path...)
	return rawExtension(config)
}

func rawExtension(config map[string]any) *runtime.RawExtension {
	// Marshalling maps of strings does not fail.
	data, _ := json.Marshal(config)
	return &runtime.RawExtension{Raw: data}
}

// EnableSeed enables the extension in the Seed, and creates or updates the Extension of class seed as gardenlet then does. It
// does not wait.
func EnableSeed(ctx context.Context, gardenClient, seedClient client.Client, seed string, providerConfig *runtime.RawExtension) error {
	if err := patchSeed(ctx, gardenClient, seed, []gardencorev1beta1.Extension{{Type: constants.ExtensionType, ProviderConfig: providerConfig}}); err != nil {
		return err
	}
	return enable(ctx, seedExtension(seedClient, providerConfig), "seed")
}

// DisableSeed disables the extension in the Seed, deletes the Extension of class seed as gardenlet then does, and waits until
// it is gone.
func DisableSeed(ctx context.Context, gardenClient, seedClient client.Client, seed string) error {
	if err := patchSeed(ctx, gardenClient, seed, nil); client.IgnoreNotFound(err) != nil {
		return err
	}
	return disable(ctx, seedExtension(seedClient, nil), "seed")
}

// EnableGarden enables the extension in the Garden, and creates or updates the Extension of class garden as gardener-operator
// then does. It does not wait.
func EnableGarden(ctx context.Context, runtimeClient client.Client, providerConfig *runtime.RawExtension) error {
	if err := patchGarden(ctx, runtimeClient, []operatorv1alpha1.GardenExtension{{Type: constants.ExtensionType, ProviderConfig: providerConfig}}); err != nil {
		return err
	}
	return enable(ctx, gardenExtension(runtimeClient, providerConfig), "garden")
}

// DisableGarden disables the extension in the Garden, deletes the Extension of class garden as gardener-operator then does, and
// waits until it is gone.
func DisableGarden(ctx context.Context, runtimeClient client.Client) error {
	if err := patchGarden(ctx, runtimeClient, nil); client.IgnoreNotFound(err) != nil {
		return err
	}
	return disable(ctx, gardenExtension(runtimeClient, nil), "garden")
}

// StopSeedCollector stops the collector of a seed, without anybody starting it again.
func StopSeedCollector(ctx context.Context, seedClient client.Client) error {
	return scaleSeedCollector(ctx, seedClient, 0)
}

// StartSeedCollector starts the collector of a seed again.
func StartSeedCollector(ctx context.Context, seedClient client.Client) error {
	return scaleSeedCollector(ctx, seedClient, 1)
}

// StopFanOut stops the collectors of the fan-out, without anybody starting them again.
func StopFanOut(ctx context.Context, runtimeClient client.Client) error {
	return scaleFanOut(ctx, runtimeClient, 0)
}

// StartFanOut starts the collectors of the fan-out again.
func StartFanOut(ctx context.Context, runtimeClient client.Client) error {
	return scaleFanOut(ctx, runtimeClient, 1)
}

func scaleFanOut(ctx context.Context, runtimeClient client.Client, replicas int32) error {
	collectors := &otelv1beta1.OpenTelemetryCollectorList{}
	if err := runtimeClient.List(ctx, collectors, client.InNamespace(Namespace), client.MatchingLabels{v1beta1constants.LabelApp: constants.GardenCollectorName}); err != nil {
		return fmt.Errorf("failed to list the collectors of the fan-out: %w", err)
	}
	for i := range collectors.Items {
		if err := scale(ctx, runtimeClient, constants.GardenCollectorName, &collectors.Items[i], replicas, 1); err != nil {
			return err
		}
	}
	return nil
}

func scaleSeedCollector(ctx context.Context, seedClient client.Client, replicas int32) error {
	return scale(ctx, seedClient, constants.SeedCollectorName,
		&otelv1beta1.OpenTelemetryCollector{ObjectMeta: metav1.ObjectMeta{Name: constants.SeedCollectorName, Namespace: Namespace}}, replicas, 1)
}

func patchSeed(ctx context.Context, gardenClient client.Client, name string, extensions []gardencorev1beta1.Extension) error {
	seed := &gardencorev1beta1.Seed{}
	if err := gardenClient.Get(ctx, client.ObjectKey{Name: name}, seed); err != nil {
		return fmt.Errorf("failed to read Seed %s: %w", name, err)
	}
	patch := client.MergeFrom(seed.DeepCopy())
	seed.Spec.Extensions = extensions
	if err := gardenClient.Patch(ctx, seed, patch); err != nil {
		return fmt.Errorf("failed to change the extensions of Seed %s: %w", name, err)
	}
	return nil
}

func patchGarden(ctx context.Context, runtimeClient client.Client, extensions []operatorv1alpha1.GardenExtension) error {
	garden := &operatorv1alpha1.Garden{}
	if err := runtimeClient.Get(ctx, client.ObjectKey{Name: GardenName}, garden); err != nil {
		return fmt.Errorf("failed to read Garden %s: %w", GardenName, err)
	}
	patch := client.MergeFrom(garden.DeepCopy())
	garden.Spec.Extensions = extensions
	if err := runtimeClient.Patch(ctx, garden, patch); err != nil {
		return fmt.Errorf("failed to change the extensions of Garden %s: %w", GardenName, err)
	}
	return nil
}

func enable(ctx context.Context, e extension.Interface, class string) error {
	if err := e.Deploy(ctx); err != nil {
		return fmt.Errorf("failed to create the Extension of class %s: %w", class, err)
	}
	return nil
}

func disable(ctx context.Context, e extension.Interface, class string) error {
	if err := e.Destroy(ctx); err != nil {
		return fmt.Errorf("failed to delete the Extension of class %s: %w", class, err)
	}
	if err := e.WaitCleanup(ctx); err != nil {
		return fmt.Errorf("the Extension of class %s has not gone: %w", class, err)
	}
	return nil
}

func seedExtension(c client.Client, providerConfig *runtime.RawExtension) extension.Interface {
	return newExtension(c, extensionsv1alpha1.ExtensionClassSeed, nil, providerConfig)
}

func gardenExtension(c client.Client, providerConfig *runtime.RawExtension) extension.Interface {
	return newExtension(c, extensionsv1alpha1.ExtensionClassGarden, new(gardenExtensionPrefix), providerConfig)
}

func newExtension(c client.Client, class extensionsv1alpha1.ExtensionClass, prefix *string, providerConfig *runtime.RawExtension) extension.Interface {
	return extension.New(logr.Discard(), c, &extension.Values{
		Class:      &class,
		Namespace:  Namespace,
		NamePrefix: prefix,
		Extensions: map[string]extension.Extension{constants.ExtensionType: {
			Extension: extensionsv1alpha1.Extension{
				ObjectMeta: metav1.ObjectMeta{Name: constants.ExtensionType, Namespace: Namespace},
				Spec:       extensionsv1alpha1.ExtensionSpec{DefaultSpec: extensionsv1alpha1.DefaultSpec{Type: constants.ExtensionType, ProviderConfig: providerConfig}},
			},
			Timeout: extension.DefaultTimeout,
		}},
	}, time.Second, extension.DefaultSevereThreshold, extension.DefaultTimeout)
}
