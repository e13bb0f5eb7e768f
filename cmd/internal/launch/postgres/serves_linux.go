package postgres

import (
	"bytes"
	"fmt"
	"os"
)

// serves reports whether the process is a Postgres server in that directory.
func serves(pid int, data string) bool {
	commandLine, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return err == nil && bytes.Contains(commandLine, []byte("\x00-D\x00"+data+"\x00"))
}
