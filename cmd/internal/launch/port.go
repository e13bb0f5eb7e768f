package launch

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"
)

// PortTaken says that somebody else listens on a port that we were told to use.
type PortTaken struct{ Port int }

func (e *PortTaken) Error() string { return fmt.Sprintf("port %d is taken by another program", e.Port) }

// Loopback is the address of a port on this machine only.
func Loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// Port returns the port to use: the wanted one if it is free (else *PortTaken), any free one for 0. Between this look and
// the listening of a child somebody else may take it; the child then fails, and says so.
func Port(wanted int) (int, error) {
	listener, err := net.Listen("tcp4", Loopback(wanted))
	if errors.Is(err, syscall.EADDRINUSE) {
		return 0, &PortTaken{Port: wanted}
	}
	if err != nil {
		return 0, fmt.Errorf("look for a port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}
