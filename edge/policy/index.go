package policy

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/sallyport-iap/sallyport/edge/policy/who"
)

// block is up to 64 rules of an operation, and an index of them by atom. What a
// principal is in the scope of is found 64 atoms and 64 rules at a time, without
// looking at a rule.
//
// Words and masks are in one slice, because a decision about an app that was
// not asked for lately takes as long as it reads places in memory.
type block struct {
	// First the words, of two numbers each: which 64 atoms (upper half) and where
	// their masks begin (lower half), then those of them that rules name. After
	// them the masks: for each atom, the rules that name it; then, from same on and
	// unless that is 0, for each rule those that it speaks for.
	bits  []uint64
	words int
	same  int
	rules []*rule
	sets  [effectCount]uint64 // of rules
}

// newBlocks makes blocks of rules that are in order of effect.
func newBlocks(rules []*rule) []block {
	blocks := make([]block, 0, (len(rules)+63)/64)
	for part := range slices.Chunk(rules, 64) {
		blocks = append(blocks, newBlock(slices.Clone(part)))
	}
	return blocks
}

func newBlock(rules []*rule) block {
	b := block{rules: rules}
	masks := map[who.Atom]uint64{}
	for i, r := range rules {
		b.sets[r.effect] |= 1 << i
		for _, a := range r.principals {
			masks[a] |= 1 << i
		}
	}
	atoms := make([]who.Atom, 0, len(masks))
	for a := range masks {
		atoms = append(atoms, a)
	}
	slices.Sort(atoms)
	for i, a := range atoms {
		if i == 0 || atoms[i-1].Word() != a.Word() {
			b.words++
		}
	}
	b.bits = make([]uint64, 0, 2*b.words+len(atoms))
	for i, a := range atoms {
		if i == 0 || atoms[i-1].Word() != a.Word() {
			b.bits = append(b.bits, uint64(a.Word())<<32|uint64(2*b.words+i), 0)
		}
		b.bits[len(b.bits)-1] |= a.Bit()
	}
	for _, a := range atoms {
		b.bits = append(b.bits, masks[a])
	}
	if same := alike(rules); same != nil {
		b.same = len(b.bits)
		b.bits = append(b.bits, same...)
	}
	return b
}

// alike returns, for each rule, those after it of its unit that make the same
// demand: if it decides nothing, nor do those of them that have its effect. Nil if there are none.
func alike(rules []*rule) []uint64 {
	var same []uint64
	for i, r := range rules {
		for j := i + 1; r.demand > 0 && j < len(rules); j++ {
			if rules[j].unit != r.unit || rules[j].demand != r.demand {
				continue
			}
			if same == nil {
				same = make([]uint64, len(rules))
			}
			same[i] |= 1 << j
		}
	}
	return same
}

// find returns, by effect, the rules that have a scope which is not false for a
// principal, and of the ALLOWs only those that have one which is true.
func (b *block) find(is []who.Word) (found [effectCount]uint64) {
	var surely, maybe uint64
	for i := 0; i < 2*b.words; i += 2 {
		at, first, named := uint32(b.bits[i]>>32), int(uint32(b.bits[i])), b.bits[i+1]
		for len(is) > 0 && is[0].At < at {
			is = is[1:]
		}
		if len(is) == 0 {
			break
		}
		if is[0].At > at {
			continue
		}
		for atoms := is[0].Surely & named; atoms != 0; atoms &= atoms - 1 {
			surely |= b.bits[first+who.Position(named, atoms&-atoms)]
		}
		for atoms := is[0].Maybe & named; atoms != 0; atoms &= atoms - 1 {
			maybe |= b.bits[first+who.Position(named, atoms&-atoms)]
		}
	}
	found[denies] = b.sets[denies] & (surely | maybe)
	found[requires] = b.sets[requires] & (surely | maybe)
	found[allows] = b.sets[allows] & surely
	return found
}

// candidates goes once through the rules of an operation that [block.find]
// finds: effect by effect, as the decision procedure does, and in the order in
// which rules are told. Of rules of a block that are alike in all that the
// procedure still has to look at, it has the first, which is told for all.
type candidates struct {
	atoms []who.Word // of the principal
	block *block
	more  []block
	found [effectCount]uint64 // in block, and not gone through
}

func (op *operation) candidates(atoms []who.Word) candidates {
	return candidates{atoms: atoms, block: &op.first, more: op.more, found: op.first.find(atoms)}
}

// next returns nil after the last of an effect.
func (c *candidates) next(e effect) *rule {
	for {
		if set := c.found[e]; set != 0 {
			i := bits.TrailingZeros64(set)
			c.found[e] &= set - 1
			if c.block.same > 0 {
				c.found[e] &^= c.block.bits[c.block.same+i]
			}
			return c.block.rules[i]
		}
		if len(c.more) == 0 || c.block.goesOn(e) {
			return nil
		}
		c.block, c.more = &c.more[0], c.more[1:]
		c.found = c.block.find(c.atoms)
	}
}

// goesOn is whether a block has rules of later effects: the next one then has
// none of this.
func (b *block) goesOn(e effect) bool {
	return e < allows && b.sets[allows] != 0 || e < requires && b.sets[requires] != 0
}

// inEffectOrder sorts rules as the procedure goes through them.
func inEffectOrder(rules []*rule) {
	slices.SortStableFunc(rules, func(a, b *rule) int { return cmp.Compare(a.effect, b.effect) })
}
