package header

import (
	"maps"
	"net/http"
	"testing"
)

func BenchmarkStrip(b *testing.B) {
	source := http.Header{
		"Accept": {"text/html,application/xhtml+xml"}, "Accept-Encoding": {"gzip, br"}, "Accept-Language": {"en"}, "Cache-Control": {"max-age=0"},
		"User-Agent": {"Mozilla/5.0"}, "Referer": {"https://wiki.acme.test/"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"},
		"Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-User": {"?1"}, "Upgrade-Insecure-Requests": {"1"}, "Connection": {"keep-alive"},
		"Cookie": {"theme=dark; __Host-sp=abcdefghijklmnopqrstuvwxyz.0123456789; lang=en"},
	}
	h := make(http.Header, len(source))
	b.ReportAllocs()
	for b.Loop() {
		maps.Copy(h, source)
		if _, err := Strip(h, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
