// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package leaks searches for secrets where they must not be. What it returns never has a piece of a secret.
package leaks

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

const (
	// minimumLength is the length below which a value is no secret, but something like a user name: it would be found everywhere.
	minimumLength = 16
	// needleLength is how much of a secret is searched for. That is enough to be found by nothing but a leak, and short enough for a leak that
	// was cut off or wrapped.
	needleLength = 40
	// bufferSize is how much is searched at once.
	bufferSize = 1 << 20
)

// prefix is what needles are looked up by, so that a search takes the same time for one as for thousands.
type prefix [8]byte

// Secrets are secrets that are searched for.
type Secrets struct {
	needles map[prefix][]needle
	// begins has the first two bytes of all needles, which nearly all places in a text can be passed over by.
	begins          [1 << 16]bool
	longest, number int
}

type needle struct {
	kind string
	text []byte
}

// Add adds a secret. The kind says what it is, without saying it. It returns false if the value is too short to be searched for.
func (s *Secrets) Add(kind string, value []byte) bool {
	value = bytes.TrimSpace(value)
	if len(value) < minimumLength {
		return false
	}
	for _, text := range pieces(value) {
		s.add(needle{kind: kind, text: text})
	}
	return true
}

func (s *Secrets) add(n needle) {
	p := prefix(n.text)
	if slices.ContainsFunc(s.needles[p], func(known needle) bool { return bytes.Equal(known.text, n.text) }) {
		return
	}
	if s.needles == nil {
		s.needles = map[prefix][]needle{}
	}
	s.needles[p] = append(s.needles[p], n)
	s.begins[begin(n.text)] = true
	s.longest = max(s.longest, len(n.text))
	s.number++
}

func begin(text []byte) int { return int(text[0])<<8 | int(text[1]) }

// Len returns the number of texts that are searched for.
func (s *Secrets) Len() int { return s.number }

// pieces returns texts of which at least one is in whatever holds the secret, as it is or encoded as base64 at any offset.
func pieces(value []byte) [][]byte {
	plain := middle(value)
	if isPEM(value) {
		// Lines may end in a newline, or in its escape sequence. The first ones are alike in all keys of a kind.
		lines := bytes.Split(value, []byte("\n"))
		plain = middle(bytes.TrimSpace(lines[len(lines)/2]))
	}
	if bytes.Count(value, []byte(".")) == 2 {
		// A JSON web token: what is in front of the signature is no secret, and alike in many.
		plain = middle(value[bytes.LastIndexByte(value, '.')+1:])
	}

	result := [][]byte{plain}
	for offset := range 3 {
		for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if encoded := encoding.EncodeToString(plain[min(offset, len(plain)):]); len(encoded) >= minimumLength+4 {
				// The last characters depend on what follows.
				result = append(result, []byte(encoded[:len(encoded)-4]))
			}
		}
	}
	return result
}

func middle(value []byte) []byte {
	if len(value) <= needleLength {
		return value
	}
	start := (len(value) - needleLength) / 2
	return value[start : start+needleLength]
}

func isPEM(value []byte) bool { return bytes.HasPrefix(value, []byte("-----BEGIN ")) }

// Search returns the kinds of the secrets that are in what the reader has, sorted, and how many bytes that was.
func (s *Secrets) Search(reader io.Reader) ([]string, int64, error) {
	var (
		found  []string
		total  int64
		buffer = make([]byte, 0, bufferSize+s.longest)
	)
	for {
		n, err := io.ReadFull(reader, buffer[len(buffer):len(buffer)+bufferSize])
		total += int64(n)
		buffer = buffer[:len(buffer)+n]
		for _, kind := range s.in(buffer) {
			if !slices.Contains(found, kind) {
				found = append(found, kind)
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			slices.Sort(found)
			return found, total, nil
		}
		if err != nil {
			return nil, total, fmt.Errorf("failed to read what is searched: %w", err)
		}
		// A secret may be across the border.
		keep := min(s.longest, len(buffer))
		buffer = buffer[:copy(buffer, buffer[len(buffer)-keep:])]
	}
}

func (s *Secrets) in(text []byte) []string {
	var kinds []string
	for i := 0; i+len(prefix{}) <= len(text); i++ {
		if !s.begins[begin(text[i:])] {
			continue
		}
		for _, n := range s.needles[prefix(text[i:])] {
			if bytes.HasPrefix(text[i:], n.text) {
				kinds = append(kinds, n.kind)
			}
		}
	}
	return kinds
}

// SearchText returns the kinds of the secrets that are in the text, sorted.
func (s *Secrets) SearchText(text string) []string {
	found, _, _ := s.Search(strings.NewReader(text)) // A string can always be read.
	return found
}
