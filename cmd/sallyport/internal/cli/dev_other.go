//go:build !unix

package cli

// platformCommands are none here.
type platformCommands struct{}
