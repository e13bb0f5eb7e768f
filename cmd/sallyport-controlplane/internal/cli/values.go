package cli

import (
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/process"
	"github.com/sallyport-iap/sallyport/cmd/internal/settings"
)

// logging is how the program logs.
type logging struct {
	LogFormat string `help:"json or text." default:"json"`
	LogLevel  string `help:"debug, info, warn or error." default:"info"`
}

func (l logging) open(env process.Env) (*slog.Logger, error) {
	log, err := process.Logger(env.Stderr, l.LogFormat, l.LogLevel)
	if err != nil {
		return nil, fmt.Errorf("--log-format, --log-level: %w", err)
	}
	return log, nil
}

// secretURL is a database URL, given as it is or in a file.
type secretURL struct {
	flag, given, file string
	value             string
}

// read checks the URL. No error shows any of it: there is a password in it, perhaps where none should be.
func (u *secretURL) read() error {
	u.value = u.given
	switch {
	case u.given != "" && u.file != "":
		return fmt.Errorf("--%s and --%s-file: only one of them", u.flag, u.flag)
	case u.given == "" && u.file == "":
		return fmt.Errorf("--%s (or --%s-file, or %s) is required", u.flag, u.flag, variable(u.flag))
	case u.file != "":
		text, err := settings.ReadFile(u.file)
		if err != nil {
			return fmt.Errorf("--%s-file: %w", u.flag, err)
		}
		u.value = strings.TrimSpace(string(text))
	}
	parsed, err := url.Parse(u.value)
	if err != nil || parsed.Scheme != "postgres" && parsed.Scheme != "postgresql" || parsed.Host == "" {
		return fmt.Errorf("--%s: must be a URL such as postgres://role:password@host:5432/database", u.flag)
	}
	return nil
}

// redacted is the URL without its password and parameters.
func (u *secretURL) redacted() string {
	parsed, err := url.Parse(u.value)
	if err != nil {
		return "invalid"
	}
	parsed.RawQuery = ""
	return parsed.Redacted()
}

// duration reads a time such as 30s.
func duration(flag, text string, least time.Duration) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil || d < least {
		return 0, fmt.Errorf("--%s: %q is not a time such as 30s, of at least %s", flag, text, least)
	}
	return d, nil
}
