// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package security_test

import (
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of OTLP are made byte by byte: an attacker is not bound to what a library can express, such as keys that are unique.

// field is an encoded field of a message.
type field []byte

func embedded(number protowire.Number, fields ...field) field {
	var content []byte
	for _, f := range fields {
		content = append(content, f...)
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), content)
}

// text is the field 1 of a message, which is where all that are used here have their text.
func text(value string) field {
	return protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), value)
}

func varint(number protowire.Number, value uint64) field {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), value)
}

func fixed64(number protowire.Number, value uint64) field {
	return protowire.AppendFixed64(protowire.AppendTag(nil, number, protowire.Fixed64Type), value)
}

func double(number protowire.Number, value float64) field {
	return fixed64(number, math.Float64bits(value))
}

// zeros is a packed field of so many bytes.
func zeros(number protowire.Number, size int) field {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), make([]byte, size))
}

func nanoseconds(number protowire.Number, t time.Time) field {
	return fixed64(number, uint64(t.UnixNano())) // #nosec G115 -- Its bits are what is meant.
}

// Numbers of fields (opentelemetry/proto/metrics/v1/metrics.proto).
const (
	pointAttributes = 7
	// noRecordedValue is the flag of a point that makes a series stale.
	noRecordedValue = 1
)

// attribute is a KeyValue with a string.
func attribute(number protowire.Number, key, value string) field {
	return embedded(number, text(key), embedded(2, text(value)))
}

// label is an attribute of a NumberDataPoint.
func label(key, value string) field { return attribute(pointAttributes, key, value) }

// point is a NumberDataPoint.
func point(t time.Time, value float64, fields ...field) field {
	return embedded(1, append([]field{nanoseconds(3, t), double(4, value)}, fields...)...)
}

// gauge is a Metric of this type.
func gauge(name string, points ...field) field {
	return embedded(2, text(name), embedded(5, points...))
}

// metric is a Metric with the given content.
func metric(name string, content ...field) field {
	return embedded(2, append([]field{text(name)}, content...)...)
}

// resource is the Resource of ResourceMetrics.
func resource(labels ...string) field {
	var attributes []field
	for i := 0; i+1 < len(labels); i += 2 {
		attributes = append(attributes, attribute(1, labels[i], labels[i+1]))
	}
	return embedded(1, attributes...)
}

// scope is the InstrumentationScope of ScopeMetrics.
func scope(name string, labels ...string) field {
	attributes := []field{text(name)}
	for i := 0; i+1 < len(labels); i += 2 {
		attributes = append(attributes, attribute(3, labels[i], labels[i+1]))
	}
	return embedded(1, attributes...)
}

// request is an ExportMetricsServiceRequest with one resource, which is empty.
func request(metrics ...field) []byte {
	return requestOf(nil, metrics...)
}

// requestOf is an ExportMetricsServiceRequest with the given resource. The metrics may begin with a scope.
func requestOf(of field, metrics ...field) []byte {
	return embedded(1, of, embedded(2, metrics...))
}

// nested is an attribute of a point whose value is a list in a list, and so on, as deep as fits into the given number of bytes.
func nested(key string, size int) field {
	// From the innermost to the outermost: the length of each message is known only then. It is written backwards.
	reversed := make([]byte, 0, size)
	for len(reversed) < size-64 {
		// ArrayValue.values, then AnyValue.array_value.
		for _, number := range []protowire.Number{1, 5} {
			header := protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.BytesType), uint64(len(reversed)))
			for i := len(header) - 1; i >= 0; i-- {
				reversed = append(reversed, header[i])
			}
		}
	}
	value := make([]byte, len(reversed))
	for i, b := range reversed {
		value[len(value)-1-i] = b
	}
	return embedded(pointAttributes, text(key), embedded(2, value))
}

// zstdBomb is a frame that decompresses to the given content and so many zeros behind it. A block of zeros takes four bytes.
func zstdBomb(zeros int) []byte {
	return zstdFrame(17, zeros)
}

// zstdFrame is a frame whose window is two to the given power, with blocks of one repeated byte.
func zstdFrame(windowLog byte, zeros int) []byte {
	const maxBlock, rle = 128 << 10, 1
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3}
	for {
		size := min(zeros, maxBlock)
		zeros -= size
		header := uint32(size)<<3 | rle<<1 // #nosec G115 -- At most maxBlock.
		if zeros == 0 {
			header |= 1
		}
		frame = append(frame, byte(header), byte(header>>8), byte(header>>16), 0) // #nosec G115 -- Bytes of it.
		if zeros == 0 {
			return frame
		}
	}
}
