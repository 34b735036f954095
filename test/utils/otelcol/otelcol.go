// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package otelcol puts configurations before the real collector.
package otelcol

import (
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	otelv1beta1 "github.com/open-telemetry/opentelemetry-operator/apis/v1beta1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/credentials"
)

const (
	// binary is the path of the collector below the root of the repository.
	binary = "bin/landscape/otelcol"

	jwksDirectory  = "/etc/otel-federation/jwks"
	tokenDirectory = "/var/run/secrets/otel-federation" // #nosec G101 -- No credential.

	keyBits = 2048
)

// Validate returns an error with the collector's own words if the real collector does not accept the configuration. The
// directories that the configuration refers to are replaced by temporary ones with a token and public keys in them.
func Validate(config otelv1beta1.Config) error {
	executable, err := findBinary()
	if err != nil {
		return err
	}

	content, err := config.Yaml()
	if err != nil {
		return fmt.Errorf("failed to marshal the configuration: %w", err)
	}

	directory, err := os.MkdirTemp("", "otelcol-")
	if err != nil {
		return fmt.Errorf("failed to create a temporary directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(directory) }()

	jwks, err := publicKeys()
	if err != nil {
		return err
	}

	path := filepath.Join(directory, "config.yaml")
	for file, data := range map[string][]byte{
		path:                                  []byte(strings.NewReplacer(jwksDirectory, directory, tokenDirectory, directory).Replace(content)),
		filepath.Join(directory, "jwks.json"): jwks,
		filepath.Join(directory, "token"):     []byte("token"),
	} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			return fmt.Errorf("failed to write file %s: %w", file, err)
		}
	}

	if output, err := exec.Command(executable, "validate", "--config", path).CombinedOutput(); err != nil { // #nosec G204 -- Test code.
		return fmt.Errorf("the collector does not accept the configuration: %w: %s", err, strings.TrimSpace(string(output)))
	}
	return nil
}

func publicKeys() ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("failed to generate a key: %w", err)
	}
	return credentials.JWKS(&key.PublicKey)
}

// findBinary looks for the collector from the root of the repository, which is where go.mod is.
func findBinary() (string, error) {
	directory, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("failed to get the working directory: %w", err)
	}

	for {
		if _, err := os.Stat(filepath.Join(directory, "go.mod")); err == nil {
			break
		}
		parent := filepath.Dir(directory)
		if parent == directory {
			return "", errors.New("failed to find the root of the repository: no directory above the working directory has a go.mod")
		}
		directory = parent
	}

	executable := filepath.Join(directory, binary)
	if _, err := os.Stat(executable); err != nil {
		return "", fmt.Errorf("the collector %s is missing, run `make landscape-binaries`: %w", binary, err)
	}
	return executable, nil
}
