// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	utilvalidation "k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/utils/ptr"

	"github.com/gardener/gardener-extension-otel-federation/pkg/apis/config"
)

const (
	minScrapeInterval = time.Second
	// maxScrapeInterval keeps series without a hole if one scrape fails: a query finds samples of the last 5 minutes by default (lookback
	// delta of Prometheus).
	maxScrapeInterval = 2 * time.Minute

	schemeHTTP  = "http"
	schemeHTTPS = "https"
)

var compressionAlgorithms = []config.CompressionAlgorithm{
	config.CompressionZstd,
	config.CompressionGzip,
	config.CompressionSnappy,
	config.CompressionNone,
}

// ValidateSeedFederationConfig validates the defaulted configuration of a seed.
func ValidateSeedFederationConfig(cfg *config.SeedFederationConfig, fldPath *field.Path) field.ErrorList {
	var allErrs field.ErrorList

	allErrs = append(allErrs, validateScrape(&cfg.Scrape, fldPath.Child("scrape"))...)
	allErrs = append(allErrs, validateSelectors(cfg, fldPath)...)

	if cfg.Garden != nil {
		allErrs = append(allErrs, validateGardenEndpoint(cfg.Garden, fldPath.Child("garden"))...)
	}

	allErrs = append(allErrs, validateCompression(&cfg.Compression, fldPath.Child("compression"))...)
	allErrs = append(allErrs, validateQueue(&cfg.Queue, fldPath.Child("queue"))...)
	allErrs = append(allErrs, validateResources(cfg.Resources, fldPath.Child("resources"))...)

	return allErrs
}

func validateScrape(scrape *config.ScrapeConfiguration, fldPath *field.Path) field.ErrorList {
	var allErrs field.ErrorList

	allErrs = append(allErrs, validateDuration(scrape.Interval, minScrapeInterval, time.Millisecond, fldPath.Child("interval"))...)
	allErrs = append(allErrs, validateDuration(scrape.Timeout, time.Millisecond, time.Millisecond, fldPath.Child("timeout"))...)

	if scrape.Interval != nil && scrape.Interval.Duration > maxScrapeInterval {
		allErrs = append(allErrs, field.Invalid(fldPath.Child("interval"), scrape.Interval.Duration.String(),
			"must be at most "+maxScrapeInterval.String()+", so that a series has no hole in Prometheus when one scrape fails"))
	}

	if scrape.Interval != nil && scrape.Timeout != nil && scrape.Timeout.Duration > scrape.Interval.Duration {
		allErrs = append(allErrs, field.Invalid(fldPath.Child("timeout"), scrape.Timeout.Duration.String(),
			"must not be longer than the interval, which is "+scrape.Interval.Duration.String()))
	}

	return allErrs
}

// validateSelectors refuses duplicates in both lists together, because together they make one request.
func validateSelectors(cfg *config.SeedFederationConfig, fldPath *field.Path) field.ErrorList {
	var (
		allErrs field.ErrorList
		seen    = map[string]struct{}{}
	)

	for _, list := range []struct {
		name      string
		selectors []string
	}{
		{name: "selectors", selectors: cfg.Selectors},
		{name: "additionalSelectors", selectors: cfg.AdditionalSelectors},
	} {
		for i, selector := range list.selectors {
			idxPath := fldPath.Child(list.name).Index(i)

			if _, ok := seen[selector]; ok {
				allErrs = append(allErrs, field.Duplicate(idxPath, selector))
				continue
			}

			seen[selector] = struct{}{}

			if err := checkSelector(selector); err != nil {
				allErrs = append(allErrs, field.Invalid(idxPath, selector, "must be a PromQL vector selector: "+err.Error()))
			}
		}
	}

	return allErrs
}

func validateGardenEndpoint(garden *config.GardenEndpoint, fldPath *field.Path) field.ErrorList {
	var allErrs field.ErrorList

	allErrs = append(allErrs, validateEndpoint(garden.Endpoint, ptr.Deref(garden.PlainHTTP, false), fldPath.Child("endpoint"))...)

	if garden.CABundle != nil {
		if strings.HasPrefix(garden.Endpoint, schemeHTTP+":") {
			allErrs = append(allErrs, field.Forbidden(fldPath.Child("caBundle"), "must not be set for the scheme http"))
		}

		allErrs = append(allErrs, validateCABundle(*garden.CABundle, fldPath.Child("caBundle"))...)
	}

	namePath := fldPath.Child("tokenSecretRef", "name")
	if garden.TokenSecretRef.Name == "" {
		allErrs = append(allErrs, field.Required(namePath, "must name the Secret with the bearer token"))
	} else {
		for _, msg := range utilvalidation.IsDNS1123Subdomain(garden.TokenSecretRef.Name) {
			allErrs = append(allErrs, field.Invalid(namePath, garden.TokenSecretRef.Name, msg))
		}
	}

	if garden.Instance != nil && strings.TrimSpace(*garden.Instance) == "" {
		allErrs = append(allErrs, field.Invalid(fldPath.Child("instance"), *garden.Instance, "must not be blank"))
	}

	return allErrs
}

// validateEndpoint reveals no credentials that somebody may have written into the URL. Without TLS nothing may leave the cluster, whatever the
// user says: the token could be read, and the garden could be anybody.
func validateEndpoint(endpoint string, plainHTTP bool, fldPath *field.Path) field.ErrorList {
	if endpoint == "" {
		return field.ErrorList{field.Required(fldPath, "must be the URL of the garden's endpoint")}
	}

	u, err := url.Parse(endpoint)
	if err != nil {
		return field.ErrorList{field.Invalid(fldPath, hidden, "must be a URL")}
	}

	var (
		allErrs field.ErrorList
		shown   = u.Scheme + "://" + u.Host
	)

	for _, rule := range []struct {
		violated bool
		message  string
	}{
		{u.Scheme != schemeHTTPS && (u.Scheme != schemeHTTP || !plainHTTP), "must have the scheme https"},
		{u.Scheme == schemeHTTP && plainHTTP && !isServiceHost(u.Hostname()), "must be a Service of the cluster for the scheme http: <name>.<namespace>.svc"},
		{!isHost(u.Hostname()), "must have a valid host name or IP address"},
		{!isPort(u.Host, u.Port()), "must have a valid port, or none"},
		{u.Path != "" || u.Opaque != "", "must not have a path"},
		{u.User != nil, "must not have a user"},
		{u.RawQuery != "" || u.ForceQuery, "must not have a query"},
		{strings.Contains(endpoint, "#"), "must not have a fragment"},
	} {
		if rule.violated {
			allErrs = append(allErrs, field.Invalid(fldPath, shown, rule.message))
		}
	}

	return allErrs
}

func isHost(host string) bool {
	return net.ParseIP(host) != nil || len(utilvalidation.IsDNS1123Subdomain(host)) == 0
}

// isServiceHost tells whether a host is the name of a Service, which DNS resolves within the cluster only.
func isServiceHost(host string) bool {
	parts := strings.Split(host, ".")

	return isHost(host) && (len(parts) == 3 || len(parts) > 3 && strings.HasSuffix(host, ".cluster.local")) && parts[2] == "svc"
}

func isPort(hostPort, port string) bool {
	if port == "" {
		return !strings.HasSuffix(hostPort, ":")
	}

	number, err := strconv.Atoi(port)

	return err == nil && len(utilvalidation.IsValidPortNum(number)) == 0
}

// validateCABundle does not show the content, because it may hold a private key by mistake.
func validateCABundle(bundle string, fldPath *field.Path) field.ErrorList {
	rest := []byte(bundle)
	if strings.TrimSpace(bundle) == "" {
		return field.ErrorList{field.Invalid(fldPath, hidden, "must hold at least one certificate")}
	}

	for number := 1; strings.TrimSpace(string(rest)) != ""; number++ {
		var block *pem.Block

		block, rest = pem.Decode(rest)
		if block == nil {
			return field.ErrorList{field.Invalid(fldPath, hidden, "must consist of PEM blocks only, but what follows block "+strconv.Itoa(number-1)+" is none")}
		}

		if block.Type != "CERTIFICATE" {
			return field.ErrorList{field.Invalid(fldPath, hidden, "must hold certificates only, but block "+strconv.Itoa(number)+" is none")}
		}

		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return field.ErrorList{field.Invalid(fldPath, hidden, "must hold valid certificates, but block "+strconv.Itoa(number)+" cannot be parsed")}
		}
	}

	return nil
}

func validateCompression(compression *config.CompressionConfiguration, fldPath *field.Path) field.ErrorList {
	if !slices.Contains(compressionAlgorithms, compression.Algorithm) {
		return field.ErrorList{field.NotSupported(fldPath.Child("algorithm"), compression.Algorithm, compressionAlgorithms)}
	}

	if compression.Level == nil {
		return nil
	}

	levelPath := fldPath.Child("level")

	switch compression.Algorithm {
	case config.CompressionZstd:
		return validateRange(*compression.Level, 1, 11, levelPath)
	case config.CompressionGzip:
		return validateRange(*compression.Level, 1, 9, levelPath)
	default:
		return field.ErrorList{field.Forbidden(levelPath, "must not be set for the algorithm "+string(compression.Algorithm))}
	}
}

func validateResources(resources *corev1.ResourceRequirements, fldPath *field.Path) field.ErrorList {
	if resources == nil {
		return nil
	}

	var allErrs field.ErrorList

	allErrs = append(allErrs, validateResourceList(resources.Limits, fldPath.Child("limits"))...)
	allErrs = append(allErrs, validateResourceList(resources.Requests, fldPath.Child("requests"))...)

	for _, name := range sortedNames(resources.Requests) {
		request := resources.Requests[name]
		if limit, ok := resources.Limits[name]; ok && request.Cmp(limit) > 0 {
			allErrs = append(allErrs, field.Invalid(fldPath.Child("requests").Key(string(name)), request.String(),
				"must not be more than the limit, which is "+limit.String()))
		}
	}

	if len(resources.Claims) > 0 {
		allErrs = append(allErrs, field.Forbidden(fldPath.Child("claims"), "must not be set"))
	}

	return allErrs
}
