// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"strconv"
	"time"

	"gonum.org/v1/plot"
)

const (
	// maxValueSteps is how many parts the axis of the values has at most.
	maxValueSteps = 5
	// maxTimeSteps is the same for the axis of the time.
	maxTimeSteps = 6

	day = 24 * time.Hour
)

// durations are the steps between ticks that are easy to read.
var durations = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 5 * day, 10 * day,
}

// prefixed is a unit with a prefix, and how much of the unit it is.
type prefixed struct {
	text  string
	scale float64
}

var (
	decimal = []prefixed{{"", 1}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}}
	binary  = []prefixed{{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}
	seconds = []prefixed{{"ms", 1e-3}, {"s", 1}, {"min", time.Minute.Seconds()}, {"h", time.Hour.Seconds()}, {"d", day.Seconds()}}
)

// format writes a value with its unit, which has one of Plutono's names.
func format(value float64, unit string) string {
	switch unit {
	case "percentunit":
		return number(100*value) + " %"
	case "bytes":
		return withPrefix(value, binary, "")
	case "s":
		return withPrefix(value, seconds, "")
	case "Bps":
		return withPrefix(value, decimal, "B/s")
	case "cps":
		return withPrefix(value, decimal, "/s")
	case "reqps":
		return withPrefix(value, decimal, "req/s")
	default:
		return withPrefix(value, decimal, "")
	}
}

func withPrefix(value float64, prefixes []prefixed, unit string) string {
	if value == 0 {
		return "0"
	}
	chosen := prefixes[0]
	for _, p := range prefixes {
		if math.Abs(value) >= p.scale*(1-1e-9) {
			chosen = p
		}
	}
	if unit = chosen.text + unit; unit != "" {
		unit = " " + unit
	}
	return number(value/chosen.scale) + unit
}

// number rounds to four digits: ticks are further apart, and computing them is not exact.
func number(value float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(value, 'e', 3, 64), 64)
	if err != nil {
		rounded = value
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// valueStep returns how far ticks are apart that divide a range of values into at most maxValueSteps parts.
func valueStep(width float64, unit string) float64 {
	least := width / maxValueSteps
	switch {
	case unit == "bytes" && least > 1:
		return math.Exp2(math.Ceil(math.Log2(least)))
	case unit == "s" && least > 1 && least <= durations[len(durations)-1].Seconds():
		return timeStep(width, maxValueSteps)
	}
	magnitude := math.Pow10(int(math.Floor(math.Log10(least))))
	for _, factor := range []float64{1, 2, 2.5, 5} {
		if factor*magnitude >= least {
			return factor * magnitude
		}
	}
	return 10 * magnitude
}

// timeStep returns how far ticks are apart that divide a range of seconds into at most the given number of parts.
func timeStep(width, parts float64) float64 {
	for _, step := range durations {
		if step.Seconds() >= width/parts {
			return step.Seconds()
		}
	}
	return math.Ceil(width/parts/day.Seconds()) * day.Seconds()
}

// valueTicks returns the ticks of the axis of the values. It begins at 0, so that heights can be compared.
func valueTicks(lowest, highest float64, unit string) []plot.Tick {
	lowest, highest = min(lowest, 0), max(highest, 0)
	if highest-lowest < 1e-9 {
		lowest, highest = 0, 1
	}
	step := valueStep(highest-lowest, unit)
	var ticks []plot.Tick
	for i := math.Floor(lowest/step + 1e-9); ; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: format(i*step, unit)})
		if i*step >= highest-1e-9*step {
			return ticks
		}
	}
}

// timeTicks returns the ticks of the axis of the time, at round times.
func timeTicks(start, end float64) []plot.Tick {
	step := timeStep(end-start, maxTimeSteps)
	layout := "15:04"
	if step < time.Minute.Seconds() {
		layout = "15:04:05"
	}
	var ticks []plot.Tick
	for t := math.Ceil(start/step) * step; t <= end; t += step {
		ticks = append(ticks, plot.Tick{Value: t, Label: utc(t, layout)})
	}
	return ticks
}

func utc(seconds float64, layout string) string {
	return time.UnixMilli(int64(seconds * 1000)).UTC().Format(layout)
}
