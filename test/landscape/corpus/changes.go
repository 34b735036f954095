// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
)

// Changes change what is exposed while an exporter runs.
type Changes struct {
	// Hide are the series that are not exposed, neither those that are there by default nor those of an incident.
	Hide []Matcher `json:"hide,omitempty"`
	// Incidents are the names of the incidents whose series are exposed, too.
	Incidents []string `json:"incidents,omitempty"`
}

// Matcher is a set of labels and their values, __name__ among them, all of which a series must have. As in Prometheus, a series
// without a label has it with an empty value. Names are those in UTF-8, no matter how a scraper wants them escaped. An empty
// matcher matches all series.
type Matcher map[string]string

// ReadChanges reads changes from a file. Without a file there are none.
func ReadChanges(path string) (Changes, error) {
	content, err := os.ReadFile(path) // #nosec G304 -- The file is the one that was asked for.
	if errors.Is(err, fs.ErrNotExist) {
		return Changes{}, nil
	}
	if err != nil {
		return Changes{}, fmt.Errorf("failed to read the changes of the corpus, make %s a readable file or remove it: %w", path, err)
	}

	var changes Changes
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	err = decoder.Decode(&changes)
	if err == nil {
		if _, next := decoder.Token(); !errors.Is(next, io.EOF) {
			err = errors.New("there is more than one JSON value")
		}
	}
	if err != nil {
		return Changes{}, fmt.Errorf(`failed to decode the changes of the corpus, let %s contain {"hide":[{"label":"value"}],"incidents":["name"]} or remove it: %w`, path, err)
	}
	return changes, nil
}

// Write replaces the file as a whole, so that no scrape sees a part of it.
func (c Changes) Write(path string) error {
	content, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("failed to encode the changes of the corpus: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("failed to write the changes of the corpus to %s, its directory must exist and be writable: %w", path, err)
	}
	_, err = temporary.Write(content)
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("failed to write the changes of the corpus to %s, it must be replaceable: %w", path, errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}

// none tells if there is nothing to change.
func (c Changes) none() bool { return len(c.Hide) == 0 && len(c.Incidents) == 0 }

// apply returns the families with the given incidents' series, and without the hidden ones.
func (c Changes) apply(families []Family, incidents map[string][]Family) ([]Family, error) {
	for _, name := range c.Incidents {
		if _, known := incidents[name]; known {
			continue
		}
		if len(incidents) == 0 {
			return nil, fmt.Errorf("unknown incident %q, remove it: this exporter has no incidents", name)
		}
		return nil, fmt.Errorf("unknown incident %q, the known ones are: %s", name, strings.Join(slices.Sorted(maps.Keys(incidents)), ", "))
	}
	for _, name := range slices.Sorted(maps.Keys(incidents)) {
		if slices.Contains(c.Incidents, name) {
			families = slices.Concat(families, incidents[name])
		}
	}

	var changed []Family
	for _, family := range families {
		// Incidents are shared by all scrapes, hence this must not be done in place.
		all := family.Series
		family.Series = nil
		for _, series := range all {
			if !c.hides(family.Name, series) {
				family.Series = append(family.Series, series)
			}
		}
		if len(family.Series) > 0 {
			changed = append(changed, family)
		}
	}
	return changed, nil
}

func (c Changes) hides(name string, series Series) bool {
	return slices.ContainsFunc(c.Hide, func(matcher Matcher) bool { return matcher.matches(name, series) })
}

func (m Matcher) matches(name string, series Series) bool {
	for label, value := range m {
		actual := name
		if label != model.MetricNameLabel {
			actual = series.value(label)
		}
		if actual != value {
			return false
		}
	}
	return true
}
