package serve

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
)

func TestRun(t *testing.T) {
	t.Parallel()
	listener, err := Listen(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().(*net.TCPAddr)
	if !addr.IP.IsLoopback() {
		t.Errorf("listens on %s", addr)
	}
	_, err = Listen(t.Context(), addr.Port)
	if taken := (*launch.PortTaken)(nil); !errors.As(err, &taken) || taken.Port != addr.Port {
		t.Errorf("a taken port: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	begun := make(chan struct{})
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(begun)
		<-r.Context().Done() // a request that would never end by itself
	})
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, listener, handler, slog.New(slog.DiscardHandler)) }()

	asked := make(chan error, 1)
	go func() {
		response, err := http.Get("http://" + addr.String())
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
		}
		asked <- err
	}()
	<-begun
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-time.After(3 * time.Second):
		t.Fatal("still serving")
	}
	<-asked // however it ended
	if conn, err := net.DialTimeout("tcp4", addr.String(), time.Second); err == nil {
		conn.Close()
		t.Error("somebody still listens")
	}
}
