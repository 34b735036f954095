// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package loader decodes, defaults and validates the configuration of this extension.
package loader

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	utilerrors "k8s.io/apimachinery/pkg/util/errors"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/install"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/v1alpha1"
	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config/validation"
)

var (
	scheme  *runtime.Scheme
	decoder runtime.Decoder

	providerConfigPath = field.NewPath("spec", "providerConfig")
	providerStatusPath = field.NewPath("status", "providerStatus")
)

func init() {
	scheme = runtime.NewScheme()
	utilruntime.Must(install.AddToScheme(scheme))
	decoder = serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDecoder()
}

// DecodeSeedFederationConfig decodes the providerConfig of an Extension of class seed strictly, sets the defaults and validates
// the result. Without a providerConfig, or with an empty one, it returns the defaults.
func DecodeSeedFederationConfig(raw *runtime.RawExtension) (*config.SeedFederationConfig, error) {
	cfg := &config.SeedFederationConfig{}
	if err := decode(rawBytes(raw), "SeedFederationConfig", &v1alpha1.SeedFederationConfig{}, cfg, providerConfigPath); err != nil {
		return nil, err
	}

	if errs := validation.ValidateSeedFederationConfig(cfg, providerConfigPath); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}

	return cfg, nil
}

// DecodeGardenFederationConfig decodes the providerConfig of an Extension of class garden strictly, sets the defaults and
// validates the result. Without a providerConfig, or with an empty one, it returns the defaults.
func DecodeGardenFederationConfig(raw *runtime.RawExtension) (*config.GardenFederationConfig, error) {
	cfg := &config.GardenFederationConfig{}
	if err := decode(rawBytes(raw), "GardenFederationConfig", &v1alpha1.GardenFederationConfig{}, cfg, providerConfigPath); err != nil {
		return nil, err
	}

	if errs := validation.ValidateGardenFederationConfig(cfg, providerConfigPath); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}

	return cfg, nil
}

// DecodeControllerConfiguration decodes the configuration file of the binary strictly, sets the defaults and validates the
// result. Without content it returns the defaults.
func DecodeControllerConfiguration(data []byte) (*config.ControllerConfiguration, error) {
	cfg := &config.ControllerConfiguration{}
	if err := decode(data, "ControllerConfiguration", &v1alpha1.ControllerConfiguration{}, cfg, nil); err != nil {
		return nil, err
	}

	if errs := validation.ValidateControllerConfiguration(cfg, nil); len(errs) > 0 {
		return nil, errs.ToAggregate()
	}

	return cfg, nil
}

// DecodeGardenFederationStatus decodes the providerStatus of an Extension of class garden. Without one it returns an empty
// status. Fields that it does not know, which a later version may have written, are ignored.
func DecodeGardenFederationStatus(raw *runtime.RawExtension) (*v1alpha1.GardenFederationStatus, error) {
	status := &v1alpha1.GardenFederationStatus{}
	if isEmpty(rawBytes(raw)) {
		return status, nil
	}

	if err := checkTypeMeta(raw.Raw, "GardenFederationStatus", providerStatusPath); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw.Raw, status); err != nil {
		return nil, decodingError(err, providerStatusPath)
	}
	return status, nil
}

// EncodeGardenFederationStatus is the inverse of DecodeGardenFederationStatus.
func EncodeGardenFederationStatus(status *v1alpha1.GardenFederationStatus) (*runtime.RawExtension, error) {
	status = status.DeepCopy()
	status.SetGroupVersionKind(v1alpha1.SchemeGroupVersion.WithKind("GardenFederationStatus"))
	raw, err := json.Marshal(status)
	if err != nil {
		return nil, fmt.Errorf("failed to encode the providerStatus: %w", err)
	}
	return &runtime.RawExtension{Raw: raw}, nil
}

func rawBytes(raw *runtime.RawExtension) []byte {
	if raw == nil {
		return nil
	}

	return raw.Raw
}

// decode decodes data, which may be empty, into the internal object. The versioned object is one of the same kind.
func decode(data []byte, kind string, versioned, internal runtime.Object, fldPath *field.Path) error {
	if isEmpty(data) {
		scheme.Default(versioned)

		if err := scheme.Convert(versioned, internal, nil); err != nil {
			return fmt.Errorf("failed to convert the defaults of kind %s: %w", kind, err)
		}

		return nil
	}

	if err := checkTypeMeta(data, kind, fldPath); err != nil {
		return err
	}

	if err := runtime.DecodeInto(decoder, data, internal); err != nil {
		return decodingError(err, fldPath)
	}

	return nil
}

// isEmpty tells whether data holds nothing, null or an object without fields.
func isEmpty(data []byte) bool {
	if len(bytes.TrimSpace(data)) == 0 {
		return true
	}

	var content any
	if err := yaml.Unmarshal(data, &content); err != nil {
		return false
	}

	fields, isObject := content.(map[string]any)

	return content == nil || isObject && len(fields) == 0
}

// checkTypeMeta checks apiVersion and kind ahead of the decoder, whose own errors do not name the field.
func checkTypeMeta(data []byte, kind string, fldPath *field.Path) error {
	typeMeta := runtime.TypeMeta{}
	if err := yaml.Unmarshal(data, &typeMeta); err != nil {
		return decodingError(err, fldPath)
	}

	var errs field.ErrorList

	for _, f := range []struct{ name, value, want string }{
		{name: "apiVersion", value: typeMeta.APIVersion, want: v1alpha1.SchemeGroupVersion.String()},
		{name: "kind", value: typeMeta.Kind, want: kind},
	} {
		switch f.value {
		case f.want:
		case "":
			errs = append(errs, field.Required(fldPath.Child(f.name), fmt.Sprintf("must be %q", f.want)))
		default:
			errs = append(errs, field.NotSupported(fldPath.Child(f.name), f.value, []string{f.want}))
		}
	}

	return errs.ToAggregate()
}

// decodingError returns an error that starts with the path of the field, as far as the decoder tells it.
func decodingError(err error, fldPath *field.Path) error {
	strictErr, isStrict := runtime.AsStrictDecodingError(err)
	if !isStrict {
		return withPath(fldPath, err)
	}

	var errs []error

	for _, e := range strictErr.Errors() {
		path := fldPath
		if fieldErr, ok := errors.AsType[interface {
			error
			FieldPath() string
		}](e); ok {
			path = fldPath.Child(fieldErr.FieldPath())
		}

		errs = append(errs, withPath(path, e))
	}

	return utilerrors.NewAggregate(errs)
}

func withPath(fldPath *field.Path, err error) error {
	if typeErr, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && typeErr.Field != "" {
		fldPath = fldPath.Child(typeErr.Field)
	}

	if fldPath == nil {
		return fmt.Errorf("failed to decode: %w", err)
	}

	return fmt.Errorf("%s: failed to decode: %w", fldPath, err)
}
