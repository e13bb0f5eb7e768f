package server

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Limits of every HTTP server of ours. There is no write timeout: streams and waits have their own limits.
const (
	readHeaderTimeout = 5 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 32 << 10
	pingAfter         = 15 * time.Second // a connection that is quiet for so long is asked whether it is there
	pingTimeout       = 15 * time.Second
	streamsPerEdge    = 32
)

// newHTTP makes a server; its own complaints, such as failed handshakes, are worth a line only when somebody looks.
func newHTTP(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		HTTP2:             &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
	}
}

// newAPI serves HTTP/1.1 and HTTP/2 without TLS.
func newAPI(handler http.Handler, log *slog.Logger) *http.Server {
	s := newHTTP(handler, log)
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP1(true)
	s.Protocols.SetUnencryptedHTTP2(true)
	return s
}

// newSync serves HTTP/2 over TLS and nothing else.
func newSync(handler http.Handler, config *tls.Config, log *slog.Logger) *http.Server {
	s := newHTTP(handler, log)
	s.TLSConfig = config
	s.HTTP2.MaxConcurrentStreams = streamsPerEdge
	s.Protocols = new(http.Protocols)
	s.Protocols.SetHTTP2(true)
	return s
}

// serve serves until the server is shut down.
func serve(s *http.Server, l net.Listener) error {
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// stop lets requests end, and cuts those that do not in time.
func stop(s *http.Server, within time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if s.Shutdown(ctx) != nil {
		_ = s.Close()
	}
}
