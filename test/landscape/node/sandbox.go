// SPDX-FileCopyrightText: SAP SE or an SAP affiliate company and Gardener contributors
//
// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// sandboxCommand is the first argument with which the daemon starts itself to become a container.
	sandboxCommand = "sandbox-init"

	specFD      = 3
	failureFD   = 4
	namespaceFD = 5

	exitCodeSandbox = 128
	defaultPath     = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// sandboxSpec tells sandbox-init what to become. It is passed through a pipe because the environment may hold secrets.
type sandboxSpec struct {
	// Rootfs is a directory onto which the container's root is mounted.
	Rootfs string `json:"rootfs"`
	// ReadOnly makes the root read-only.
	ReadOnly bool `json:"readOnly,omitempty"`
	// JoinNetwork is set if file descriptor 5 is the network namespace to join.
	JoinNetwork bool           `json:"joinNetwork,omitempty"`
	Hostname    string         `json:"hostname"`
	Mounts      []sandboxMount `json:"mounts"`
	Files       []sandboxFile  `json:"files"`
	Args        []string       `json:"args"`
	Env         []string       `json:"env"`
	WorkingDir  string         `json:"workingDir"`
}

// sandboxMount is a bind mount of a file or directory.
type sandboxMount struct {
	Source   string `json:"source"`
	Target   string `json:"target"`
	ReadOnly bool   `json:"readOnly,omitempty"`
}

// sandboxFile is a file that is written into the container's root.
type sandboxFile struct {
	Path    string `json:"path"`
	Content string `json:"content"`
}

// MaybeRunSandbox must be the first call in the main function of the daemon. If the process has been started as a
// container it sets up the container, replaces itself with the container's command and never returns.
func MaybeRunSandbox() {
	if len(os.Args) < 2 || os.Args[1] != sandboxCommand {
		return
	}
	// The network namespace belongs to the thread that joins it.
	runtime.LockOSThread()
	failures := os.NewFile(failureFD, "failures")
	if err := runSandbox(); err != nil {
		_, _ = failures.WriteString(err.Error())
	}
	os.Exit(exitCodeSandbox)
}

func runSandbox() error {
	for _, fd := range []int{specFD, failureFD, namespaceFD} {
		unix.CloseOnExec(fd)
	}
	spec := &sandboxSpec{}
	if err := json.NewDecoder(os.NewFile(specFD, "spec")).Decode(spec); err != nil {
		return fmt.Errorf("failed to read the container's specification: %w", err)
	}

	if spec.JoinNetwork {
		if err := unix.Setns(namespaceFD, unix.CLONE_NEWNET); err != nil {
			return fmt.Errorf("failed to join the pod's network namespace: %w", err)
		}
	}
	if err := unix.Sethostname([]byte(spec.Hostname)); err != nil {
		return fmt.Errorf("failed to set hostname %q: %w", spec.Hostname, err)
	}
	unix.Umask(0)
	if err := mountRoot(spec); err != nil {
		return err
	}
	if err := unix.Chroot(spec.Rootfs); err != nil {
		return fmt.Errorf("failed to change root to %s: %w", spec.Rootfs, err)
	}
	if err := os.Chdir(spec.WorkingDir); err != nil {
		return fmt.Errorf("failed to change to working directory %s: %w", spec.WorkingDir, err)
	}
	unix.Umask(0o022)

	command, err := lookPath(spec.Args[0], spec.Env)
	if err != nil {
		return err
	}
	if err := dieWithDaemon(); err != nil {
		return err
	}
	if err := unix.Exec(command, spec.Args, spec.Env); err != nil {
		return fmt.Errorf("failed to execute %s (the binary must be static): %w", command, err)
	}
	return nil
}

// dieWithDaemon makes the kernel kill the container when the daemon ends. The daemon has asked for that, too, but only for
// the first thread, and this one need not be it.
func dieWithDaemon() error {
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0); err != nil {
		return fmt.Errorf("failed to ask for a signal at the end of the daemon: %w", err)
	}
	// The daemon holds the other end of the pipe, so it has ended before if that is closed.
	pipe := []unix.PollFd{{Fd: failureFD}}
	if _, err := unix.Poll(pipe, 0); err != nil {
		return fmt.Errorf("failed to find out whether the daemon is alive: %w", err)
	}
	if pipe[0].Revents&unix.POLLERR != 0 {
		return errors.New("the daemon has ended")
	}
	return nil
}

// mountRoot mounts the container's root in the mount namespace of the process.
func mountRoot(spec *sandboxSpec) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("failed to make the mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", spec.Rootfs, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("failed to mount the root onto %s: %w", spec.Rootfs, err)
	}

	for path, mode := range map[string]fs.FileMode{"tmp": 0o777 | fs.ModeSticky, "proc": 0o555, "dev": 0o755, "dev/shm": 0o777 | fs.ModeSticky, "root": 0o700} {
		directory := filepath.Join(spec.Rootfs, path)
		if err := os.MkdirAll(directory, 0o755); err != nil {
			return fmt.Errorf("failed to create directory /%s: %w", path, err)
		}
		if err := os.Chmod(directory, mode); err != nil {
			return fmt.Errorf("failed to change the mode of directory /%s: %w", path, err)
		}
	}
	for name, target := range map[string]string{"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"} {
		if err := os.Symlink(target, filepath.Join(spec.Rootfs, "dev", name)); err != nil {
			return fmt.Errorf("failed to link /dev/%s: %w", name, err)
		}
	}
	for _, file := range spec.Files {
		path := filepath.Join(spec.Rootfs, file.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return fmt.Errorf("failed to create the directory of %s: %w", file.Path, err)
		}
		if err := os.WriteFile(path, []byte(file.Content), 0o644); err != nil { // #nosec G306 -- Files of an image are public.
			return fmt.Errorf("failed to write %s: %w", file.Path, err)
		}
	}
	if err := os.MkdirAll(filepath.Join(spec.Rootfs, spec.WorkingDir), 0o755); err != nil {
		return fmt.Errorf("failed to create working directory %s: %w", spec.WorkingDir, err)
	}

	if err := mountProc(filepath.Join(spec.Rootfs, "proc")); err != nil {
		return err
	}
	mounts := spec.Mounts
	for _, device := range []string{"null", "zero", "random", "urandom", "full"} {
		mounts = append(mounts, sandboxMount{Source: "/dev/" + device, Target: "/dev/" + device})
	}
	slices.SortStableFunc(mounts, func(a, b sandboxMount) int {
		return strings.Count(filepath.Clean(a.Target), "/") - strings.Count(filepath.Clean(b.Target), "/")
	})
	for _, mount := range mounts {
		if err := bindMount(spec.Rootfs, mount); err != nil {
			return fmt.Errorf("failed to mount %s to %s: %w", mount.Source, mount.Target, err)
		}
	}
	if spec.ReadOnly {
		if err := unix.Mount("", spec.Rootfs, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
			return fmt.Errorf("failed to make the root read-only: %w", err)
		}
	}
	return nil
}

// mountProc mounts the processes of the container. Where a user namespace does not allow that it shows those of the host.
func mountProc(target string) error {
	err := unix.Mount("proc", target, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	if errors.Is(err, unix.EPERM) {
		err = unix.Mount("/proc", target, "", unix.MS_BIND|unix.MS_REC, "")
	}
	if err != nil {
		return fmt.Errorf("failed to mount /proc: %w", err)
	}
	return nil
}

func bindMount(root string, mount sandboxMount) error {
	info, err := os.Stat(mount.Source)
	if err != nil {
		return err
	}
	target := filepath.Join(root, mount.Target)
	directory := target
	if !info.IsDir() {
		directory = filepath.Dir(target)
	}
	if err := os.MkdirAll(directory, 0o755); err != nil {
		return err
	}
	if !info.IsDir() {
		file, err := os.OpenFile(target, os.O_CREATE|os.O_RDONLY, 0o644) // #nosec G302 G304 -- Empty mount point.
		if err != nil {
			return err
		}
		if err := file.Close(); err != nil {
			return err
		}
	}

	if err := unix.Mount(mount.Source, target, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	if !mount.ReadOnly {
		return nil
	}
	flags, err := mountFlags(target)
	if err != nil {
		return err
	}
	return unix.Mount("", target, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY|flags, "")
}

// mountFlags returns the flags of a mount that a remount must keep, because in a user namespace they cannot be dropped.
func mountFlags(path string) (uintptr, error) {
	stat := unix.Statfs_t{}
	if err := unix.Statfs(path, &stat); err != nil {
		return 0, err
	}
	var flags uintptr
	for status, flag := range map[int64]uintptr{
		unix.ST_NOSUID:     unix.MS_NOSUID,
		unix.ST_NODEV:      unix.MS_NODEV,
		unix.ST_NOEXEC:     unix.MS_NOEXEC,
		unix.ST_NOATIME:    unix.MS_NOATIME,
		unix.ST_NODIRATIME: unix.MS_NODIRATIME,
		unix.ST_RELATIME:   unix.MS_RELATIME,
	} {
		if stat.Flags&status != 0 {
			flags |= flag
		}
	}
	return flags, nil
}

// lookPath finds a command as execvp does, in the PATH of the container.
func lookPath(command string, env []string) (string, error) {
	if strings.Contains(command, "/") {
		return command, nil
	}
	path := defaultPath
	for _, variable := range env {
		if value, ok := strings.CutPrefix(variable, "PATH="); ok {
			path = value
		}
	}
	for _, directory := range filepath.SplitList(path) {
		candidate := filepath.Join(directory, command)
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("failed to find %q in PATH %s of the container: %w", command, path, exec.ErrNotFound)
}
