// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"
	v1beta1constants "github.com/gardener/gardener/pkg/apis/core/v1beta1/constants"
	"github.com/gardener/gardener/pkg/utils"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

const (
	labelKeyName      = "app.kubernetes.io/name"
	labelKeyManagedBy = "app.kubernetes.io/managed-by"
	// managedBy is the value of the label that tells that an object is ours.
	managedBy = "gardener-extension-otel-federation"
)

// ObjectLabels returns the labels of the objects that carry credentials. Never add `gardener.cloud/role` to them:
// gardener-controller-manager deletes Secrets with that label from the namespaces of seeds.
func ObjectLabels() map[string]string {
	return map[string]string{
		labelKeyName:      constants.ExtensionType,
		labelKeyManagedBy: managedBy,
	}
}

// IsOurs tells whether the given object was created by this extension.
func IsOurs(obj metav1.Object) bool {
	return obj.GetLabels()[labelKeyManagedBy] == managedBy
}

// Instance returns the `instance` label under which the garden knows the federation target of the given seed, by the same
// rule that gardener-operator follows when it configures the pull. It is empty if the seed has no ingress: gardener-operator
// has no target for such a seed.
func Instance(seed *gardencorev1beta1.Seed, aggregatePrometheusHost string) string {
	if seed.Spec.Ingress == nil {
		return ""
	}
	host := v1beta1constants.IngressDomainPrefixPrometheusAggregate + "." + seed.Spec.Ingress.Domain
	if host == aggregatePrometheusHost {
		return constants.JobPrometheusAggregate
	}
	return host
}

// SecretData returns the data of the Secret with the credentials of a seed.
func (c *IssuerConfig) SecretData(seed *gardencorev1beta1.Seed, token string) map[string][]byte {
	data := map[string][]byte{
		constants.DataKeyEndpoint: []byte(c.Endpoint),
		constants.DataKeyToken:    []byte(token),
	}
	if c.CABundle != "" {
		data[constants.DataKeyCABundle] = []byte(c.CABundle)
	}
	if instance := Instance(seed, c.AggregatePrometheusHost); instance != "" {
		data[constants.DataKeyInstance] = []byte(instance)
	}
	return data
}

// ValidateSecretData tells whether a collector can work with the data of a Secret with credentials. The error names the keys,
// never their content.
func ValidateSecretData(data map[string][]byte) error {
	var errs []error

	if err := validateEndpoint(string(data[constants.DataKeyEndpoint])); err != nil {
		errs = append(errs, fmt.Errorf("key %q: %w", constants.DataKeyEndpoint, err))
	}
	if token := string(data[constants.DataKeyToken]); token == "" {
		errs = append(errs, fmt.Errorf("key %q: must not be empty", constants.DataKeyToken))
	} else if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		errs = append(errs, fmt.Errorf("key %q: must contain printable ASCII characters only", constants.DataKeyToken))
	}
	if bundle, ok := data[constants.DataKeyCABundle]; ok {
		if err := validateCABundle(bundle); err != nil {
			errs = append(errs, fmt.Errorf("key %q: must be a bundle of PEM certificates, or absent", constants.DataKeyCABundle))
		}
	}

	return errors.Join(errs...)
}

// CABundleChecksum returns what a seed acknowledges when its collector verifies the garden by the given bundle. It says nothing about
// the system's pool, which stands for an empty bundle.
func CABundleChecksum(bundle []byte) string {
	return utils.ComputeSHA256Hex(bundle)
}
