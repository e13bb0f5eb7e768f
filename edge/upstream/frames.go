package upstream

import "encoding/binary"

// frames follows the frames of one direction of a WebSocket (RFC 6455 section 5.2) as far as to know where one ends: only
// there can a frame of ours be put in.
type frames struct {
	head    []byte // of the frame that has begun
	payload uint64 // that is still to come
}

// complete reports whether the next byte begins a frame.
func (f *frames) complete() bool { return len(f.head) == 0 && f.payload == 0 }

func (f *frames) pass(p []byte) {
	for len(p) > 0 {
		if f.payload > 0 {
			n := min(f.payload, uint64(len(p)))
			f.payload -= n
			p = p[n:]
			continue
		}
		f.head = append(f.head, p[0])
		p = p[1:]
		if size, length := headOf(f.head); size > 0 && len(f.head) == size {
			f.head, f.payload = f.head[:0], length
		}
	}
}

// headOf returns the size of a frame's head and the length of its payload; 0 if that cannot be told yet.
func headOf(head []byte) (size int, length uint64) {
	if len(head) < 2 {
		return 0, 0
	}
	size, length = 2, uint64(head[1]&0x7f)
	extended := 0
	switch length {
	case 126:
		extended = 2
	case 127:
		extended = 8
	}
	size += extended
	if head[1]&0x80 != 0 {
		size += 4
	}
	if len(head) < 2+extended {
		return 0, 0
	}
	switch extended {
	case 2:
		length = uint64(binary.BigEndian.Uint16(head[2:]))
	case 8:
		length = binary.BigEndian.Uint64(head[2:])
	}
	return size, length
}

// policyViolation is the status of a socket that we close (RFC 6455 section 7.4.1).
const policyViolation = 1008

// closeFrame says that the socket is closed, and why.
func closeFrame(reason string) []byte {
	frame := []byte{0x88, byte(2 + len(reason))}
	frame = binary.BigEndian.AppendUint16(frame, policyViolation)
	return append(frame, reason...)
}
