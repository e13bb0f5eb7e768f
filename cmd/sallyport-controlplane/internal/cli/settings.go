package cli

import (
	"fmt"

	"github.com/sallyport-iap/sallyport/cmd/internal/commandline"
	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/internal/settings"
)

// check returns all faults as one error: those of the file, and those that a command found in its values.
func check(s *settings.Settings, found ...error) error {
	if all := s.Faults(found...); all != nil {
		return &process.Exit{Status: commandline.Misused, Err: fmt.Errorf("%w\nThe command's --help tells every setting.", all)}
	}
	return nil
}

// variable is the name of a flag's environment variable.
func variable(flag string) string { return (&settings.Settings{Prefix: prefix}).Variable(flag) }
