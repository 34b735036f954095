// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a running or ended container.
type process struct {
	pid     int
	started time.Time
	// done is closed when the process has ended. Only then the fields below may be read.
	done     chan struct{}
	finished time.Time
	exitCode int32
	signal   int32

	stopOnce sync.Once
	killOnce sync.Once
}

// launch starts a container. Its output is written to output. An error means that the container's command has not run.
func launch(spec *sandboxSpec, namespace *os.File, output io.WriteCloser) (*process, error) {
	specReader, specWriter, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("failed to create a pipe: %w", err), output.Close())
	}
	defer specReader.Close()
	defer specWriter.Close()
	failureReader, failureWriter, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("failed to create a pipe: %w", err), output.Close())
	}
	defer failureReader.Close()
	defer failureWriter.Close()

	command := exec.Command("/proc/self/exe", sandboxCommand)
	command.Env = []string{"GOMAXPROCS=1"}
	command.Dir = "/"
	command.Stdout = output
	command.Stderr = output
	command.ExtraFiles = []*os.File{specReader, failureWriter}
	if namespace != nil {
		command.ExtraFiles = append(command.ExtraFiles, namespace)
	}
	command.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC,
		Setpgid:    true,
		Pdeathsig:  syscall.SIGKILL,
	}
	if err := command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("failed to start the container's process (it needs CAP_SYS_ADMIN): %w", err), output.Close())
	}

	p := &process{pid: command.Process.Pid, started: time.Now(), done: make(chan struct{})}
	go p.wait(command, output)

	// Only the child may hold these ends, otherwise its end would not be noticed.
	_ = specReader.Close()
	_ = failureWriter.Close()
	writeErr := json.NewEncoder(specWriter).Encode(spec)
	_ = specWriter.Close()
	failure, readErr := io.ReadAll(failureReader)
	if len(failure) > 0 {
		writeErr = errors.New(string(failure))
	}
	if err := errors.Join(writeErr, readErr); err != nil {
		p.kill()
		<-p.done
		return nil, err
	}
	return p, nil
}

func (p *process) wait(command *exec.Cmd, output io.Closer) {
	// The error repeats the exit code. The output is complete when Wait returns.
	_ = command.Wait()
	_ = output.Close()
	if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		p.signal = int32(status.Signal()) // #nosec G115 -- A signal number.
		p.exitCode = 128 + p.signal
	} else {
		p.exitCode = int32(command.ProcessState.ExitCode()) // #nosec G115 -- An exit code.
	}
	p.finished = time.Now()
	close(p.done)
}

// running tells whether the process has not ended yet.
func (p *process) running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// stop asks the process to end and kills it after the grace period. It does not wait.
func (p *process) stop(grace time.Duration) {
	p.stopOnce.Do(func() {
		if !p.running() {
			return
		}
		_ = syscall.Kill(-p.pid, syscall.SIGTERM)
		go func() {
			select {
			case <-p.done:
			case <-time.After(grace):
				p.kill()
			}
		}()
	})
}

// kill kills the process at once. The kernel then kills everything else in the container.
func (p *process) kill() {
	p.killOnce.Do(func() {
		if p.running() {
			_ = syscall.Kill(-p.pid, syscall.SIGKILL)
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	})
}
