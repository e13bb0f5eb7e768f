package snapshot

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
)

func siteWith(uid string, hosts ...string) *Site {
	s := &Site{TenantUID: uid, hosts: map[string]*App{}}
	for _, h := range hosts {
		s.hosts[h] = &App{ID: h}
	}
	return s
}

// Whatever came and went, a table finds what one finds that is made of the same sites anew; and no older table changes.
func TestTablesFollowTheirSites(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	now := tableOf(nil, nil)
	sites := map[string]*Site{}
	var older *Table
	var olderSites map[string]*Site
	check := func(table *Table, sites map[string]*Site) {
		t.Helper()
		claims := map[string][]string{}
		for uid, s := range sites {
			if table.Site(uid) != s {
				t.Fatalf("seed %d: the site of %s is another", seed, uid)
			}
			for h := range s.hosts {
				claims[h] = append(claims[h], uid)
			}
		}
		for i := range 30 {
			h := fmt.Sprint("h", i)
			site, app, ok := table.Host(h)
			if ok != (len(claims[h]) == 1) || ok && (site.TenantUID != claims[h][0] || app != sites[claims[h][0]].hosts[h]) {
				t.Fatalf("seed %d: %s is found %t, and claimed by %v", seed, h, ok, claims[h])
			}
		}
		n := 0
		for range table.Sites {
			n++
		}
		if n != len(sites) {
			t.Fatalf("seed %d: %d sites, not %d", seed, n, len(sites))
		}
	}
	for step := range 2000 {
		uid := fmt.Sprint("t", random.IntN(20))
		var hosts []string
		for range random.IntN(4) {
			hosts = append(hosts, fmt.Sprint("h", random.IntN(30)))
		}
		s := siteWith(uid, hosts...)
		now = now.with(s, false)
		sites[uid] = s
		check(now, sites)
		if step%100 == 0 {
			if older != nil {
				check(older, olderSites)
			}
			older, olderSites = now, maps.Clone(sites)
		}
	}
}

// One tenant more, where there are 10,000 with 3 hosts each. An edge that starts does this 10,000 times.
func BenchmarkTenantOf10000(b *testing.B) {
	table := tableOf(nil, nil)
	tenant := func(i int) *Site {
		return siteWith(fmt.Sprintf("0195a000-0000-7000-8000-%012d", i), fmt.Sprint("auth.", i), fmt.Sprint("wiki.", i), fmt.Sprint("api.", i))
	}
	for i := range 10_000 {
		table = table.with(tenant(i), false)
	}
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		table = table.with(tenant(n%10_000), false)
		n++
	}
}
