// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package dashboard renders the dashboards of this extension for Gardener's Plutono.
package dashboard

import (
	"encoding/json"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// schemaVersion is that of the other dashboards of Gardener's Plutono.
	schemaVersion = 27

	columns     = 2
	totalWidth  = 24
	panelHeight = 8
	panelWidth  = totalWidth / columns

	fileSuffix = "-dashboard.json"
)

// Dashboard is a dashboard with panels in two columns.
type Dashboard struct {
	// Name is the name of the dashboard in addresses, and of its ConfigMap.
	Name string
	// Title is what readers see.
	Title string
	// DataSource is the Prometheus that the panels ask.
	DataSource string
	// Panels are the panels, row by row.
	Panels []Panel
}

// Panel is a graph.
type Panel struct {
	// Title is what the panel shows.
	Title string
	// Description says how to read it.
	Description string
	// Unit is the unit of the values, by Plutono's name of it.
	Unit string
	// DataSource is the Prometheus that the panel asks. It is set in what Read returns only.
	DataSource string
	// Queries are what it shows.
	Queries []Query
}

// Query is a query of a panel.
type Query struct {
	// Expr is the PromQL expression. It has no variables.
	Expr string
	// Legend is the template of the names of its series.
	Legend string
}

// The JSON model of Plutono, as far as it is used.
type (
	model struct {
		UID           string       `json:"uid"`
		Title         string       `json:"title"`
		Tags          []string     `json:"tags"`
		SchemaVersion int          `json:"schemaVersion"`
		Editable      bool         `json:"editable"`
		GraphTooltip  int          `json:"graphTooltip"`
		Refresh       string       `json:"refresh"`
		Timezone      string       `json:"timezone"`
		Time          timeRange    `json:"time"`
		Panels        []panelModel `json:"panels"`
	}
	timeRange struct {
		From string `json:"from"`
		To   string `json:"to"`
	}
	panelModel struct {
		ID            int           `json:"id"`
		Type          string        `json:"type"`
		Title         string        `json:"title"`
		Description   string        `json:"description"`
		DataSource    string        `json:"datasource"`
		GridPos       gridPosition  `json:"gridPos"`
		Lines         bool          `json:"lines"`
		LineWidth     int           `json:"linewidth"`
		NullPointMode string        `json:"nullPointMode"`
		Renderer      string        `json:"renderer"`
		Legend        legendModel   `json:"legend"`
		Tooltip       tooltipModel  `json:"tooltip"`
		XAxis         axisModel     `json:"xaxis"`
		YAxes         []axisModel   `json:"yaxes"`
		Targets       []targetModel `json:"targets"`
	}
	gridPosition struct {
		H int `json:"h"`
		W int `json:"w"`
		X int `json:"x"`
		Y int `json:"y"`
	}
	legendModel struct {
		Show bool `json:"show"`
	}
	tooltipModel struct {
		Shared    bool   `json:"shared"`
		Sort      int    `json:"sort"`
		ValueType string `json:"value_type"`
	}
	axisModel struct {
		Format string `json:"format,omitempty"`
		Mode   string `json:"mode,omitempty"`
		Show   bool   `json:"show"`
	}
	targetModel struct {
		RefID        string `json:"refId"`
		Expr         string `json:"expr"`
		LegendFormat string `json:"legendFormat"`
	}
)

// ConfigMap returns the ConfigMap of a dashboard. Its labels must name the Plutonos that are to show it.
func (d Dashboard) ConfigMap(namespace string, labels map[string]string) (*corev1.ConfigMap, error) {
	out := model{
		UID: d.Name, Title: d.Title, Tags: []string{"otel-federation"}, SchemaVersion: schemaVersion, GraphTooltip: 1,
		Refresh: "1m", Timezone: "utc", Time: timeRange{From: "now-6h", To: "now"},
	}
	for i, panel := range d.Panels {
		p := panelModel{
			ID: i + 1, Type: "graph", Title: panel.Title, Description: panel.Description, DataSource: d.DataSource,
			GridPos: gridPosition{H: panelHeight, W: panelWidth, X: i % columns * panelWidth, Y: i / columns * panelHeight},
			Lines:   true, LineWidth: 1, NullPointMode: "null", Renderer: "flot",
			Legend: legendModel{Show: true}, Tooltip: tooltipModel{Shared: true, Sort: 2, ValueType: "individual"},
			XAxis: axisModel{Mode: "time", Show: true}, YAxes: []axisModel{{Format: panel.Unit, Show: true}, {Format: panel.Unit}},
		}
		for j, query := range panel.Queries {
			p.Targets = append(p.Targets, targetModel{RefID: string(rune('A' + j)), Expr: query.Expr, LegendFormat: query.Legend})
		}
		out.Panels = append(out.Panels, p)
	}

	data, err := json.Marshal(out)
	if err != nil {
		return nil, fmt.Errorf("failed to marshal dashboard %s: %w", d.Name, err)
	}
	return &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: d.Name + "-dashboard", Namespace: namespace, Labels: labels},
		Data:       map[string]string{d.Name + fileSuffix: string(data)},
	}, nil
}

// Read returns the panels of the dashboards in a ConfigMap.
func Read(configMap *corev1.ConfigMap) ([]Panel, error) {
	var panels []Panel
	for file, data := range configMap.Data {
		if !strings.HasSuffix(file, fileSuffix) {
			continue
		}
		in := model{}
		if err := json.Unmarshal([]byte(data), &in); err != nil {
			return nil, fmt.Errorf("%s in ConfigMap %s/%s is no dashboard: %w", file, configMap.Namespace, configMap.Name, err)
		}
		for _, p := range in.Panels {
			panel := Panel{Title: p.Title, Description: p.Description, DataSource: p.DataSource}
			if len(p.YAxes) > 0 {
				panel.Unit = p.YAxes[0].Format
			}
			for _, target := range p.Targets {
				panel.Queries = append(panel.Queries, Query{Expr: target.Expr, Legend: target.LegendFormat})
			}
			panels = append(panels, panel)
		}
	}
	return panels, nil
}
