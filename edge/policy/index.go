package policy

import (
	"cmp"
	"math/bits"
	"slices"
)

// block is up to 64 rules of an operation, in order, and for each atom that some
// of them name, which. What a principal is in the scope of is found 64 atoms and
// 64 rules at a time, without looking at a rule.
type block struct {
	words []indexWord
	masks []uint64 // of each atom of the words, in order: the rules that name it
	rules []*rule
}

// indexWord is 64 neighbouring atoms, and those that have rules.
type indexWord struct {
	at    uint32
	first uint32 // position in masks of the first of them
	atoms uint64
}

// newBlocks makes blocks of rules: DENYs, then REQUIREs, then ALLOWs, each in
// the order in which they are told.
func newBlocks(rules []*rule) []block {
	blocks := make([]block, 0, (len(rules)+63)/64)
	for part := range slices.Chunk(rules, 64) {
		blocks = append(blocks, newBlock(slices.Clip(part)))
	}
	return blocks
}

func newBlock(rules []*rule) block {
	type entry struct {
		atom atom
		rule uint64
	}
	var space [256]entry
	entries := space[:0]
	for i, r := range rules {
		for _, a := range r.principals {
			entries = append(entries, entry{a, 1 << i})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.atom, b.atom) })
	words, masks := 0, 0
	for i, e := range entries {
		if i == 0 || entries[i-1].atom != e.atom {
			masks++
		}
		if i == 0 || entries[i-1].atom.word() != e.atom.word() {
			words++
		}
	}
	b := block{rules: rules, words: make([]indexWord, 0, words), masks: make([]uint64, 0, masks)}
	for i, e := range entries {
		if i == 0 || entries[i-1].atom.word() != e.atom.word() {
			b.words = append(b.words, indexWord{at: e.atom.word(), first: uint32(len(b.masks))})
		}
		if i == 0 || entries[i-1].atom != e.atom {
			b.masks = append(b.masks, 0)
			b.words[len(b.words)-1].atoms |= e.atom.bit()
		}
		b.masks[len(b.masks)-1] |= e.rule
	}
	return b
}

// find returns the rules that name what the principal is, and what it may be.
func (b *block) find(who []atomWord) (surely, maybe uint64) {
	for i := range b.words {
		w := &b.words[i]
		for len(who) > 0 && who[0].at < w.at {
			who = who[1:]
		}
		if len(who) == 0 {
			break
		}
		if who[0].at > w.at {
			continue
		}
		for is := who[0].surely & w.atoms; is != 0; is &= is - 1 {
			surely |= b.masks[int(w.first)+position(w.atoms, is&-is)]
		}
		for is := who[0].maybe & w.atoms; is != 0; is &= is - 1 {
			maybe |= b.masks[int(w.first)+position(w.atoms, is&-is)]
		}
	}
	return surely, maybe
}

// candidates goes once through the rules of an operation whose scope is not
// false for a principal: effect by effect, as the decision procedure does.
type candidates struct {
	blocks []block // the first is the one that is gone through
	who    *Principal
	loaded bool
	surely uint64
	left   uint64
}

// next returns nil after the last of an effect.
func (c *candidates) next(effect effect) *rule {
	for len(c.blocks) > 0 {
		if !c.loaded {
			surely, maybe := c.blocks[0].find(c.who.atoms)
			c.surely, c.left, c.loaded = surely, surely|maybe, true
		}
		for ; c.left != 0; c.left &= c.left - 1 {
			r := c.blocks[0].rules[bits.TrailingZeros64(c.left)]
			switch {
			case r.effect > effect:
				return nil
			case r.effect < effect:
				// left over from an effect of which no more had to be known
			case effect == allows && c.surely&c.left&-c.left == 0:
				// may be in scope, which grants nothing
			default:
				c.left &= c.left - 1
				return r
			}
		}
		c.blocks, c.loaded = c.blocks[1:], false
	}
	return nil
}
