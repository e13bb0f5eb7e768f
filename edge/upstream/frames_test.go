package upstream

import (
	"bytes"
	"encoding/binary"
	"testing"
)

// frame is a final frame of RFC 6455.
func frame(payload []byte, masked bool) []byte {
	mask := byte(0)
	if masked {
		mask = 0x80
	}
	b := []byte{0x82}
	switch n := len(payload); {
	case n < 126:
		b = append(b, mask|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), uint64(n))
	}
	if masked {
		b = append(b, 1, 2, 3, 4)
	}
	return append(b, payload...)
}

// Wherever a stream of frames is cut into pieces, it is known where one ends.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("hello"), uint16(3), true)
	f.Add(bytes.Repeat([]byte("x"), 70_000), uint16(1000), false)
	f.Add([]byte{}, uint16(1), true)
	f.Fuzz(func(t *testing.T, payload []byte, step uint16, masked bool) {
		first := frame(payload, masked)
		stream := append(append([]byte(nil), first...), frame([]byte("end"), false)...)
		var fr frames
		size := int(step)%len(stream) + 1
		for passed := 0; passed < len(stream); {
			next := min(passed+size, len(stream))
			fr.pass(stream[passed:next])
			passed = next
			if want := passed == len(first) || passed == len(stream); fr.complete() != want {
				t.Fatalf("after %d of %d and %d bytes, complete is %v", passed, len(first), len(stream), fr.complete())
			}
		}
	})
}

// Whatever an upstream sends, following it costs nothing but time.
func FuzzFramesOfAnyBytes(f *testing.F) {
	f.Add([]byte{0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		var fr frames
		fr.pass(b)
		if len(fr.head) > 14 {
			t.Fatalf("a head of %d bytes is kept", len(fr.head))
		}
	})
}
