package cli

import (
	"runtime"
	"runtime/debug"
)

type versionCommand struct{}

func (versionCommand) Run(s *session) error {
	version := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	s.printf("sallyport %s %s %s/%s\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return nil
}
