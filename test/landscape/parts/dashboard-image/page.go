// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"image"
	"image/color"
	"time"

	stdfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Sizes in pixels.
const (
	columns    = 2
	pageWidth  = 1600
	headHeight = 76
	margin     = 20
	panelWidth = (pageWidth - (columns+1)*margin) / columns
)

var (
	dark  = color.Gray{Y: 0x24}
	gray  = color.Gray{Y: 0x60}
	light = color.Gray{Y: 0xe6}
	frame = color.Gray{Y: 0xb8}
)

// page is the picture of a dashboard: the graphs in rows, as on the dashboard.
type page struct {
	title      string
	graphs     []graph
	start, end float64
}

func (p page) draw() (image.Image, error) {
	var rows [][]graphPanel
	colors := colors{}
	for i, g := range p.graphs {
		if i%columns == 0 {
			rows = append(rows, nil)
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], newGraphPanel(g, colors))
	}
	height := vg.Length(headHeight)
	for _, row := range rows {
		height += rowHeight(row) + margin
	}

	// With one pixel per point, lengths are pixels.
	picture := vgimg.NewWith(vgimg.UseWH(pageWidth, height), vgimg.UseDPI(int(vg.Inch)), vgimg.UseBackgroundColor(color.White))
	canvas := draw.New(picture)
	p.drawHead(draw.Crop(canvas, margin, -margin, height-headHeight, 0))

	top := height - headHeight
	for _, row := range rows {
		bottom := top - rowHeight(row)
		for i, panel := range row {
			left := vg.Length(margin + i*(panelWidth+margin))
			if err := panel.draw(draw.Crop(canvas, left, left+panelWidth-pageWidth, bottom, top-height), p.start, p.end); err != nil {
				return nil, fmt.Errorf("failed to draw panel %q: %w", panel.Title, err)
			}
		}
		top = bottom - margin
	}
	return reduceColors(picture.Image()), nil
}

func (p page) drawHead(c draw.Canvas) {
	c.FillText(textStyle(26, dark, stdfont.WeightBold), vg.Point{X: c.Min.X, Y: c.Max.Y - 34}, p.title)
	times := fmt.Sprintf("%s, %s to %s UTC", utc(p.end, time.DateOnly), utc(p.start, time.TimeOnly), utc(p.end, time.TimeOnly))
	c.FillText(textStyle(17, gray, stdfont.WeightNormal), vg.Point{X: c.Min.X, Y: c.Max.Y - 60}, times)
}

// reduceColors makes the file a third as large. What is drawn are a few colours, which are blended with white at the edges.
func reduceColors(picture image.Image) image.Image {
	const shades = 16
	reduced := color.Palette{color.White}
	for _, c := range append([]color.Color{dark, gray, light, frame}, palette...) {
		r, g, b, _ := c.RGBA()
		blend := func(value uint32, shade int) uint8 { return uint8(0xff - (0xff-int(value>>8))*shade/shades) }
		for shade := 1; shade <= shades; shade++ {
			reduced = append(reduced, color.RGBA{R: blend(r, shade), G: blend(g, shade), B: blend(b, shade), A: 0xff})
		}
	}

	bounds := picture.Bounds()
	result, nearest := image.NewPaletted(bounds, reduced), map[color.Color]uint8{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			c := picture.At(x, y)
			index, known := nearest[c]
			if !known {
				index = uint8(reduced.Index(c))
				nearest[c] = index
			}
			result.SetColorIndex(x, y, index)
		}
	}
	return result
}

func rowHeight(row []graphPanel) vg.Length {
	height := vg.Length(0)
	for _, panel := range row {
		height = max(height, panel.height())
	}
	return height
}

func textStyle(size vg.Length, c color.Color, weight stdfont.Weight) text.Style {
	return text.Style{
		Color:   c,
		Font:    font.Font{Typeface: "Liberation", Variant: "Sans", Weight: weight, Size: size},
		YAlign:  draw.YBottom,
		Handler: plot.DefaultTextHandler,
	}
}
