// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package validation

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// metricNameLabel is the label that holds the name of a metric.
const metricNameLabel = "__name__"

var (
	metricNamePattern = regexp.MustCompile(`^[a-zA-Z_:][a-zA-Z0-9_:]*`)
	labelNamePattern  = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*`)
	operatorPattern   = regexp.MustCompile(`^(=~|!~|!=|=)`)

	// reservedWords are the words that PromQL does not take for the name of a metric.
	reservedWords = []string{"atan2", "bool", "group_left", "group_right", "ignoring", "inf", "nan", "on"}
)

// checkSelector tells why the text is no PromQL vector selector. It knows the grammar of selectors (names, matchers, quoted
// names, strings) but no other PromQL, so that whoever writes an expression, a range or an offset is told so here rather than by
// a failing scrape. It refuses some texts that /federate would take: comments, two names for one metric, and selectors without
// a name or a matcher that excludes the empty string, because those federate nearly every series.
func checkSelector(text string) error {
	if !utf8.ValidString(text) {
		return errors.New("it is no valid UTF-8")
	}

	p := &selectorParser{rest: text}
	p.skipSpace()

	if p.rest == "" {
		return errors.New("it is empty")
	}

	if name := p.take(metricNamePattern); name != "" {
		if slices.Contains(reservedWords, strings.ToLower(name)) {
			return fmt.Errorf("%q is a reserved word, write {%s=%q} instead", name, metricNameLabel, name)
		}

		p.name, p.selective = name, true
	}

	p.skipSpace()

	if strings.HasPrefix(p.rest, "{") {
		if err := p.matchers(); err != nil {
			return err
		}

		p.skipSpace()
	}

	if p.rest != "" {
		return fmt.Errorf("unexpected %q", p.rest)
	}

	if !p.selective {
		return errors.New("at least one matcher must not match the empty string")
	}

	return nil
}

type selectorParser struct {
	// rest is what has not been read yet.
	rest string
	// name is the name of the metric if it is set outside of a matcher.
	name string
	// selective tells whether a name or a matcher that does not match the empty string has been read.
	selective bool
}

// matchers reads the matchers including the braces.
func (p *selectorParser) matchers() error {
	p.rest = p.rest[1:]

	for {
		p.skipSpace()

		if p.skip("}") {
			return nil
		}

		if err := p.matcher(); err != nil {
			return err
		}

		p.skipSpace()

		if p.skip(",") || strings.HasPrefix(p.rest, "}") {
			continue
		}

		if p.rest == "" {
			return errors.New("the closing brace is missing")
		}

		return fmt.Errorf("expected a comma or the closing brace before %q", p.rest)
	}
}

// matcher reads `label="value"`, `"label"="value"` or `"metric name"`.
func (p *selectorParser) matcher() error {
	label, quoted, err := p.labelName()
	if err != nil {
		return err
	}

	p.skipSpace()

	operator := p.take(operatorPattern)
	if operator == "" {
		if quoted {
			return p.setName(label)
		}

		return fmt.Errorf("an operator (=, !=, =~, !~) is missing after the label %q", label)
	}

	if label == metricNameLabel && p.name != "" {
		return errors.New("the name of the metric must not be set twice")
	}

	p.skipSpace()

	value, err := p.quoted()
	if err != nil {
		return fmt.Errorf("the value of the label %q is no string: %w", label, err)
	}

	matchesEmpty, err := matchesEmpty(operator, value)
	if err != nil {
		return fmt.Errorf("the value of the label %q is no regular expression: %w", label, err)
	}

	p.selective = p.selective || !matchesEmpty

	return nil
}

func (p *selectorParser) labelName() (string, bool, error) {
	if name := p.take(labelNamePattern); name != "" {
		return name, false, nil
	}

	if p.rest == "" {
		return "", false, errors.New("the closing brace is missing")
	}

	name, err := p.quoted()
	if err != nil {
		return "", false, fmt.Errorf("expected a label before %q: %w", p.rest, err)
	}

	if name == "" {
		return "", false, errors.New("a name must not be empty")
	}

	return name, true, nil
}

func (p *selectorParser) setName(name string) error {
	if p.name != "" {
		return errors.New("the name of the metric must not be set twice")
	}

	p.name, p.selective = name, true

	return nil
}

// quoted reads a string in double, single or back quotes.
func (p *selectorParser) quoted() (string, error) {
	if p.rest == "" || !strings.ContainsRune("\"'`", rune(p.rest[0])) {
		return "", errors.New("quotes are missing")
	}

	quote, rest := p.rest[0], p.rest[1:]

	if quote == '`' {
		value, after, ok := strings.Cut(rest, "`")
		if !ok {
			return "", errors.New("the closing quote is missing")
		}

		p.rest = after

		return value, nil
	}

	var value strings.Builder

	for rest != "" && rest[0] != quote {
		if rest[0] == '\n' {
			return "", errors.New("the closing quote is missing on the line")
		}

		char, multibyte, tail, err := strconv.UnquoteChar(rest, quote)
		if err != nil {
			return "", errors.New("an escape sequence is invalid")
		}

		if char < utf8.RuneSelf || !multibyte {
			value.WriteByte(byte(char)) // #nosec G115 -- At most 255, as for strconv.Unquote.
		} else {
			value.WriteRune(char)
		}

		rest = tail
	}

	if rest == "" {
		return "", errors.New("the closing quote is missing")
	}

	p.rest = rest[1:]

	return value.String(), nil
}

func (p *selectorParser) skipSpace() {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
}

func (p *selectorParser) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(p.rest, prefix)
	p.rest = rest

	return ok
}

func (p *selectorParser) take(pattern *regexp.Regexp) string {
	found := pattern.FindString(p.rest)
	p.rest = p.rest[len(found):]

	return found
}

// matchesEmpty tells whether a series without the label matches.
func matchesEmpty(operator, value string) (bool, error) {
	switch operator {
	case "=":
		return value == "", nil
	case "!=":
		return value != "", nil
	}

	// On its own first, because the parentheses around it could complete an expression that is wrong by itself.
	if _, err := regexp.Compile(value); err != nil {
		return false, err
	}

	pattern, err := regexp.Compile("^(?s:" + value + ")$")
	if err != nil {
		return false, err
	}

	return pattern.MatchString("") == (operator == "=~"), nil
}
