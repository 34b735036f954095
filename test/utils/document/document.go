// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package document puts what tests and benchmarks have measured into documents.
package document

import (
	"fmt"
	"os"
	"strings"
)

// Replace replaces what is between the two lines of a document of Markdown that say what the writer writes, for example "`make bench`".
func Replace(path, writer, text string) error {
	data, err := os.ReadFile(path) // #nosec G304 -- The user names the file.
	if err != nil {
		return fmt.Errorf("failed to read the document: %w", err)
	}
	begin, end := fmt.Sprintf("<!-- Begin of what %s writes. -->", writer), fmt.Sprintf("<!-- End of what %s writes. -->", writer)
	before, rest, ok := strings.Cut(string(data), begin)
	_, after, found := strings.Cut(rest, end)
	if !ok || !found {
		return fmt.Errorf("%s has no lines %q and %q, between which the results are written", path, begin, end)
	}
	if err := os.WriteFile(path, []byte(before+begin+"\n\n"+text+"\n"+end+after), 0o600); err != nil { // #nosec G703 -- The user names the file.
		return fmt.Errorf("failed to write the document: %w", err)
	}
	return nil
}
