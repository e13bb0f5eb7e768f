package edgetest

import (
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"github.com/sallyport-iap/sallyport/edge/facts"
)

// Countries is a database of networks, none within another, and the countries that they are in.
func Countries(t testing.TB, networks map[string]string) *facts.Countries {
	t.Helper()
	c, err := facts.LoadCountries(CountryFile(t, networks), slog.New(slog.DiscardHandler))
	must(t, err)
	return c
}

// CountryFile is the same as a file.
func CountryFile(t testing.TB, networks map[string]string) string {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "Test-Country", Description: map[string]string{"en": "for tests"}, IncludeReservedNetworks: true,
	})
	must(t, err)
	for cidr, code := range networks {
		_, network, err := net.ParseCIDR(cidr)
		must(t, err)
		must(t, tree.Insert(network, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}))
	}
	path := filepath.Join(t.TempDir(), "countries.mmdb")
	file, err := os.Create(path)
	must(t, err)
	_, err = tree.WriteTo(file)
	must(t, err)
	must(t, file.Close())
	return path
}
