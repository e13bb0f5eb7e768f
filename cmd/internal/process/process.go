// Package process is how every main of this repository starts and ends: signals become a cancelled context, an error
// becomes one line and an exit status, and logs have one form.
//
// It must never know what the program does: no flags, no configuration, no business of any one binary.
package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

// Env is what a program may know of the process around it. Tests pass their own.
type Env struct {
	Args           []string // without the program's name
	Getenv         func(string) string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
}

// Run is a program: it blocks until its work is done or ctx is cancelled.
type Run func(ctx context.Context, env Env) error

// Signal is the cause (context.Cause) of a context that a signal cancelled.
type Signal struct{ os.Signal }

func (s Signal) Error() string { return "received " + s.String() }

// Exit is an error that asks for a particular exit status. Err may be nil when everything has been said already.
type Exit struct {
	Status int
	Err    error
}

func (e *Exit) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Status)
	}
	return e.Err.Error()
}

func (e *Exit) Unwrap() error { return e.Err }

// Main runs the program and ends the process. The first SIGINT or SIGTERM cancels the program's context; a second one
// kills the process at once, for a person who is tired of waiting for an orderly stop.
func Main(run Run) {
	ctx, stop := signalContext(context.Background())
	err := run(ctx, Env{Args: os.Args[1:], Getenv: os.Getenv, Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr})
	stop()
	os.Exit(status(ctx, err, filepath.Base(os.Args[0]), os.Stderr))
}

// signalContext is signal.NotifyContext, but the cause names the signal, and the default action is restored after it.
func signalContext(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	received := make(chan os.Signal, 1)
	signal.Notify(received, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-received:
			signal.Stop(received)
			cancel(Signal{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(received)
		cancel(context.Canceled)
	}
}

// status says the error, unless it only tells that the program stopped because it was asked to.
func status(ctx context.Context, err error, name string, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	var sig Signal
	if errors.As(context.Cause(ctx), &sig) && (errors.Is(err, context.Canceled) || errors.As(err, &sig)) {
		return 0
	}
	code := 1
	if exit := (*Exit)(nil); errors.As(err, &exit) {
		code = exit.Status
		if exit.Err == nil {
			return code
		}
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return code
}
