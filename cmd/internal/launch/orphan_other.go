//go:build unix && !linux

package launch

import "syscall"

// Only Linux tells a process that its parent is gone. Elsewhere a SIGKILL of ours leaves the child running; every other
// end stops it.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}

// FollowParent does nothing here.
func FollowParent() error { return nil }

// AdoptOrphans does nothing here.
func AdoptOrphans() error { return nil }

// KillOrphans does nothing here.
func KillOrphans() {}
