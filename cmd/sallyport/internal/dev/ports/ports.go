// Package ports checks, before anything starts, that `sallyport dev` can have the ports that it was told to use.
//
// It must never choose another port by itself: addresses are in bookmarks, in dev.json and in the identity provider's
// list of redirects.
package ports

import (
	"errors"
	"fmt"

	"github.com/sallyport-iap/sallyport/cmd/internal/launch"
)

// Use is one port that somebody will listen on.
type Use struct {
	Flag string // such as --edge1-port
	For  string // such as "edge eu-1, HTTPS"
	Port int
}

// Check reports every port that cannot be had, a line each, with the flag that changes it.
func Check(uses ...Use) error {
	var faults []error
	first := map[int]Use{}
	for _, use := range uses {
		if use.Port < 1 || use.Port > 65535 {
			faults = append(faults, fmt.Errorf("%s (%s): %d is not a port", use.Flag, use.For, use.Port))
			continue
		}
		if other, twice := first[use.Port]; twice {
			faults = append(faults, fmt.Errorf("%s (%s): port %d is that of %s (%s) already", use.Flag, use.For, use.Port, other.Flag, other.For))
			continue
		}
		first[use.Port] = use
		_, err := launch.Port(use.Port)
		if taken := (*launch.PortTaken)(nil); errors.As(err, &taken) {
			err = fmt.Errorf("port %d (%s) is taken by another program: end that, or choose another with %s", use.Port, use.For, use.Flag)
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}
