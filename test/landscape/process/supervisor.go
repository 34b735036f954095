// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

// Package process supervises the processes of the local landscape: it starts them with a log file each, restarts those
// that die, and stops them.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// State is the state of a supervised process.
type State string

const (
	// StateRunning says that the process runs.
	StateRunning State = "running"
	// StateRestarting says that the process has died and is started again after a pause.
	StateRestarting State = "restarting"
	// StateStopped says that the process was stopped on purpose.
	StateStopped State = "stopped"
	// StateFailed says that the process has died during the start of the landscape and is not started again.
	StateFailed State = "failed"
)

const (
	minBackoff  = time.Second
	maxBackoff  = 30 * time.Second
	gracePeriod = 3 * time.Second
)

// Spec describes a process.
type Spec struct {
	// Name is the name of the process. It is also the name of its log file.
	Name string
	// Path is the executable.
	Path string
	// Args are the arguments, without the executable.
	Args []string
	// Env is added to the minimal environment that every process gets.
	Env []string
	// Dir is the working directory.
	Dir string
}

// Status is what is known about a supervised process.
type Status struct {
	Name     string    `json:"name"`
	PID      int       `json:"pid"`
	State    State     `json:"state"`
	Restarts int       `json:"restarts"`
	Started  time.Time `json:"started"`
	LastExit string    `json:"lastExit,omitempty"`
	LogFile  string    `json:"logFile"`
}

// ExitError says that a process has ended that should run.
type ExitError struct {
	// Name is the name of the process.
	Name string
	// LogFile is the path of its log file.
	LogFile string
	// Reason says how it ended.
	Reason string
}

// Error implements error. It carries the last lines of the log file.
func (e *ExitError) Error() string {
	return fmt.Sprintf("process %s ended: %s\nlog file: %s\nlast lines:\n%s", e.Name, e.Reason, e.LogFile, Tail(e.LogFile, 15))
}

type process struct {
	spec    Spec
	status  Status
	command *exec.Cmd
	stop    context.CancelFunc
	done    chan struct{}
}

// Supervisor runs processes.
type Supervisor struct {
	logDir   string
	env      []string
	failures chan *ExitError

	mu       sync.Mutex
	strict   bool
	names    []string
	byName   map[string]*process
	stopping bool
}

// NewSupervisor creates a Supervisor that writes log files into the given directory. It is strict at first: a process that
// dies is not started again, but reported by Failures.
func NewSupervisor(logDir string) *Supervisor {
	return &Supervisor{
		logDir:   logDir,
		env:      []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + logDir},
		failures: make(chan *ExitError, 1),
		strict:   true,
		byName:   map[string]*process{},
	}
}

// Failures delivers the first process that dies while the Supervisor is strict.
func (s *Supervisor) Failures() <-chan *ExitError { return s.failures }

// BeTolerant ends the strict phase: from now on processes that die are started again.
func (s *Supervisor) BeTolerant() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.strict = false
}

// LogFile returns the path of the log file of a process.
func (s *Supervisor) LogFile(name string) string { return filepath.Join(s.logDir, name+".log") }

// Start starts a process and keeps it running.
func (s *Supervisor) Start(spec Spec) error {
	ctx, cancel := context.WithCancel(context.Background())
	p := &process{spec: spec, stop: cancel, done: make(chan struct{})}
	p.status = Status{Name: spec.Name, State: StateRunning, LogFile: s.LogFile(spec.Name)}

	s.mu.Lock()
	if old, ok := s.byName[spec.Name]; ok && old.status.State != StateStopped {
		s.mu.Unlock()
		cancel()
		return fmt.Errorf("process %s is already there", spec.Name)
	}
	if s.stopping {
		s.mu.Unlock()
		cancel()
		return fmt.Errorf("process %s is not started: the landscape is being stopped", spec.Name)
	}
	s.byName[spec.Name] = p
	if !slices.Contains(s.names, spec.Name) {
		s.names = append(s.names, spec.Name)
	}
	s.mu.Unlock()

	if err := s.launch(p); err != nil {
		s.mu.Lock()
		p.status.State, p.status.LastExit = StateFailed, err.Error()
		s.mu.Unlock()
		close(p.done)
		return err
	}
	go s.keepRunning(ctx, p)
	return nil
}

func (s *Supervisor) launch(p *process) error {
	logFile, err := os.OpenFile(p.status.LogFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("failed to open the log file of process %s: %w", p.spec.Name, err)
	}
	defer func() { _ = logFile.Close() }()

	command := exec.Command(p.spec.Path, p.spec.Args...) // #nosec G204 -- The local landscape starts its own binaries.
	command.Dir = p.spec.Dir
	command.Env = append(slices.Clone(s.env), p.spec.Env...)
	command.Stdout, command.Stderr = logFile, logFile
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		return fmt.Errorf("failed to start process %s (is %s built? run `make up`): %w", p.spec.Name, p.spec.Path, err)
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	p.command = command
	p.status.PID, p.status.State, p.status.Started = command.Process.Pid, StateRunning, time.Now()
	return nil
}

func (s *Supervisor) keepRunning(ctx context.Context, p *process) {
	defer close(p.done)
	backoff := minBackoff

	for {
		stopped := s.waitOrStop(ctx, p)
		reason := p.command.ProcessState.String()

		s.mu.Lock()
		p.status.PID, p.status.LastExit = 0, reason
		switch {
		case stopped:
			p.status.State = StateStopped
		case s.strict:
			p.status.State = StateFailed
		default:
			p.status.State = StateRestarting
		}
		state, started := p.status.State, p.status.Started
		s.mu.Unlock()

		if state == StateFailed {
			select {
			case s.failures <- &ExitError{Name: p.spec.Name, LogFile: p.status.LogFile, Reason: reason}:
			default:
			}
		}
		if state != StateRestarting {
			return
		}

		if time.Since(started) > maxBackoff {
			backoff = minBackoff
		}
		if !s.relaunch(ctx, p, &backoff) {
			return
		}
	}
}

// relaunch starts a process that has died again, after a pause. It returns false if the process is to be stopped.
func (s *Supervisor) relaunch(ctx context.Context, p *process, backoff *time.Duration) bool {
	for {
		select {
		case <-ctx.Done():
			s.mu.Lock()
			p.status.State = StateStopped
			s.mu.Unlock()
			return false
		case <-time.After(*backoff):
		}
		*backoff = min(*backoff*2, maxBackoff)

		s.mu.Lock()
		p.status.Restarts++
		s.mu.Unlock()
		if err := s.launch(p); err == nil {
			return true
		}
	}
}

// waitOrStop waits until the process has ended. It ends the process if the context is done, and returns true then.
func (s *Supervisor) waitOrStop(ctx context.Context, p *process) bool {
	ended := make(chan struct{})
	go func() {
		_ = p.command.Wait()
		close(ended)
	}()

	select {
	case <-ended:
		return ctx.Err() != nil
	case <-ctx.Done():
	}

	pid := p.command.Process.Pid
	_ = syscall.Kill(-pid, syscall.SIGTERM)
	select {
	case <-ended:
	case <-time.After(gracePeriod):
		_ = syscall.Kill(-pid, syscall.SIGKILL)
		<-ended
	}
	return true
}

// Stop stops a process and waits until it has ended.
func (s *Supervisor) Stop(name string) error {
	s.mu.Lock()
	p, ok := s.byName[name]
	s.mu.Unlock()
	if !ok {
		return fmt.Errorf("there is no process %s", name)
	}
	p.stop()
	<-p.done
	return nil
}

// Restart starts a process again that was stopped, or stops and starts it.
func (s *Supervisor) Restart(name string) error {
	if err := s.Stop(name); err != nil {
		return err
	}
	s.mu.Lock()
	p := s.byName[name]
	p.status.State = StateStopped
	s.mu.Unlock()
	return s.Start(p.spec)
}

// Signal sends a signal to a process.
func (s *Supervisor) Signal(name string, signal syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.byName[name]
	if !ok || p.status.PID == 0 {
		return fmt.Errorf("process %s does not run", name)
	}
	return syscall.Kill(p.status.PID, signal)
}

// StopAll stops all processes at the same time and waits until they have ended.
func (s *Supervisor) StopAll() error {
	s.mu.Lock()
	s.stopping = true
	names := slices.Clone(s.names)
	s.mu.Unlock()

	errs := make([]error, len(names))
	var wg sync.WaitGroup
	for i, name := range names {
		wg.Go(func() { errs[i] = s.Stop(name) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Statuses returns the statuses of all processes, in the order in which they were started.
func (s *Supervisor) Statuses() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Status, 0, len(s.names))
	for _, name := range s.names {
		out = append(out, s.byName[name].status)
	}
	return out
}

// Tail returns the last lines of a file.
func Tail(path string, lines int) string {
	data, err := os.ReadFile(path) // #nosec G304 -- A log file of the landscape.
	if err != nil {
		return fmt.Sprintf("(%v)", err)
	}
	all := strings.Split(strings.TrimRight(string(data), "\n"), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
