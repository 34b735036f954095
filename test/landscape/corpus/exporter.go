// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/utils/clock"
)

const (
	escapingUTF8        = "escaping=" + model.AllowUTF8
	contentTypeText     = "text/plain; version=0.0.4; charset=utf-8"
	contentTypeTextUTF8 = "text/plain; version=1.0.0; charset=utf-8; " + escapingUTF8
)

// Exporter offers a corpus under the path /metrics.
type Exporter struct {
	clock   clock.PassiveClock
	started time.Time
	rising  bool
	// escaped and utf8 are rendered once, for scrapers that do not and do understand names in UTF-8. Without such names they
	// are the same.
	escaped, utf8 []byte
	// changing are the families that are rendered for each request.
	changing []Family
	series   int

	changesFile string
	// generate returns all families. They are not kept, because they take much more memory than what is rendered of them.
	generate func() ([]Family, error)
	// incidents are the families that changes can add.
	incidents map[string][]Family
}

var _ http.Handler = (*Exporter)(nil)

// NewExporter returns an exporter of the corpus with the given options.
func NewExporter(options Options, passiveClock clock.PassiveClock) (*Exporter, error) {
	e := &Exporter{
		clock:     passiveClock,
		started:   passiveClock.Now(),
		rising:    options.Changing,
		generate:  func() ([]Family, error) { return Families(options) },
		incidents: incidentFamilies(withDefaults(options).Seed),
	}
	if err := e.render(options.UTF8Names); err != nil {
		return nil, err
	}
	return e, nil
}

// NewGardenExporter returns an exporter of the garden's families for the given seeds.
func NewGardenExporter(seeds []string, passiveClock clock.PassiveClock) (*Exporter, error) {
	if len(seeds) == 0 {
		return nil, errors.New("the garden's exporter has no seed, name at least one")
	}
	for i, seed := range seeds {
		if seed == "" || slices.Contains(seeds[:i], seed) {
			return nil, fmt.Errorf("the garden's exporter cannot have seeds %q, name each seed once, and none without a name", seeds)
		}
	}

	e := &Exporter{
		clock:    passiveClock,
		started:  passiveClock.Now(),
		generate: func() ([]Family, error) { return GardenFamilies(seeds), nil },
	}
	if err := e.render(false); err != nil {
		return nil, err
	}
	e.series = countSeries(GardenFamilies(seeds))
	return e, nil
}

// render prepares what is exposed without changes.
func (e *Exporter) render(utf8Names bool) error {
	families, err := e.generate()
	if err != nil {
		return err
	}
	var constant []Family
	for _, family := range families {
		if family.Selected {
			e.series += len(family.Series)
		}
		if family.Rising {
			e.changing = append(e.changing, family)
		} else {
			constant = append(constant, family)
		}
	}

	constant = merge(constant)
	if e.utf8, err = render(constant, 0, model.NoEscaping); err != nil {
		return err
	}
	e.escaped = e.utf8
	if utf8Names {
		e.escaped, err = render(constant, 0, model.UnderscoreEscaping)
	}
	return err
}

// FollowChanges makes the exporter read changes from a file for each scrape. It must be called before the first one.
func (e *Exporter) FollowChanges(path string) { e.changesFile = path }

// Series is the number of series which federation selects, for the garden's exporter that of all series.
func (e *Exporter) Series() int { return e.series }

// ServeHTTP answers a scrape.
func (e *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	contentType, escaping := contentTypeText, model.UnderscoreEscaping
	if strings.Contains(strings.Join(r.Header.Values("Accept"), ","), escapingUTF8) {
		contentType, escaping = contentTypeTextUTF8, model.NoEscaping
	}

	parts, err := e.scrape(escaping)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}

	length := 0
	for _, part := range parts {
		length += len(part)
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(length))
	for _, part := range parts {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

// scrape returns the parts of what is exposed.
func (e *Exporter) scrape(escaping model.EscapingScheme) ([][]byte, error) {
	added := 0.0
	if e.rising {
		added = float64(int64(e.clock.Since(e.started) / time.Second))
	}

	var changes Changes
	if e.changesFile != "" {
		var err error
		if changes, err = ReadChanges(e.changesFile); err != nil {
			return nil, err
		}
	}
	if changes.none() {
		constant := e.escaped
		if escaping == model.NoEscaping {
			constant = e.utf8
		}
		changing, err := render(e.changing, added, escaping)
		return [][]byte{constant, changing}, err
	}

	families, err := e.generate()
	if err != nil {
		return nil, err
	}
	if families, err = changes.apply(families, e.incidents); err != nil {
		return nil, fmt.Errorf("failed to apply the changes of the corpus in %s: %w", e.changesFile, err)
	}
	text, err := render(merge(families), added, escaping)
	return [][]byte{text}, err
}

// merge joins families of the same name, as the format wants it.
func merge(families []Family) []Family {
	var merged []Family
	for _, family := range families {
		if i := slices.IndexFunc(merged, func(other Family) bool { return other.Name == family.Name }); i >= 0 {
			merged[i].Series = slices.Concat(merged[i].Series, family.Series)
			continue
		}
		merged = append(merged, family)
	}
	return merged
}

// render returns the families as text. Values of rising ones are higher by what is added.
func render(families []Family, added float64, escaping model.EscapingScheme) ([]byte, error) {
	var buffer bytes.Buffer
	for _, family := range families {
		if err := renderFamily(&buffer, family, added, escaping); err != nil {
			return nil, err
		}
	}
	return buffer.Bytes(), nil
}

func renderFamily(w io.Writer, family Family, added float64, escaping model.EscapingScheme) error {
	message := &dto.MetricFamily{Name: new(family.Name), Help: new("Corpus of the local landscape."), Type: new(family.Type)}
	for _, series := range family.Series {
		metric := &dto.Metric{}
		for _, label := range series.Labels {
			metric.Label = append(metric.Label, &dto.LabelPair{Name: new(label.Name), Value: new(label.Value)})
		}
		value := series.Value
		if family.Rising {
			value += added
		}
		switch family.Type {
		case dto.MetricType_GAUGE:
			metric.Gauge = &dto.Gauge{Value: &value}
		case dto.MetricType_COUNTER:
			metric.Counter = &dto.Counter{Value: &value}
		default:
			metric.Untyped = &dto.Untyped{Value: &value}
		}
		message.Metric = append(message.Metric, metric)
	}

	if _, err := expfmt.MetricFamilyToText(w, model.EscapeMetricFamily(message, escaping)); err != nil {
		return fmt.Errorf("failed to render family %s: %w", family.Name, err)
	}
	return nil
}
