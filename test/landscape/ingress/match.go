// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package ingress

import (
	"fmt"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	istioapinetworkingv1beta1 "istio.io/api/networking/v1beta1"
)

// exportedTo tells if an object in objectNamespace with the given exportTo is visible in namespace.
func exportedTo(exportTo, defaults []string, objectNamespace, namespace string) bool {
	if len(exportTo) == 0 {
		exportTo = defaults
	}
	for _, target := range exportTo {
		switch target {
		case ExportToAll:
			return true
		case ExportToNone:
		case ExportToSame:
			if objectNamespace == namespace {
				return true
			}
		default:
			if target == namespace {
				return true
			}
		}
	}
	return false
}

// splitExportTo reads the value of the annotation networking.istio.io/exportTo.
func splitExportTo(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
}

// selects tells if the selector of a Gateway is a subset of the workload's labels. An empty selector selects everything.
func selects(selector, labels map[string]string) bool {
	for key, value := range selector {
		if actual, ok := labels[key]; !ok || actual != value {
			return false
		}
	}
	return true
}

// hostMatches tells if host (a name or itself a wildcard) is covered by pattern: the same name, `*` or `*.suffix`.
func hostMatches(pattern, host string) bool {
	if pattern == host || pattern == "*" {
		return true
	}
	suffix, ok := strings.CutPrefix(pattern, "*")
	return ok && len(host) > len(suffix) && strings.HasSuffix(host, suffix)
}

// mostSpecific returns the index of the most specific pattern that covers host: a name before the longest wildcard. Of equal
// patterns the first wins. It returns -1 if no pattern covers it.
func mostSpecific(patterns []string, host string) int {
	best := -1
	for i, pattern := range patterns {
		if !hostMatches(pattern, host) {
			continue
		}
		if pattern == host {
			return i
		}
		if best < 0 || len(pattern) > len(patterns[best]) {
			best = i
		}
	}
	return best
}

// intersectHosts returns the more specific of two host patterns if one covers the other.
func intersectHosts(a, b string) (string, bool) {
	switch {
	case hostMatches(a, b):
		return b, true
	case hostMatches(b, a):
		return a, true
	default:
		return "", false
	}
}

// requestHost is the name that a request asks for, without port and trailing dot, as Gardener's gateways see it.
func requestHost(hostPort string) string {
	host := hostPort
	if name, _, err := net.SplitHostPort(hostPort); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

type stringMatcher func(value string) bool

func newStringMatcher(match *istioapinetworkingv1beta1.StringMatch, ignoreCase bool) (stringMatcher, error) {
	fold := func(s string) string {
		if ignoreCase {
			return strings.ToLower(s)
		}
		return s
	}

	switch m := match.GetMatchType().(type) {
	case *istioapinetworkingv1beta1.StringMatch_Exact:
		return func(value string) bool { return fold(value) == fold(m.Exact) }, nil
	case *istioapinetworkingv1beta1.StringMatch_Prefix:
		return func(value string) bool { return strings.HasPrefix(fold(value), fold(m.Prefix)) }, nil
	case *istioapinetworkingv1beta1.StringMatch_Regex:
		expression, err := regexp.Compile("^(?:" + m.Regex + ")$")
		if err != nil {
			return nil, fmt.Errorf("failed to compile regular expression %q: %w", m.Regex, err)
		}
		return expression.MatchString, nil
	default:
		// An empty match asks for presence.
		return func(string) bool { return true }, nil
	}
}

type requestMatcher func(r *http.Request) bool

// newRequestMatcher translates one `match` of a route, of which all conditions must hold.
func newRequestMatcher(match *istioapinetworkingv1beta1.HTTPMatchRequest, gatewayNames []string, port uint32) (requestMatcher, error) {
	if len(match.GetQueryParams()) > 0 || len(match.GetWithoutHeaders()) > 0 || match.GetScheme() != nil {
		return nil, fmt.Errorf("conditions on query parameters, scheme and absent headers are not known to this stand-in for Istio")
	}
	// A gateway is no workload of the mesh: a match on the source never holds.
	foreign := len(match.GetSourceLabels()) > 0 || match.GetSourceNamespace() != "" ||
		(match.GetPort() != 0 && match.GetPort() != port) ||
		(len(match.GetGateways()) > 0 && !slices.ContainsFunc(match.GetGateways(), func(name string) bool { return slices.Contains(gatewayNames, name) }))
	if foreign {
		return func(*http.Request) bool { return false }, nil
	}

	uri, err := newStringMatcher(match.GetUri(), match.GetIgnoreUriCase())
	if err != nil {
		return nil, err
	}
	method, err := newStringMatcher(match.GetMethod(), false)
	if err != nil {
		return nil, err
	}
	authority, err := newStringMatcher(match.GetAuthority(), false)
	if err != nil {
		return nil, err
	}
	headers := make(map[string]stringMatcher, len(match.GetHeaders()))
	for name, header := range match.GetHeaders() {
		if headers[name], err = newStringMatcher(header, false); err != nil {
			return nil, err
		}
	}

	return func(r *http.Request) bool {
		if !uri(r.URL.EscapedPath()) || !method(r.Method) || !authority(r.Host) {
			return false
		}
		for name, matches := range headers {
			values := r.Header.Values(name)
			if len(values) == 0 || !matches(strings.Join(values, ",")) {
				return false
			}
		}
		return true
	}, nil
}
