package postgres

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
)

// untilWeAreGone runs a command, and kills it with all that it started when the other end of descriptor 3 is closed. The
// kernel would kill the command itself when we die, but not the servers that initdb starts for its work: on a busy
// machine they go on for seconds. All are one process group, the shells included.
const untilWeAreGone = `(read -r _ <&3; kill -KILL 0) &
"$@" 3<&-
status=$?
kill -KILL $!
exit $status`

// initdb makes a database.
func initdb(ctx context.Context, binaries string, as account, args ...string) error {
	theirs, ours, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("run initdb: %w", err)
	}
	defer ours.Close()
	defer theirs.Close()
	program := filepath.Join(binaries, "initdb")
	cmd := command("/bin/sh", append([]string{"-c", untilWeAreGone, "sh", program}, args...)...)
	cmd.Env = command(program).Env
	cmd.ExtraFiles = append(cmd.ExtraFiles, theirs) // descriptor 3
	cmd.SysProcAttr = as.attr()
	output := &launch.Tail{}
	cmd.Stdout, cmd.Stderr = output, output
	child, err := launch.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return as.explain(fmt.Errorf("run initdb: %w", err))
	}
	select {
	case <-child.Done():
	case <-ctx.Done():
		ours.Close()
		<-child.Done() // killed with the rest of its group
		return fmt.Errorf("run initdb: %w", context.Cause(ctx))
	}
	if err := child.Wait(); err != nil {
		return fmt.Errorf("run initdb: %w: %s", err, output.LastLines(3))
	}
	return nil
}
