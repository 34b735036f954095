// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	dataLink    = "..data"
	newDataLink = "..data_tmp"
)

// projectedFile is a file of a ConfigMap, Secret, downwardAPI or projected volume.
type projectedFile struct {
	data []byte
	mode fs.FileMode
}

// writeAtomically makes the directory show exactly the given files (by relative path), as kubelet does: the files are in a
// directory with a timestamp to which the link `..data` points, and links in the volume's root point to files below
// `..data`. A change therefore is one rename, so that readers never see a mixture of old and new files.
// It returns whether something has changed.
func writeAtomically(directory string, files map[string]projectedFile) (bool, error) {
	for path := range files {
		if err := validateProjectedPath(path); err != nil {
			return false, err
		}
	}
	oldDirectory, err := os.Readlink(filepath.Join(directory, dataLink))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("failed to read link %s of volume %s: %w", dataLink, directory, err)
	}
	if oldDirectory != "" && sameFiles(filepath.Join(directory, oldDirectory), files) {
		return false, ensureUserLinks(directory, files)
	}

	newDirectory, err := os.MkdirTemp(directory, time.Now().UTC().Format("..2006_01_02_15_04_05."))
	if err != nil {
		return false, fmt.Errorf("failed to create a directory in volume %s: %w", directory, err)
	}
	if err := os.Chmod(newDirectory, 0o755); err != nil { // #nosec G302 -- As kubelet does.
		return false, fmt.Errorf("failed to change the mode of directory %s: %w", newDirectory, err)
	}
	if err := writeFiles(newDirectory, files); err != nil {
		return false, err
	}

	temporary := filepath.Join(directory, newDataLink)
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("failed to remove link %s: %w", temporary, err)
	}
	if err := os.Symlink(filepath.Base(newDirectory), temporary); err != nil {
		return false, fmt.Errorf("failed to create link %s: %w", temporary, err)
	}
	if err := os.Rename(temporary, filepath.Join(directory, dataLink)); err != nil {
		return false, fmt.Errorf("failed to switch link %s of volume %s: %w", dataLink, directory, err)
	}
	if err := ensureUserLinks(directory, files); err != nil {
		return true, err
	}
	return true, removeStale(directory, filepath.Base(newDirectory), files)
}

func validateProjectedPath(path string) error {
	if path == "" || filepath.IsAbs(path) || !filepath.IsLocal(path) || strings.HasPrefix(path, "..") {
		return fmt.Errorf("path %q of a volume's file must be relative, must not leave the volume and must not start with '..'", path)
	}
	return nil
}

func sameFiles(directory string, files map[string]projectedFile) bool {
	seen := 0
	err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(directory, path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		file, ok := files[relative]
		if !ok || info.Mode().Perm() != file.mode.Perm() {
			return errors.New("differs")
		}
		data, err := os.ReadFile(path) // #nosec G304 G122 -- The daemon has written it.
		if err != nil || !bytes.Equal(data, file.data) {
			return errors.New("differs")
		}
		seen++
		return nil
	})
	return err == nil && seen == len(files)
}

func writeFiles(directory string, files map[string]projectedFile) error {
	for path, file := range files {
		target := filepath.Join(directory, path)
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil { // #nosec G301 -- As kubelet does.
			return fmt.Errorf("failed to create the directory of file %s: %w", target, err)
		}
		if err := os.WriteFile(target, file.data, file.mode.Perm()); err != nil {
			return fmt.Errorf("failed to write file %s: %w", target, err)
		}
		// The umask must not apply.
		if err := os.Chmod(target, file.mode.Perm()); err != nil {
			return fmt.Errorf("failed to change the mode of file %s: %w", target, err)
		}
	}
	return nil
}

func firstElement(path string) string {
	first, _, _ := strings.Cut(filepath.Clean(path), string(filepath.Separator))
	return first
}

func ensureUserLinks(directory string, files map[string]projectedFile) error {
	for path := range files {
		name := firstElement(path)
		link := filepath.Join(directory, name)
		if _, err := os.Readlink(link); err == nil {
			continue
		}
		if err := os.Symlink(filepath.Join(dataLink, name), link); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("failed to create link %s: %w", link, err)
		}
	}
	return nil
}

func removeStale(directory, current string, files map[string]projectedFile) error {
	keep := map[string]bool{dataLink: true, current: true}
	for path := range files {
		keep[firstElement(path)] = true
	}
	entries, err := os.ReadDir(directory)
	if err != nil {
		return fmt.Errorf("failed to list volume %s: %w", directory, err)
	}
	for _, entry := range entries {
		if keep[entry.Name()] {
			continue
		}
		if err := os.RemoveAll(filepath.Join(directory, entry.Name())); err != nil {
			return fmt.Errorf("failed to remove stale file %s of volume %s: %w", entry.Name(), directory, err)
		}
	}
	return nil
}
