package policy

import (
	"cmp"
	"math/bits"
	"slices"
)

// index finds, among rules of one effect, those that a principal may be in the
// scope of: by what the principal is, not by looking at each rule. It is a list
// of blocks, so that what is found fits into a set of fixed size.
type index []block

const blockSize = 1024

// block is up to 1,024 rules, in order, and for each atom the rules that name it.
type block struct {
	rules []*rule
	words []indexWord
	spans []uint32 // of each atom of the words, in order: where its ranks begin
	ranks []uint16 // positions of rules
}

// indexWord is 64 neighbouring atoms, and those that have rules.
type indexWord struct {
	at    uint32
	first uint32 // position in spans of the first of them
	atoms uint64
}

func newIndex(rules []*rule) index {
	var x index
	for part := range slices.Chunk(rules, blockSize) {
		x = append(x, newBlock(part))
	}
	return x
}

func newBlock(rules []*rule) block {
	type entry struct {
		atom atom
		rank uint16
	}
	var entries []entry
	for rank, r := range rules {
		for _, a := range r.principals {
			entries = append(entries, entry{a, uint16(rank)})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Or(cmp.Compare(a.atom, b.atom), cmp.Compare(a.rank, b.rank)) })
	b := block{rules: slices.Clip(rules), ranks: make([]uint16, len(entries))}
	for i, e := range entries {
		b.ranks[i] = e.rank
		if i > 0 && entries[i-1].atom == e.atom {
			continue
		}
		if n := len(b.words); n == 0 || b.words[n-1].at != e.atom.word() {
			b.words = append(b.words, indexWord{at: e.atom.word(), first: uint32(len(b.spans))})
		}
		b.words[len(b.words)-1].atoms |= e.atom.bit()
		b.spans = append(b.spans, uint32(i))
	}
	b.words, b.spans = slices.Clip(b.words), slices.Clip(append(b.spans, uint32(len(entries))))
	return b
}

// candidates goes through the rules of an index that a principal is in the
// scope of, in order. It is on the stack of whoever decides.
type candidates struct {
	index index
	who   *Principal
	maybe bool // also those that it may be in the scope of
	block int  // that found is of, plus 1
	at    int  // word of found
	found [blockSize / 64]uint64
}

// next returns nil at the end.
func (c *candidates) next() *rule {
	for {
		for ; c.block > 0 && c.at < len(c.found); c.at++ {
			if set := c.found[c.at]; set != 0 {
				c.found[c.at] &= set - 1
				return c.index[c.block-1].rules[c.at*64+bits.TrailingZeros64(set)]
			}
		}
		if c.block == len(c.index) {
			return nil
		}
		c.index[c.block].find(c.who.atoms, c.maybe, &c.found)
		c.block++
		c.at = 0
	}
}

// find marks the rules that name what the principal is.
func (b *block) find(who []atomWord, maybe bool, found *[blockSize / 64]uint64) {
	for i := range b.words {
		w := &b.words[i]
		for len(who) > 0 && who[0].at < w.at {
			who = who[1:]
		}
		if len(who) == 0 {
			return
		}
		if who[0].at > w.at {
			continue
		}
		is := who[0].surely
		if maybe {
			is |= who[0].maybe
		}
		for is &= w.atoms; is != 0; is &= is - 1 {
			n := int(w.first) + position(w.atoms, is&-is)
			for _, rank := range b.ranks[b.spans[n]:b.spans[n+1]] {
				found[rank/64] |= 1 << (rank % 64)
			}
		}
	}
}
