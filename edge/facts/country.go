package facts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"
)

// maxCountryFile is several times the largest database of cities that is sold.
const maxCountryFile = 1 << 30

// reloadEvery is how soon a database that was replaced is used.
const reloadEvery = 10 * time.Second

// Countries knows in which country an address is, from a file in MaxMind's
// format. The whole file is in memory: no request waits for a disk, and whoever
// replaces the file while it is read breaks nothing. A nil one knows nothing.
type Countries struct {
	path    string
	log     *slog.Logger
	current atomic.Pointer[countries]
	stamp   string
}

// countries is one version of the file. Many networks share a record, and what
// the records say is read once.
type countries struct {
	reader  *maxminddb.Reader
	records map[uintptr]string
}

// LoadCountries reads a file. Any fault in it is an error, and so is one that
// tells no country at all.
func LoadCountries(path string, log *slog.Logger) (*Countries, error) {
	c := &Countries{path: path, log: log}
	return c, c.load()
}

// Of returns the ISO 3166-1 alpha-2 code of an address's country in capitals, or
// "" if it is unknown. It allocates nothing.
func (c *Countries) Of(a netip.Addr) string {
	if c == nil || !a.IsValid() {
		return ""
	}
	now := c.current.Load()
	found := now.reader.Lookup(normal(a))
	if !found.Found() {
		return ""
	}
	return now.records[found.Offset()]
}

// Run reads the file again when it changed. While it cannot be read, what was
// known before is kept: countries hardly move.
func (c *Countries) Run(ctx context.Context) error {
	if c == nil {
		<-ctx.Done()
		return nil
	}
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			c.refresh(ctx)
		}
	}
}

func (c *Countries) refresh(ctx context.Context) {
	stamp, err := c.version()
	if err == nil && stamp == c.stamp {
		return
	}
	if err == nil {
		err = c.load()
	}
	if err != nil {
		c.log.ErrorContext(ctx, "countries cannot be read again; what was known is kept", slog.Any("error", err))
		return
	}
	c.log.InfoContext(ctx, "countries were read again", slog.Time("built", c.current.Load().reader.Metadata.BuildTime()))
}

// version tells apart versions of the file.
func (c *Countries) version() (string, error) {
	info, err := os.Stat(c.path)
	switch {
	case err != nil:
		return "", err
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("%s is no file", c.path)
	case info.Size() > maxCountryFile:
		return "", fmt.Errorf("%s is larger than 1 GiB", c.path)
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano()), nil
}

func (c *Countries) load() error {
	stamp, err := c.version()
	if err != nil {
		return err
	}
	content, err := os.ReadFile(c.path)
	if err != nil {
		return err
	}
	next, err := read(content)
	if err != nil {
		return fmt.Errorf("%s: %w", c.path, err)
	}
	c.current.Store(next)
	c.stamp = stamp
	return nil
}

var errNoCountries = errors.New("it has no country.iso_code, so it is no database of countries or cities")

// read checks all of a database, so that no request meets what is broken.
func read(content []byte) (*countries, error) {
	reader, err := maxminddb.OpenBytes(content)
	if err != nil {
		return nil, fmt.Errorf("it is no MaxMind database: %w", err)
	}
	if err := reader.Verify(); err != nil {
		return nil, fmt.Errorf("it is broken: %w", err)
	}
	c := &countries{reader: reader, records: map[uintptr]string{}}
	known := false
	// A tree has one leaf more than nodes. One whose branches meet again looks
	// small, and would be walked for years.
	leaves := reader.Metadata.NodeCount + 1
	for network := range reader.Networks(maxminddb.IncludeNetworksWithoutData()) {
		if leaves == 0 {
			return nil, errors.New("it is broken: its networks are no tree")
		}
		leaves--
		if !network.Found() && network.Err() == nil {
			continue
		}
		if _, seen := c.records[network.Offset()]; seen {
			continue
		}
		var code string
		if err := network.DecodePath(&code, "country", "iso_code"); err != nil {
			return nil, fmt.Errorf("it is broken: %w", err)
		}
		if !isCountry(code) {
			code = ""
		}
		known = known || code != ""
		c.records[network.Offset()] = code
	}
	if !known {
		return nil, errNoCountries
	}
	return c, nil
}

func isCountry(code string) bool {
	return len(code) == 2 && 'A' <= code[0] && code[0] <= 'Z' && 'A' <= code[1] && code[1] <= 'Z'
}
