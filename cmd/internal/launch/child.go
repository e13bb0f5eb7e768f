// Package launch starts the programs that a development machine or a test run needs beside us (its sub-packages know
// which: Postgres, Redis), so that they never outlive us: not when we end, not when we crash, not when we are killed
// with SIGKILL.
//
// It must never be used for anything that should survive its parent, and never by a server in production.
package launch

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Child is a started process that dies with us.
type Child struct {
	process *os.Process
	done    chan struct{}
	err     error // written before done is closed
}

// Start starts the command. onOrphaned is the signal that the kernel sends it when we are gone. The child gets a process
// group of its own, so that Ctrl-C reaches it through us only, in our order.
func Start(cmd *exec.Cmd, onOrphaned syscall.Signal) (*Child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	return StartInGroup(cmd, onOrphaned)
}

// StartInGroup is Start for a child that shares our process group, and so the terminal.
func StartInGroup(cmd *exec.Cmd, onOrphaned syscall.Signal) (*Child, error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	dieWithParent(cmd.SysProcAttr, onOrphaned)
	if cmd.WaitDelay == 0 {
		// A grandchild that still holds our pipe must not keep us waiting for its end.
		cmd.WaitDelay = time.Second
	}

	child := &Child{done: make(chan struct{})}
	started := make(chan error)
	// The kernel watches the thread that forked, not the process (golang.org/issue/27505): if that thread ended, the child
	// would be killed. So one goroutine keeps one thread from fork to wait.
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		child.process = cmd.Process
		started <- nil
		child.err = cmd.Wait()
		close(child.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return child, nil
}

// Pid is the child's process id.
func (c *Child) Pid() int { return c.process.Pid }

// Done is closed when the child has ended and been waited for.
func (c *Child) Done() <-chan struct{} { return c.done }

// Wait blocks until the child has ended and says how, as (*exec.Cmd).Wait does.
func (c *Child) Wait() error {
	<-c.done
	return c.err
}

// Signal sends a signal; to a child that has ended it does nothing.
func (c *Child) Signal(s os.Signal) error {
	if err := c.process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// Step is one rung of Stop: send the signal, give the child that long.
type Step struct {
	Signal syscall.Signal
	Grace  time.Duration
}

// Stop climbs the steps until the child has ended, and kills it after the last. When Stop returns, it is gone.
func (c *Child) Stop(steps ...Step) {
	for _, step := range steps {
		// An error means that it cannot be signalled; the next step, and SIGKILL in the end, are the answer to that.
		_ = c.Signal(step.Signal)
		select {
		case <-c.done:
			return
		case <-time.After(step.Grace):
		}
	}
	_ = c.Signal(syscall.SIGKILL)
	<-c.done
}
