// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package parity

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	equal      = "="
	matches    = "=~"
	matchesNot = "!~"
)

var (
	metricNamePattern = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	labelNamePattern  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*`)
	operatorPattern   = regexp.MustCompile(`^(=~|!~|!=|=)`)
)

// matcher is a matcher of a PromQL vector selector.
type matcher struct {
	label, operator, value string
}

// prefixedSelector returns a selector of the same series, but with a prefix before their names. It selects nothing without the prefix.
//
// Each selector is asked for by such a selector of its own. To ask for all names with the prefix once, and to find out which selectors
// match, would take as much understanding of selectors, and would hold the answer of all series in memory instead of one selector's: for
// 140,000 series, BenchmarkCompare takes 580 MB by one answer, and 370 MB by 14.
func prefixedSelector(text, prefix string) (string, error) {
	matchers, err := parseSelector(text)
	if err != nil {
		return "", err
	}
	demanded := false
	for i := range matchers {
		m := &matchers[i]
		if m.label != labelName {
			continue
		}
		if m.operator == matches || m.operator == matchesNot {
			// Prometheus anchors regular expressions. The parentheses keep alternatives and flags to themselves.
			m.value = regexp.QuoteMeta(prefix) + "(?:" + m.value + ")"
		} else {
			m.value = prefix + m.value
		}
		demanded = demanded || m.operator == equal || m.operator == matches
	}
	if !demanded {
		matchers = append(matchers, matcher{labelName, matches, anyName(prefix)})
	}
	return formatSelector(matchers), nil
}

// selectorWithout returns a selector of the same series, but without those whose names have a prefix.
func selectorWithout(text, prefix string) (string, error) {
	matchers, err := parseSelector(text)
	if err != nil {
		return "", err
	}
	return formatSelector(append(matchers, matcher{labelName, matchesNot, anyName(prefix)})), nil
}

// anyName is a regular expression of all names with a prefix.
func anyName(prefix string) string { return regexp.QuoteMeta(prefix) + ".*" }

// formatSelector writes the name as a matcher like the others, because only so a selector may have several matchers on it.
func formatSelector(matchers []matcher) string {
	var all []string
	for _, m := range matchers {
		all = append(all, quoteName(m.label)+m.operator+strconv.Quote(m.value))
	}
	return "{" + strings.Join(all, ",") + "}"
}

// parseSelector reads a PromQL vector selector. It knows names, matchers, quoted names and strings, but no other PromQL, so it refuses
// expressions, ranges, offsets and comments.
func parseSelector(text string) ([]matcher, error) {
	p := &selectorParser{rest: text}
	var matchers []matcher
	p.skipSpace()
	name := p.take(metricNamePattern)
	if name != "" {
		matchers = append(matchers, matcher{labelName, equal, name})
	}
	if p.skip("{") {
		for !p.skip("}") {
			m, err := p.matcher()
			if err != nil {
				return nil, err
			}
			if name != "" && m.label == labelName {
				return nil, errors.New("the name is given twice, before the braces and in them")
			}
			matchers = append(matchers, m)
			if !p.skip(",") && !strings.HasPrefix(p.rest, "}") {
				return nil, p.expected("a comma or the closing brace")
			}
		}
	}
	if p.rest != "" {
		return nil, p.expected("nothing more")
	}
	if len(matchers) == 0 {
		return nil, errors.New("it has neither a name nor a matcher")
	}
	return matchers, nil
}

type selectorParser struct {
	// rest is what has not been read yet. It does not begin with white space.
	rest string
}

// matcher reads a label with its operator and value, or a quoted name.
func (p *selectorParser) matcher() (matcher, error) {
	m := matcher{label: p.take(labelNamePattern)}
	if m.label == "" {
		quoted, err := p.quoted("a label")
		if err != nil {
			return m, err
		}
		if strings.HasPrefix(p.rest, ",") || strings.HasPrefix(p.rest, "}") {
			return matcher{labelName, equal, quoted}, nil
		}
		m.label = quoted
	}
	if m.operator = p.take(operatorPattern); m.operator == "" {
		return m, p.expected("an operator")
	}
	var err error
	if m.value, err = p.quoted("a value in quotes"); err != nil {
		return m, err
	}
	if m.label == labelName && (m.operator == matches || m.operator == matchesNot) {
		if err := checkPrefixable(m.value); err != nil {
			return m, fmt.Errorf("the regular expression of its name cannot be used behind a prefix: %w", err)
		}
	}
	return m, nil
}

// checkPrefixable says why a regular expression would not match the same names behind a prefix.
func checkPrefixable(expression string) error {
	// On its own first, because parentheses may complete it, like a)|(?:b. They may as well make it wrong, like \Qa.
	if _, err := syntax.Parse(expression, syntax.Perl); err != nil {
		return err
	}
	parsed, err := syntax.Parse("(?:"+expression+")", syntax.Perl)
	if err != nil {
		return err
	}
	if looksBack(parsed) {
		return errors.New(`^, \A, \b and \B look at what is before them: leave them out, Prometheus anchors all regular expressions`)
	}
	return nil
}

// looksBack says whether a regular expression depends on what is before the text that it matches.
func looksBack(expression *syntax.Regexp) bool {
	assertions := []syntax.Op{syntax.OpBeginLine, syntax.OpBeginText, syntax.OpWordBoundary, syntax.OpNoWordBoundary}
	return slices.Contains(assertions, expression.Op) || slices.ContainsFunc(expression.Sub, looksBack)
}

// quoted reads a string in double, single or back quotes.
func (p *selectorParser) quoted(what string) (string, error) {
	if p.rest == "" || !strings.ContainsRune("\"'`", rune(p.rest[0])) {
		return "", p.expected(what)
	}
	quote, rest := p.rest[0], p.rest[1:]
	var value []byte
	for rest != "" && rest[0] != quote {
		if quote == '`' {
			value, rest = append(value, rest[0]), rest[1:]
			continue
		}
		char, multibyte, tail, err := strconv.UnquoteChar(rest, quote)
		if err != nil || rest[0] == '\n' {
			return "", p.expected("a valid string")
		}
		if char < utf8.RuneSelf || !multibyte {
			value = append(value, byte(char)) // #nosec G115 -- At most 255, as for strconv.Unquote.
		} else {
			value = utf8.AppendRune(value, char)
		}
		rest = tail
	}
	if rest == "" {
		return "", p.expected("a valid string")
	}
	p.rest = rest[1:]
	p.skipSpace()
	return string(value), nil
}

func (p *selectorParser) take(pattern *regexp.Regexp) string {
	found := pattern.FindString(p.rest)
	p.rest = p.rest[len(found):]
	p.skipSpace()
	return found
}

func (p *selectorParser) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest
	p.skipSpace()
	return ok
}

func (p *selectorParser) skipSpace() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *selectorParser) expected(what string) error {
	if p.rest == "" {
		return fmt.Errorf("expected %s at its end", what)
	}
	return fmt.Errorf("expected %s at %q", what, p.rest)
}
