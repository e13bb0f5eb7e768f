package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestStatus(t *testing.T) {
	t.Parallel()
	signalled, cancel := context.WithCancelCause(context.Background())
	cancel(Signal{os.Interrupt})
	boom := errors.New("boom")

	for name, tc := range map[string]struct {
		ctx  context.Context
		err  error
		want int
		says string
	}{
		"success":                      {context.Background(), nil, 0, ""},
		"failure":                      {context.Background(), boom, 1, "prog: boom\n"},
		"status with a reason":         {context.Background(), fmt.Errorf("read flags: %w", &Exit{2, boom}), 2, "prog: read flags: boom\n"},
		"status, all said":             {context.Background(), &Exit{Status: 7}, 7, ""},
		"stopped by signal":            {signalled, fmt.Errorf("serve: %w", context.Canceled), 0, ""},
		"stopped by signal, the cause": {signalled, context.Cause(signalled), 0, ""},
		"broke while stopping":         {signalled, boom, 1, "prog: boom\n"},
		"cancelled, but not by signal": {context.Background(), context.Canceled, 1, "prog: context canceled\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stderr bytes.Buffer
			if got := status(tc.ctx, tc.err, "prog", &stderr); got != tc.want || stderr.String() != tc.says {
				t.Errorf("status = %d, said %q; want %d, %q", got, &stderr, tc.want, tc.says)
			}
		})
	}
}

// Not parallel: the signal is sent to the whole test process.
func TestSignalContext(t *testing.T) {
	ctx, stop := signalContext(context.Background())
	defer stop()
	if err := syscall.Kill(os.Getpid(), syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-ctx.Done()
	var sig Signal
	if !errors.As(context.Cause(ctx), &sig) || sig.Signal != syscall.SIGTERM {
		t.Errorf("cause = %v, want SIGTERM", context.Cause(ctx))
	}
}

func TestLogger(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log, err := Logger(&out, "json", "warn")
	if err != nil {
		t.Fatal(err)
	}
	log.Info("quiet")
	log.Warn("loud", "port", 8443)
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, `"msg":"loud","port":8443`) {
		t.Errorf("log = %s", got)
	}
	if _, err := Logger(&out, "xml", "info"); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("unknown format: %v", err)
	}
	if _, err := Logger(&out, "json", "chatty"); err == nil || !strings.Contains(err.Error(), `"chatty"`) {
		t.Errorf("unknown level: %v", err)
	}
}
