//go:build unix && !linux

package postgres

import "syscall"

// inNamespace has no counterpart here: Postgres will refuse to run as root and say so.
func inNamespace(int, int) *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
