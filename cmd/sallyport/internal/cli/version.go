package cli

import "runtime/debug"

type versionCommand struct{}

func (versionCommand) Run(s *session) error {
	version := "(unknown)"
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
	}
	s.printf("sallyport %s\n", version)
	return nil
}
