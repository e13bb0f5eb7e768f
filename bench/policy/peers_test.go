package policy

import (
	"fmt"
	"testing"
)

var peers = []struct {
	name string
	make func(*corpus) (func(int) bool, error)
}{{"sallyport", ours}, {"cedar-go", cedarPeer}, {"opa", opaPeer}}

var sizes = []int{10, 1000}

const mixed = 10_000

// TestPeersAgree shows that the three decide the same before anybody compares how fast.
func TestPeersAgree(t *testing.T) {
	for _, rules := range sizes {
		c := newCorpus(rules, mixed)
		outcomes := make([][]bool, len(peers))
		for p, peer := range peers {
			decide, err := peer.make(c)
			if err != nil {
				t.Fatalf("%s: %v", peer.name, err)
			}
			for i := range c.requests {
				outcomes[p] = append(outcomes[p], decide(i))
			}
		}
		allowed := 0
		for i, r := range c.requests {
			if outcomes[0][i] {
				allowed++
			}
			for p := range peers {
				if outcomes[p][i] != outcomes[0][i] {
					t.Fatalf("%d rules, request %d %+v: %s says %t, %s says %t", rules, i, r, peers[0].name, outcomes[0][i], peers[p].name, outcomes[p][i])
				}
			}
		}
		if allowed < mixed/50 || allowed > mixed*49/50 {
			t.Errorf("%d rules: %d of %d are allowed, which says little", rules, allowed, mixed)
		}
		t.Logf("%d rules: %d of %d requests are allowed, by each of the three", rules, allowed, mixed)
	}
}

// BenchmarkPeers decides the same requests in turn, by each.
func BenchmarkPeers(b *testing.B) {
	for _, rules := range sizes {
		c := newCorpus(rules, 4096)
		for _, peer := range peers {
			b.Run(fmt.Sprintf("rules=%d/engine=%s", rules, peer.name), func(b *testing.B) {
				decide, err := peer.make(c)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				i := 0
				for b.Loop() {
					decide(i & 4095)
					i++
				}
			})
		}
	}
}
