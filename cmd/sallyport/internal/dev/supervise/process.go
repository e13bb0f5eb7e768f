package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
)

// Process is a program of ours that runs as a child.
type Process struct {
	Command func() *exec.Cmd            // a new one for each start; its output is ours
	Output  io.Writer                   // where stdout and stderr go
	Ready   func(context.Context) error // blocks until the program can be used, see Answers
	Started func(pid int)               // told at each start; may be nil
}

// stopGrace is short: three stages have to end within 3 s. A program that drains for longer is killed, as it would be
// by an impatient person.
const stopGrace = 700 * time.Millisecond

// Run is an Attempt.
func (p Process) Run(ctx context.Context, ready func()) error {
	output := &launch.Tail{To: p.Output}
	cmd := p.Command()
	cmd.Stdout, cmd.Stderr = output, output
	child, err := launch.Start(cmd, syscall.SIGKILL)
	if err != nil {
		return err
	}
	if p.Started != nil {
		p.Started(child.Pid())
	}
	probing, stopProbing := context.WithCancel(ctx)
	probed := make(chan error, 1)
	var probe sync.WaitGroup
	probe.Go(func() { probed <- p.Ready(probing) })
	defer probe.Wait()
	defer stopProbing()

	wasReady := false
	for {
		select {
		case err := <-probed:
			if err == nil {
				wasReady = true
				ready()
				continue
			}
			if ctx.Err() == nil {
				child.Stop(launch.Step{Signal: syscall.SIGTERM, Grace: stopGrace})
				return fmt.Errorf("not ready: %w", err)
			}
		case <-ctx.Done():
			child.Stop(launch.Step{Signal: syscall.SIGTERM, Grace: stopGrace})
			return nil
		case <-child.Done():
			err := child.Wait()
			if err == nil {
				err = errors.New("exit status 0")
			}
			if !wasReady {
				return fmt.Errorf("%w: %s", err, output.LastLines(3))
			}
			return err
		}
	}
}

const probeEvery = 20 * time.Millisecond

// Answers blocks until a GET of the URL is answered with 200.
func Answers(url string) func(context.Context) error {
	client := &http.Client{Timeout: time.Second}
	return func(ctx context.Context) error {
		tick := time.NewTicker(probeEvery)
		defer tick.Stop()
		for {
			if answers(ctx, client, url) {
				return nil
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-tick.C:
			}
		}
	}
}

func answers(ctx context.Context, client *http.Client, url string) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := client.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}
