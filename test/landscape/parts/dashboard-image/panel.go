// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"image/color"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sizes in pixels.
const (
	padding       = 14
	titleHeight   = 44
	plotHeight    = 180
	entryHeight   = 24
	entryDistance = 20
	swatchWidth   = 26
	labelWidth    = 76
	lineWidth     = 2

	// maxSeries is how many lines a graph has at most.
	maxSeries = 8
)

// palette are colours that can be told apart on white. Red is the last one, because it looks like an error.
var palette = []color.Color{
	color.RGBA{R: 0x2f, G: 0x6d, B: 0xb3, A: 0xff}, // blue
	color.RGBA{R: 0xee, G: 0x85, B: 0x1c, A: 0xff}, // orange
	color.RGBA{R: 0x3f, G: 0x99, B: 0x4b, A: 0xff}, // green
	color.RGBA{R: 0x8a, G: 0x5f, B: 0xb8, A: 0xff}, // purple
	color.RGBA{R: 0x2a, G: 0xa5, B: 0xa8, A: 0xff}, // teal
	color.RGBA{R: 0xc7, G: 0x5d, B: 0x9c, A: 0xff}, // pink
	color.RGBA{R: 0x8c, G: 0x60, B: 0x46, A: 0xff}, // brown
	color.RGBA{R: 0xcf, G: 0x3c, B: 0x3f, A: 0xff}, // red
}

// colors are the colours of names, which are the same in all graphs, as far as no graph has two names of one colour.
type colors map[string]int

func (c colors) of(all []series) []color.Color {
	used := map[int]bool{}
	result := make([]color.Color, len(all))
	for i, s := range all {
		index, known := c[s.name]
		if !known {
			index = len(c) % len(palette)
		}
		for used[index] && len(used) < len(palette) {
			index = (index + 1) % len(palette)
		}
		if !known {
			c[s.name] = index
		}
		used[index] = true
		result[i] = palette[index]
	}
	return result
}

// graphPanel is a graph with all that is needed to draw it.
type graphPanel struct {
	graph

	colors []color.Color
	legend [][]entry
}

// entry is an entry of the legend. It has no colour if it stands for series that are not drawn.
type entry struct {
	text  string
	color color.Color
	left  vg.Length
}

func newGraphPanel(g graph, c colors) graphPanel {
	hidden := max(0, len(g.series)-maxSeries)
	g.series = g.series[:len(g.series)-hidden]
	p := graphPanel{graph: g, colors: c.of(g.series)}

	left := vg.Length(panelWidth)
	add := func(e entry) {
		width := swatchWidth + legendStyle().Width(e.text)
		if left+width > panelWidth-2*padding {
			p.legend, left = append(p.legend, nil), 0
		}
		e.left = left
		p.legend[len(p.legend)-1] = append(p.legend[len(p.legend)-1], e)
		left += width + entryDistance
	}
	for i, s := range g.series {
		add(entry{text: s.name, color: p.colors[i]})
	}
	if hidden > 0 {
		add(entry{text: fmt.Sprintf("and %d more", hidden)})
	}
	return p
}

func legendStyle() text.Style { return textStyle(16, dark, stdfont.WeightNormal) }

func (p graphPanel) height() vg.Length {
	return titleHeight + plotHeight + vg.Length(len(p.legend))*entryHeight + 1.5*padding
}

// draw fills a canvas that is at least as high as the panel has to be.
func (p graphPanel) draw(c draw.Canvas, start, end float64) error {
	c.StrokeLines(draw.LineStyle{Color: frame, Width: 1}, []vg.Point{
		c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}, c.Min,
	})
	c.FillText(textStyle(19, dark, stdfont.WeightBold), vg.Point{X: c.Min.X + padding, Y: c.Max.Y - titleHeight + 14}, p.Title)

	lines, err := p.plot(start, end)
	if err != nil {
		return err
	}
	left := vg.Length(labelWidth)
	for _, tick := range lines.Y.Tick.Marker.Ticks(lines.Y.Min, lines.Y.Max) {
		left = min(left, labelWidth-lines.Y.Tick.Label.Width(tick.Label))
	}
	legendTop := padding*0.8 + vg.Length(len(p.legend))*entryHeight
	// Axes begin at the same place in all panels.
	lines.Draw(draw.Crop(c, padding+max(0, left), -padding, legendTop+padding, -titleHeight))

	for i, line := range p.legend {
		y := c.Min.Y + legendTop - vg.Length(i+1)*entryHeight
		for _, e := range line {
			x := c.Min.X + padding + e.left
			if e.color != nil {
				c.StrokeLine2(draw.LineStyle{Color: e.color, Width: 4}, x, y+8, x+swatchWidth-8, y+8)
			}
			c.FillText(legendStyle(), vg.Point{X: x + swatchWidth, Y: y}, e.text)
		}
	}
	return nil
}

func (p graphPanel) plot(start, end float64) (*plot.Plot, error) {
	result := plot.New()
	for _, axis := range []*plot.Axis{&result.X, &result.Y} {
		axis.Padding = 0
		axis.LineStyle = draw.LineStyle{Color: frame, Width: 1}
		axis.Tick.Length = 0
		axis.Tick.Label.Font = textStyle(15, gray, stdfont.WeightNormal).Font
		axis.Tick.Label.Color = gray
	}
	lowest, highest := p.values()
	yTicks := valueTicks(lowest, highest, p.unit())
	result.Y.Tick.Marker = plot.ConstantTicks(yTicks)
	result.X.Tick.Marker = plot.ConstantTicks(timeTicks(start, end))

	grid := plotter.NewGrid()
	grid.Horizontal = draw.LineStyle{Color: light, Width: 1}
	grid.Vertical = grid.Horizontal
	result.Add(grid)
	for i, s := range p.series {
		for _, part := range s.parts {
			line, err := newLine(part, p.colors[i])
			if err != nil {
				return nil, err
			}
			result.Add(line)
		}
	}
	result.X.Min, result.X.Max = start, end
	result.Y.Min, result.Y.Max = yTicks[0].Value, yTicks[len(yTicks)-1].Value
	return result, nil
}

// newLine returns a line through points. A single point is a dot.
func newLine(points []point, c color.Color) (plot.Plotter, error) {
	xys := make(plotter.XYs, len(points))
	for i, p := range points {
		xys[i] = plotter.XY{X: p.time, Y: p.value}
	}
	if len(points) == 1 {
		dot, err := plotter.NewScatter(xys)
		if err != nil {
			return nil, err
		}
		dot.GlyphStyle = draw.GlyphStyle{Color: c, Radius: lineWidth, Shape: draw.CircleGlyph{}}
		return dot, nil
	}
	line, err := plotter.NewLine(xys)
	if err != nil {
		return nil, err
	}
	line.LineStyle = draw.LineStyle{Color: c, Width: lineWidth}
	return line, nil
}
