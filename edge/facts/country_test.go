package facts_test

import (
	"bytes"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/sallyport-iap/sallyport/edge/facts"
)

// database writes records by network. The writer is the vendor's own: it shares
// no code with what reads.
func database(t testing.TB, records map[string]mmdbtype.DataType) []byte {
	t.Helper()
	tree, err := mmdbwriter.New(mmdbwriter.Options{
		DatabaseType: "Test-Country", Description: map[string]string{"en": "for tests"}, RecordSize: 24, IncludeReservedNetworks: true, DisableIPv4Aliasing: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, cidr := range slices.Sorted(maps.Keys(records)) { // a network within another comes after it
		_, network, err := net.ParseCIDR(cidr)
		if err != nil {
			t.Fatal(err)
		}
		if err := tree.Insert(network, records[cidr]); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if _, err := tree.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func country(code string) mmdbtype.DataType {
	return mmdbtype.Map{
		"continent": mmdbtype.Map{"code": mmdbtype.String("EU")},
		"country":   mmdbtype.Map{"geoname_id": mmdbtype.Uint32(1), "iso_code": mmdbtype.String(code)},
	}
}

func write(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "countries.mmdb")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func load(t testing.TB, path string) *facts.Countries {
	t.Helper()
	c, err := facts.LoadCountries(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var world = map[string]mmdbtype.DataType{
	"192.0.2.0/24":    country("DE"),
	"192.0.2.128/25":  country("FR"),
	"198.51.100.0/24": mmdbtype.Map{"continent": mmdbtype.Map{"code": mmdbtype.String("EU")}},
	"203.0.113.0/24":  country("zz"),
	"203.0.112.0/24":  mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String("Germany")}},
	"2001:db8::/32":   country("NZ"),
}

func TestCountry(t *testing.T) {
	t.Parallel()
	c := load(t, write(t, database(t, world)))
	for address, want := range map[string]string{
		"192.0.2.1": "DE", "192.0.2.127": "DE", "192.0.2.128": "FR", "192.0.2.255": "FR",
		"::ffff:192.0.2.1": "DE", "::ffff:c000:2ff": "FR", // an IPv4 address, however it is written
		"2001:db8::1": "NZ", "2001:db8::1%eth0": "NZ", "2001:db9::1": "",
		"192.0.3.1": "", "10.0.0.1": "", "127.0.0.1": "", "::1": "", "::": "", "0.0.0.0": "",
		"198.51.100.1": "",                    // a record that tells no country
		"203.0.113.1":  "", "203.0.112.1": "", // or not in two capitals
	} {
		if got := c.Of(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s is in %q, want %q", address, got, want)
		}
	}
	if got := c.Of(netip.Addr{}); got != "" {
		t.Errorf("an address that is unknown is in %q", got)
	}
	if got := (*facts.Countries)(nil).Of(netip.MustParseAddr("192.0.2.1")); got != "" {
		t.Errorf("without a database it is in %q", got)
	}
}

func TestCountryAllocatesNothing(t *testing.T) {
	c, a := load(t, write(t, database(t, world))), netip.MustParseAddr("192.0.2.1")
	if n := testing.AllocsPerRun(100, func() { c.Of(a) }); n != 0 {
		t.Errorf("a lookup makes %v allocations", n)
	}
}

// What cannot be relied on is found before anything is decided on it.
func TestBadDatabases(t *testing.T) {
	t.Parallel()
	good := database(t, world)
	bad := map[string][]byte{
		"empty":       {},
		"text":        []byte("192.0.2.0/24 DE\n"),
		"half":        good[:len(good)/2],
		"no country":  database(t, map[string]mmdbtype.DataType{"192.0.2.0/24": mmdbtype.Map{"autonomous_system_number": mmdbtype.Uint32(1)}}),
		"other type":  database(t, map[string]mmdbtype.DataType{"192.0.2.0/24": mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.Uint32(7)}}}),
		"flat":        database(t, map[string]mmdbtype.DataType{"192.0.2.0/24": mmdbtype.Map{"country": mmdbtype.String("DE")}}),
		"no networks": database(t, nil),
	}
	for name, content := range bad {
		if _, err := facts.LoadCountries(write(t, content), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "countries.mmdb") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, path := range []string{"/nowhere/countries.mmdb", t.TempDir(), "/dev/zero"} {
		if _, err := facts.LoadCountries(path, slog.New(slog.DiscardHandler)); err == nil {
			t.Errorf("%s was read", path)
		}
	}
}

// A tree whose branches meet again has few nodes and more networks than anybody
// can count. Its nodes and records are sound, each by itself.
func TestCountriesOfNoTree(t *testing.T) {
	t.Parallel()
	content := database(t, map[string]mmdbtype.DataType{"2001:db8::/64": country("NZ")})
	reader, err := maxminddb.OpenBytes(content)
	if err != nil {
		t.Fatal(err)
	}
	nodes := reader.Metadata.NodeCount
	if reader.Metadata.RecordSize != 24 || nodes < 60 {
		t.Fatalf("the writer made %d nodes of 2 × %d bits", nodes, reader.Metadata.RecordSize)
	}
	record := func(b []byte) uint { return uint(b[0])<<16 | uint(b[1])<<8 | uint(b[2]) }
	for i := range nodes {
		left, right := content[6*i:6*i+3], content[6*i+3:6*i+6]
		if record(left) < nodes {
			copy(right, left)
		} else if record(right) < nodes {
			copy(left, right)
		}
	}
	if _, err := facts.LoadCountries(write(t, content), slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "no tree") {
		t.Errorf("got %v", err)
	}
}

// A database that is replaced is used; one that is broken is not.
func TestCountriesAreReadAgain(t *testing.T) {
	t.Parallel()
	first, second := database(t, world), database(t, map[string]mmdbtype.DataType{"192.0.2.0/24": country("AT")})
	path := write(t, first)
	a := netip.MustParseAddr("192.0.2.1")
	synctest.Test(t, func(t *testing.T) {
		c, err := facts.LoadCountries(path, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = c.Run(t.Context()) }()
		for _, step := range []struct {
			content []byte
			want    string
		}{{second, "AT"}, {first[:100], "AT"}, {nil, "AT"}, {first, "DE"}} {
			if step.content == nil {
				err = os.Remove(path)
			} else {
				err = os.WriteFile(path, step.content, 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(11 * time.Second)
			synctest.Wait()
			if got := c.Of(a); got != step.want {
				t.Errorf("got %q, want %q", got, step.want)
			}
		}
	})
}

// Whatever a file holds, it is refused or it answers.
func FuzzCountries(f *testing.F) {
	good := database(f, world)
	f.Add(good)
	f.Add(good[:len(good)-20])
	f.Fuzz(func(t *testing.T, content []byte) {
		c, err := facts.LoadCountries(write(t, content), slog.New(slog.DiscardHandler))
		if err != nil {
			return
		}
		for _, text := range []string{"192.0.2.1", "2001:db8::1", "::", "255.255.255.255"} {
			if got := c.Of(netip.MustParseAddr(text)); got != "" && (len(got) != 2 || strings.ToUpper(got) != got) {
				t.Errorf("%s is in %q", text, got)
			}
		}
	})
}

func BenchmarkCountry(b *testing.B) {
	c := load(b, write(b, database(b, world)))
	a := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		if c.Of(a) != "DE" {
			b.Fatal("elsewhere")
		}
	}
}
