package launch

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// awaitGone waits until the process has ended, at most the 3 s that a killed parent's children have. A zombie has ended:
// only its new parent has not looked yet.
func awaitGone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.After(3 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil || bytes.Contains(status, []byte("\nState:\tZ")) {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("process %d is still there", pid)
		case <-tick.C:
		}
	}
}

// lockAndExit ends its thread: a goroutine that returns while locked takes the thread with it.
func lockAndExit(done chan<- struct{}) {
	runtime.LockOSThread()
	close(done)
}
