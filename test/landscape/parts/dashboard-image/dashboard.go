// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// dashboard is what is drawn of a dashboard of Plutono.
type dashboard struct {
	Title  string  `json:"title"`
	Panels []panel `json:"panels"`
}

type panel struct {
	Type    string  `json:"type"`
	Title   string  `json:"title"`
	Axes    []axis  `json:"yaxes"`
	Targets []query `json:"targets"`
}

type axis struct {
	Format string `json:"format"`
}

type query struct {
	Expr   string `json:"expr"`
	Legend string `json:"legendFormat"`
}

var (
	variable    = regexp.MustCompile(`\$\{?[A-Za-z_]\w*|\[\[\w+`)
	placeholder = regexp.MustCompile(`{{\s*(.+?)\s*}}`)
)

// readDashboard returns a dashboard with those of its panels that can be drawn, and says why others cannot.
func readDashboard(in io.Reader) (*dashboard, []string, error) {
	d := &dashboard{}
	if err := json.NewDecoder(in).Decode(d); err != nil {
		return nil, nil, fmt.Errorf("this is no dashboard of Plutono: %w", err)
	}

	var panels []panel
	var skipped []string
	for _, p := range d.Panels {
		switch {
		case p.Type == "row":
		case p.Type != "graph":
			skipped = append(skipped, fmt.Sprintf("%s (panels of type %q are not drawn)", p.Title, p.Type))
		case len(p.Targets) == 0:
			skipped = append(skipped, p.Title+" (it has no queries)")
		default:
			if err := p.checkVariables(); err != nil {
				return nil, nil, err
			}
			panels = append(panels, p)
		}
	}
	if len(panels) == 0 {
		return nil, nil, errors.New("the dashboard has no panel that can be drawn")
	}
	d.Panels = panels
	return d, skipped, nil
}

// checkVariables returns an error for a variable of Plutono. The dashboards of this extension have none, as their rates know the interval at
// which the collectors are scraped.
func (p panel) checkVariables() error {
	for _, q := range p.Targets {
		if name := variable.FindString(q.Expr); name != "" {
			return fmt.Errorf("panel %q: query %q has the variable %s, but variables of Plutono are not supported", p.Title, q.Expr, strings.Trim(name, "${["))
		}
	}
	return nil
}

func (p panel) unit() string {
	if len(p.Axes) == 0 {
		return ""
	}
	return p.Axes[0].Format
}

// showsRate says whether the panel has nothing to show before there are two scrapes.
func (p panel) showsRate() bool {
	for _, q := range p.Targets {
		if strings.Contains(q.Expr, "rate(") {
			return true
		}
	}
	return false
}

// name returns the name of a series as Plutono shows it.
func (q query) name(labels map[string]string, metric string) string {
	if q.Legend == "" {
		return metric
	}
	return placeholder.ReplaceAllStringFunc(q.Legend, func(match string) string {
		label := placeholder.FindStringSubmatch(match)[1]
		if value := labels[label]; value != "" {
			return value
		}
		return label
	})
}
