// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package imagevector gives access to the images that this extension deploys.
package imagevector

import (
	_ "embed"

	"k8s.io/apimachinery/pkg/util/runtime"

	"github.com/gardener/gardener/pkg/utils/imagevector"
)

// ImageNameOpenTelemetryCollector is the name of the collector's image.
const ImageNameOpenTelemetryCollector = "opentelemetry-collector"

var (
	//go:embed images.yaml
	imagesYAML string

	imageVector imagevector.ImageVector
)

func init() {
	vector, caBundle, err := imagevector.Read([]byte(imagesYAML))
	runtime.Must(err)

	imageVector, _, err = imagevector.WithEnvOverride(vector, caBundle, imagevector.OverrideEnv)
	runtime.Must(err)
}

// FindImage returns the reference of the image with the given name. The environment variable IMAGEVECTOR_OVERWRITE may name a
// file that replaces the images of this extension.
func FindImage(name string) (string, error) {
	image, err := imageVector.FindImage(name)
	if err != nil {
		return "", err
	}
	return image.String(), nil
}
