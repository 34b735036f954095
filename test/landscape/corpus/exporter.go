// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"bytes"
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
}

var _ http.Handler = (*Exporter)(nil)

// NewExporter returns an exporter of the corpus with the given options.
func NewExporter(options Options, passiveClock clock.PassiveClock) (*Exporter, error) {
	families, err := Families(options)
	if err != nil {
		return nil, err
	}

	e := &Exporter{clock: passiveClock, started: passiveClock.Now(), rising: options.Changing}
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
		return nil, err
	}
	e.escaped = e.utf8
	if options.UTF8Names {
		if e.escaped, err = render(constant, 0, model.UnderscoreEscaping); err != nil {
			return nil, err
		}
	}
	return e, nil
}

// Series is the number of series which federation selects.
func (e *Exporter) Series() int { return e.series }

// ServeHTTP answers a scrape.
func (e *Exporter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	contentType, constant := contentTypeText, e.escaped
	if strings.Contains(strings.Join(r.Header.Values("Accept"), ","), escapingUTF8) {
		contentType, constant = contentTypeTextUTF8, e.utf8
	}

	added := 0.0
	if e.rising {
		added = float64(int64(e.clock.Since(e.started) / time.Second))
	}
	changing, err := render(e.changing, added, model.NoEscaping)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}

	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(len(constant)+len(changing)))
	if _, err := w.Write(constant); err == nil {
		_, _ = w.Write(changing)
	}
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
		value := series.Value + added
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
