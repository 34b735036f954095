// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"errors"
	"fmt"
	"net/url"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	certutil "k8s.io/client-go/util/cert"
	"sigs.k8s.io/yaml"

	gardencorev1beta1 "github.com/gardener/gardener/pkg/apis/core/v1beta1"

	"github.com/gardener/gardener-extension-otel-federation/pkg/constants"
)

// DataKeyIssuerConfig is the key of the issuer's configuration in its ConfigMap.
const DataKeyIssuerConfig = "config.yaml"

// IssuerConfig tells the credentials controller how to issue the credentials of the seeds. The garden controller writes it
// to a ConfigMap. It contains nothing secret.
type IssuerConfig struct {
	// Endpoint is the URL that the seeds push to: https, without a path.
	Endpoint string `json:"endpoint"`
	// CABundle is the PEM bundle that verifies the endpoint. If it is empty the seeds use the system's pool.
	CABundle string `json:"caBundle,omitempty"`
	// SigningKeySecretName is the name of the Secret, in the namespace of the ConfigMap, with the key to sign with now.
	SigningKeySecretName string `json:"signingKeySecretName"`
	// TokenValidity is how long a token is valid.
	TokenValidity metav1.Duration `json:"tokenValidity"`
	// TokenRenewAfter is the age at which a token is replaced at the latest.
	TokenRenewAfter metav1.Duration `json:"tokenRenewAfter"`
	// SeedSelector selects the seeds that get credentials. If it is nil all seeds do.
	SeedSelector *metav1.LabelSelector `json:"seedSelector,omitempty"`
	// DeniedSeeds are the names of the seeds that get no credentials although they are selected.
	DeniedSeeds []string `json:"deniedSeeds,omitempty"`
	// AggregatePrometheusHost is the first host of the VirtualService `garden/prometheus-aggregate` in the runtime cluster, or
	// empty if there is none. It tells which seed is the runtime cluster itself.
	AggregatePrometheusHost string `json:"aggregatePrometheusHost,omitempty"`
}

// ConfigMap returns the ConfigMap that carries the configuration.
func (c *IssuerConfig) ConfigMap(namespace string) *corev1.ConfigMap {
	data, err := yaml.Marshal(c)
	utilruntime.Must(err) // Strings, durations and a label selector can always be marshalled.

	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{
			Name:      constants.IssuerConfigMapName,
			Namespace: namespace,
			Labels:    ObjectLabels(),
		},
		Data: map[string]string{DataKeyIssuerConfig: string(data)},
	}
}

// ParseIssuerConfig reads and validates the configuration in the given ConfigMap.
func ParseIssuerConfig(configMap *corev1.ConfigMap) (*IssuerConfig, error) {
	data, ok := configMap.Data[DataKeyIssuerConfig]
	if !ok {
		return nil, fmt.Errorf("ConfigMap %s/%s has no key %q", configMap.Namespace, configMap.Name, DataKeyIssuerConfig)
	}

	config := &IssuerConfig{}
	if err := yaml.UnmarshalStrict([]byte(data), config); err != nil {
		return nil, fmt.Errorf("failed to read the issuer configuration in ConfigMap %s/%s: %w", configMap.Namespace, configMap.Name, err)
	}
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("the issuer configuration in ConfigMap %s/%s is invalid: %w", configMap.Namespace, configMap.Name, err)
	}
	return config, nil
}

// Validate tells whether credentials can be issued with the configuration.
func (c *IssuerConfig) Validate() error {
	var errs []error

	if err := validateEndpoint(c.Endpoint); err != nil {
		errs = append(errs, fmt.Errorf("endpoint: %w", err))
	}
	if c.CABundle != "" {
		if err := validateCABundle([]byte(c.CABundle)); err != nil {
			errs = append(errs, fmt.Errorf("caBundle: %w", err))
		}
	}
	if c.SigningKeySecretName == "" {
		errs = append(errs, errors.New("signingKeySecretName: must not be empty"))
	}
	if c.TokenRenewAfter.Duration <= 0 {
		errs = append(errs, errors.New("tokenRenewAfter: must be positive"))
	}
	if c.TokenValidity.Duration <= c.TokenRenewAfter.Duration {
		errs = append(errs, fmt.Errorf("tokenValidity: %s must be longer than tokenRenewAfter %s", c.TokenValidity.Duration, c.TokenRenewAfter.Duration))
	}
	if _, err := c.selector(); err != nil {
		errs = append(errs, fmt.Errorf("seedSelector: %w", err))
	}

	return errors.Join(errs...)
}

// Wants tells whether the given seed gets credentials.
func (c *IssuerConfig) Wants(seed *gardencorev1beta1.Seed) (bool, error) {
	if slices.Contains(c.DeniedSeeds, seed.Name) {
		return false, nil
	}
	selector, err := c.selector()
	if err != nil {
		return false, fmt.Errorf("failed to evaluate the seed selector: %w", err)
	}
	return selector.Matches(labels.Set(seed.Labels)), nil
}

func (c *IssuerConfig) selector() (labels.Selector, error) {
	if c.SeedSelector == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(c.SeedSelector)
}

func validateEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	switch {
	case endpoint == "":
		return errors.New("must not be empty")
	case err != nil, u.Scheme != "https", u.Host == "":
		return errors.New("must be a URL with the scheme https and a host")
	case u.User != nil, u.Path != "", u.RawQuery != "", u.Fragment != "":
		return errors.New("must be a URL without user, path, query and fragment")
	}
	return nil
}

func validateCABundle(bundle []byte) error {
	if _, err := certutil.ParseCertsPEM(bundle); err != nil {
		return fmt.Errorf("must be a bundle of PEM certificates: %w", err)
	}
	return nil
}
