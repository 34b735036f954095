// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package usage reads from /proc what processes and the machine have used.
package usage

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of processor time in /proc. It is the same on all architectures that Go supports.
const tick = time.Second / 100

// Process is what a process has used.
type Process struct {
	// CPU is its processor time, in user mode and in the kernel.
	CPU time.Duration
	// RSS is the memory in bytes that it has, PeakRSS is the most that it has had.
	RSS, PeakRSS int64
}

// Reader reads from a proc filesystem.
type Reader struct {
	// Root is where it is mounted.
	Root string
}

// Proc reads from where it is usually mounted.
var Proc = Reader{Root: "/proc"}

// Process returns what a process has used so far.
func (r Reader) Process(pid int) (Process, error) {
	directory := filepath.Join(r.Root, strconv.Itoa(pid))
	stat, err := os.ReadFile(filepath.Join(directory, "stat")) // #nosec G304 -- Below /proc.
	if err != nil {
		return Process{}, fmt.Errorf("failed to read the processor time of process %d: %w", pid, err)
	}
	// The name of the program is in parentheses and may contain anything. The fields after it begin with the third one.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 13 {
		return Process{}, fmt.Errorf("the file stat of process %d has %d fields after the name, which are too few", pid, len(fields))
	}
	var used Process
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return Process{}, fmt.Errorf("failed to parse the processor time of process %d: %w", pid, err)
		}
		used.CPU += time.Duration(ticks) * tick
	}

	if used.PeakRSS, err = memoryOf(directory, "VmHWM"); err != nil {
		return Process{}, err
	}
	used.RSS, err = memoryOf(directory, "VmRSS")
	return used, err
}

// memoryOf returns a size of memory of a process in bytes.
func memoryOf(directory, key string) (int64, error) {
	kibibytes, err := valueOf(filepath.Join(directory, "status"), key)
	if err != nil {
		return 0, err
	}
	return parseKibibytes(kibibytes)
}

// Busy returns the processor time that the whole machine has used so far, without what it waited for disks.
func (r Reader) Busy() (time.Duration, error) {
	stat, err := os.ReadFile(filepath.Join(r.Root, "stat")) // #nosec G304 -- Below /proc.
	if err != nil {
		return 0, fmt.Errorf("failed to read the processor time of the machine: %w", err)
	}
	line, _, _ := strings.Cut(string(stat), "\n")
	fields := strings.Fields(line)
	if len(fields) < 8 || fields[0] != "cpu" {
		return 0, fmt.Errorf("the processor time of the machine is not in %q", line)
	}
	var busy time.Duration
	// user, nice, system, irq and softirq; idle and iowait are left out.
	for _, i := range []int{1, 2, 3, 6, 7} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("failed to parse the processor time of the machine: %w", err)
		}
		busy += time.Duration(ticks) * tick
	}
	return busy, nil
}

// Machine describes the machine.
func (r Reader) Machine() (string, error) {
	model, err := valueOf(filepath.Join(r.Root, "cpuinfo"), "model name")
	if err != nil {
		model = runtime.GOARCH
	}
	kibibytes, err := valueOf(filepath.Join(r.Root, "meminfo"), "MemTotal")
	if err != nil {
		return "", err
	}
	memory, err := parseKibibytes(kibibytes)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%s, %d cores, %d GiB of memory", model, runtime.NumCPU(), (memory+1<<29)>>30), nil
}

// valueOf returns the value of a key in a file of lines with keys and values.
func valueOf(path, key string) (string, error) {
	data, err := os.ReadFile(path) // #nosec G304 -- Below /proc.
	if err != nil {
		return "", fmt.Errorf("failed to read %s: %w", key, err)
	}
	for line := range strings.Lines(string(data)) {
		name, value, ok := strings.Cut(line, ":")
		if ok && strings.TrimSpace(name) == key {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("%s has no %s", path, key)
}

func parseKibibytes(text string) (int64, error) {
	number, err := strconv.ParseInt(strings.TrimSuffix(text, " kB"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("failed to parse a size of memory: %w", err)
	}
	return number << 10, nil
}
