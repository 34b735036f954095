// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package e2e_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
)

const (
	// repositoryRoot is where readers run the commands.
	repositoryRoot = "../.."
	commandTimeout = time.Minute
)

var (
	fence = regexp.MustCompile("^( *)```(.*)$")
	// notRun says why the commands that follow are not run here.
	notRun = regexp.MustCompile(`^ *<!-- not run by the tests: .+ -->$`)
	// languages are those of blocks without commands. Commands are marked as bash, and nothing else.
	languages = []string{"", "go", "json", "mermaid", "promql", "yaml"}
)

// commandBlock is a block of commands in a document.
type commandBlock struct {
	document string
	line     int
	commands string
}

var _ = Describe("Documentation", func() {
	blocks, err := readCommandBlocks()

	It("marks all blocks of commands, and none as something else", func() {
		Expect(err).NotTo(HaveOccurred())
		Expect(blocks).NotTo(BeEmpty())
	})

	for _, block := range blocks {
		It(fmt.Sprintf("has commands that run: %s:%d", block.document, block.line), func(ctx SpecContext) {
			command := exec.CommandContext(ctx, "bash", "-o", "errexit", "-o", "nounset", "-o", "pipefail", "-c", block.commands) // #nosec G204 -- From our own documents.
			command.Dir = repositoryRoot
			binaries, err := filepath.Abs(filepath.Join(repositoryRoot, "bin", "landscape"))
			Expect(err).NotTo(HaveOccurred())
			command.Env = append(os.Environ(), "KUBECONFIG="+ls.Kubeconfig(), "PATH="+binaries+":"+os.Getenv("PATH"))
			output, err := command.CombinedOutput()
			Expect(err).NotTo(HaveOccurred(), "%s\n%s", block.commands, output)
		}, SpecTimeout(commandTimeout))
	}
})

func readCommandBlocks() ([]commandBlock, error) {
	var blocks []commandBlock
	documents := []string{"README.md", "CONTRIBUTING.md"}
	if err := filepath.WalkDir(filepath.Join(repositoryRoot, "docs"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && filepath.Ext(path) == ".md" {
			documents = append(documents, strings.TrimPrefix(filepath.ToSlash(path), repositoryRoot+"/"))
		}
		return err
	}); err != nil {
		return nil, err
	}
	for _, document := range documents {
		content, err := os.ReadFile(filepath.Join(repositoryRoot, document))
		if err != nil {
			return nil, err
		}
		found, err := commandBlocksIn(document, string(content))
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, found...)
	}
	return blocks, nil
}

// commandBlocksIn returns those blocks of a document that are to be run.
func commandBlocksIn(document, content string) ([]commandBlock, error) {
	var (
		blocks   []commandBlock
		open     *commandBlock
		language string
		previous string
	)
	for i, line := range strings.Split(content, "\n") {
		match := fence.FindStringSubmatch(line)
		switch {
		case match != nil && open == nil:
			language = match[2]
			if language != "bash" && !slices.Contains(languages, language) {
				return nil, fmt.Errorf("%s:%d: a block is marked as %q: mark commands as bash", document, i+1, language)
			}
			open = &commandBlock{document: document, line: i + 1}
			if notRun.MatchString(previous) {
				language = "not run"
			}
		case match != nil:
			if language == "bash" {
				blocks = append(blocks, *open)
			}
			open = nil
		case open != nil:
			open.commands += line + "\n"
		}
		if strings.TrimSpace(line) != "" {
			previous = line
		}
	}
	if open != nil {
		return nil, fmt.Errorf("%s:%d: a block has no end", document, open.line)
	}
	return blocks, nil
}
