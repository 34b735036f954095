// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package queuecheck removes the files of a collector's queues that are destroyed, before the collector starts. The collector does not
// recover from them: filestorage v0.159.0 recovers from panics in its own goroutine only, and bbolt v1.5.0 walks through the pages in
// another one. It crashes again and again, and what it should receive meanwhile is lost, too.
package queuecheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"
)

const (
	// ExitDestroyed is the status with which a process ends that has found a file to be destroyed.
	ExitDestroyed = 3
	// ExitUnknown is the status with which a process ends that could not find out.
	ExitUnknown = 4

	// exitPanic is the status with which Go ends a process after a panic, or after a page of a mapped file could not be read.
	exitPanic = 2

	lockTimeout = time.Second
	// maxOutput is how much of what a process says is kept, in bytes.
	maxOutput = 1 << 10
)

// File opens a queue's file as a collector does, and returns the status with which the process that called it is to end: 0 if the collector
// can read the file, ExitDestroyed if it cannot, ExitUnknown if that cannot be told. The reason is written to the given writer. A file that is
// destroyed may as well end the process by a panic, as bbolt reads in goroutines of its own. That is why it needs a process of its own.
func File(reason io.Writer, path string) int {
	err := read(path)
	if err == nil {
		return 0
	}
	_, _ = fmt.Fprintln(reason, err)
	// What the operating system refuses says nothing about the content of the file.
	var refused syscall.Errno
	if errors.Is(err, bbolterrors.ErrTimeout) || errors.Is(err, fs.ErrNotExist) || errors.As(err, &refused) {
		return ExitUnknown
	}
	return ExitDestroyed
}

func read(path string) error {
	// Loading the list of free pages is what a collector does, and what walks through all pages but the values.
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true, Timeout: lockTimeout})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }()

	return db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, bucket *bbolt.Bucket) error {
			return bucket.ForEach(func(_, _ []byte) error { return nil })
		})
	})
}

// Directory checks the files of all queues in a directory, and deletes those that are destroyed: there may be no room to keep them. The
// function command returns the command that calls File for a path. A file of which nothing can be found out is left to the collector. The
// error tells which file cannot be deleted, or that the directory cannot be read.
func Directory(ctx context.Context, log logr.Logger, directory string, command func(ctx context.Context, path string) *exec.Cmd) error {
	entries, err := os.ReadDir(directory)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("failed to read directory %s of the queues: %w: is the volume mounted, and may user %d read it?", directory, err, os.Getuid())
	}

	var errs []error
	for _, entry := range entries {
		info, err := entry.Info()
		// A collector begins with an empty file as with none. Copies of its compaction, and what it has put aside itself, it does not open.
		if err != nil || !info.Mode().IsRegular() || info.Size() == 0 || strings.HasPrefix(entry.Name(), "tempdb") || strings.HasSuffix(entry.Name(), ".backup") {
			continue
		}
		path := filepath.Join(directory, entry.Name())
		destroyed, reason := check(command(ctx, path))
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("the check of %s was interrupted: %w", path, ctx.Err())
		case destroyed:
			if err := os.Remove(path); err != nil {
				errs = append(errs, fmt.Errorf("failed to delete %s, which is destroyed: %w: delete it, or the claim of the volume", path, err))
				continue
			}
			log.Info("Deleted the file of a queue, because it was destroyed: what was in it is lost", "file", path, "bytes", info.Size(), "reason", reason)
		case reason != "":
			log.Info("Cannot find out whether the file of a queue is destroyed, the collector will see", "file", path, "bytes", info.Size(), "reason", reason)
		default:
			log.Info("The file of a queue can be read", "file", path, "bytes", info.Size())
		}
	}
	return errors.Join(errs...)
}

// check returns whether a file is destroyed, and why, or why that cannot be told. A process that was killed, or that got no memory, says
// nothing about the file.
func check(command *exec.Cmd) (bool, string) {
	output := &beginning{}
	command.Stdout, command.Stderr = output, output
	err := command.Run()
	if err == nil {
		return false, ""
	}

	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code := exit.ExitCode()
		crashed := bytes.Contains(output.head, []byte("panic: ")) || bytes.Contains(output.head, []byte("unexpected fault address"))
		if code == ExitDestroyed || code == exitPanic && crashed {
			return true, string(output.head)
		}
	}
	return false, fmt.Sprintf("%v: %s", err, output.head)
}

// beginning keeps the beginning of what is written to it. That is where a panic says what it is about.
type beginning struct {
	head []byte
}

// Write implements io.Writer.
func (b *beginning) Write(p []byte) (int, error) {
	b.head = append(b.head, p[:min(len(p), maxOutput-len(b.head))]...)
	return len(p), nil
}
