// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

const maxLogSize = 20 << 20

// rotatingFile is the log of a container. When it is full it becomes <path>.1 and a new file is begun.
type rotatingFile struct {
	mu    sync.Mutex
	path  string
	limit int64
	file  *os.File
	size  int64
}

func openLog(path string) (*rotatingFile, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { // #nosec G301 -- Logs are for everybody.
		return nil, fmt.Errorf("failed to create the log directory: %w", err)
	}
	log := &rotatingFile{path: path, limit: maxLogSize}
	if err := log.open(); err != nil {
		return nil, err
	}
	return log, nil
}

func (l *rotatingFile) open() error {
	file, err := os.OpenFile(l.path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640) // #nosec G302 G304 -- The log of a container.
	if err != nil {
		return fmt.Errorf("failed to open log: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("failed to determine the size of log %s: %w", l.path, err)
	}
	l.file, l.size = file, info.Size()
	return nil
}

// Write implements io.Writer.
func (l *rotatingFile) Write(data []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()

	if l.size > 0 && l.size+int64(len(data)) > l.limit {
		if err := l.file.Close(); err != nil {
			return 0, fmt.Errorf("failed to close log %s: %w", l.path, err)
		}
		if err := os.Rename(l.path, l.path+".1"); err != nil {
			return 0, fmt.Errorf("failed to rotate log %s: %w", l.path, err)
		}
		if err := l.open(); err != nil {
			return 0, err
		}
	}
	written, err := l.file.Write(data)
	l.size += int64(written)
	return written, err
}

// Close implements io.Closer.
func (l *rotatingFile) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.file.Close()
}
