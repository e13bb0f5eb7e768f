package process

import (
	"fmt"
	"io"
	"log/slog"
)

// Logger makes the process's logger. format is "json" (for machines, the default of a service) or "text" (for a person
// at a terminal); level is a slog level name. Either unknown is an error that lists what there is.
func Logger(w io.Writer, format, level string) (*slog.Logger, error) {
	var at slog.Level
	if err := at.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("unknown log level %q: want debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: at}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, options)), nil
	}
	return nil, fmt.Errorf("unknown log format %q: want json or text", format)
}
