package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/known/timestamppb"

	sallyportv1 "github.com/sallyport-iap/sallyport/proto/gen/sallyport/v1"
)

func TestEveryKindHasATable(t *testing.T) {
	t.Parallel()
	for collection, n := range nouns() {
		kind, err := protoregistry.GlobalTypes.FindMessageByName(n.resource.FullName())
		if err != nil {
			t.Fatal(err)
		}
		if says(kind.New().Interface(), time.Now()) == nil {
			t.Errorf("%s: nobody has said what a table tells of them", collection)
		}
	}
}

// What is long is cut, however much of it there is, but never an id.
func TestTableFits(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	many := func(form string) []string {
		var all []string
		for i := range 40 {
			all = append(all, fmt.Sprintf(form, i))
		}
		return all
	}
	long, id := strings.Repeat("длинный ", 30), strings.Repeat("i", 63)
	apps, err := findNoun("apps")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	var items []resource
	for _, a := range []*sallyportv1.App{
		{Name: "tenants/t/apps/" + id, DisplayName: long, Hosts: many("host-%d.of-some-length.example.com"), Revision: "c1", UpdateTime: timestamppb.New(now.Add(-90 * time.Second))},
		{Name: "tenants/t/apps/b", DisplayName: "\x1b[31mred\nnext", Hosts: []string{"b.example"}, Disabled: true, ManagedBy: "terraform", Revision: "c1042", UpdateTime: timestamppb.New(now.Add(-50 * time.Hour))},
	} {
		items = append(items, a.ProtoReflect())
	}
	newTable(place{noun: apps, parent: "tenants/t"}, items, now).print(&out)
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 3 || !strings.Contains(lines[1], id+" ") || strings.ContainsAny(out.String(), "\x1b") || !strings.Contains(lines[2], "2d ago") {
		t.Errorf("got\n%s", &out)
	}
	out.Reset()
	newTable(place{noun: apps, parent: "tenants/t"}, items[1:], now).print(&out)
	const want = "" +
		"ID  NAME           HOSTS      STATE     MANAGED BY  REVISION  UPDATED\n" +
		"b   \uFFFD[31mred next  b.example  disabled  terraform   c1042     2d ago\n"
	if out.String() != want {
		t.Errorf("got\n%s", &out)
	}
	items[0].Interface().(*sallyportv1.App).Name = "tenants/t/apps/a"
	out.Reset()
	newTable(place{noun: apps, parent: "tenants/t"}, items, now).print(&out)
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > lineWidth {
			t.Errorf("%d wide: %s", n, line)
		}
	}
	if !strings.Contains(out.String(), " +39 ") {
		t.Errorf("it does not say how many hosts there are\n%s", &out)
	}
}

func TestAway(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0s ago", -time.Second: "1s ago", -119 * time.Second: "119s ago", -2 * time.Minute: "2m ago", -119 * time.Minute: "119m ago",
		-2 * time.Hour: "2h ago", -47 * time.Hour: "47h ago", -48 * time.Hour: "2d ago", -900 * 24 * time.Hour: "900d ago",
		time.Second: "in 1s", 36 * time.Hour: "in 36h", 90 * 24 * time.Hour: "in 90d",
	} {
		if got := away(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}
