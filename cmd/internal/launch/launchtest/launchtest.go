// Package launchtest is for tests that start programs: it has ports for them, and looks for processes that should be gone.
//
// It must never end one: what is left behind is the finding.
package launchtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Grace is how long the children of a killed parent may take.
const Grace = 3 * time.Second

// AwaitNothingOf waits, at most for Grace, until no process but this one has the directory in its command line or
// environment, or works in it. It is for Linux.
func AwaitNothingOf(t *testing.T, dir string) {
	t.Helper()
	deadline := time.After(Grace)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		left := processesOf(t, dir)
		if len(left) == 0 {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("still running: %q", left)
		case <-tick.C:
		}
	}
}

func processesOf(t *testing.T, dir string) []string {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, at := range processes {
		if at == fmt.Sprintf("/proc/%d", os.Getpid()) {
			continue
		}
		// All three are empty for a process that has gone meanwhile, and for a zombie, which has ended too.
		commandLine, _ := os.ReadFile(filepath.Join(at, "cmdline"))
		environ, _ := os.ReadFile(filepath.Join(at, "environ"))
		cwd, _ := os.Readlink(filepath.Join(at, "cwd"))
		if bytes.Contains(commandLine, []byte(dir)) || bytes.Contains(environ, []byte(dir)) || strings.HasPrefix(cwd, dir) {
			found = append(found, strings.ReplaceAll(string(commandLine), "\x00", " "))
		}
	}
	return found
}
