package wsnet

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
)

// opcode is what a frame is (RFC 6455 section 5.2).
type opcode byte

const (
	opContinuation opcode = 0
	opText         opcode = 1
	opBinary       opcode = 2
	opClose        opcode = 8
	opPing         opcode = 9
	opPong         opcode = 10
)

func (op opcode) control() bool { return op >= opClose }

// The bits of the first two bytes.
const (
	finBit     = 0x80
	rsvBits    = 0x70
	opBits     = 0x0f
	maskBit    = 0x80
	lengthBits = 0x7f
)

const (
	fixedHeader = 2
	maskBytes   = 4
	maxHeader   = fixedHeader + 8 + maskBytes
	maxControl  = 125 // section 5.5
	// maxFrame is ours. A frame's payload is never held here, so it bounds no
	// memory; nobody who speaks MQTT needs a frame of more than a few packets.
	maxFrame = 1 << 20
)

// Status codes of a close frame (section 7.4.1).
const (
	statusNormal      = 1000
	statusProtocol    = 1002
	statusUnsupported = 1003
	statusTooBig      = 1009
	statusBytes       = 2
)

func (c *Conn) opcode() opcode { return opcode(c.raw[0] & opBits) }

// mask is the masking key, which ends the header of a client's frame.
func (c *Conn) mask() [maskBytes]byte { return [maskBytes]byte(c.raw[c.have-maskBytes : c.have]) }

// headerSize is how long the header is, as far as is known.
func (c *Conn) headerSize() int {
	size := fixedHeader
	if !c.client {
		size += maskBytes
	}
	if c.have < fixedHeader {
		return size
	}
	switch c.raw[1] & lengthBits {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	return size
}

// readHeader reads a header to its end. A client's has at least six bytes, so
// one read is enough for most frames.
func (c *Conn) readHeader() error {
	for c.have < c.headerSize() {
		n, err := c.take(c.raw[c.have:c.headerSize()])
		if err != nil {
			return err
		}
		c.have += n
		if status, what := c.flaw(); what != "" {
			return c.violation(status, what)
		}
	}
	c.left, c.inside = c.length(), true
	if c.left > maxFrame {
		return c.violation(statusTooBig, "a frame of more than 1 MiB")
	}
	if !c.opcode().control() {
		c.more = c.raw[0]&finBit == 0
	}
	return nil
}

func (c *Conn) length() uint64 {
	switch short := c.raw[1] & lengthBits; short {
	case 126:
		return uint64(binary.BigEndian.Uint16(c.raw[fixedHeader:]))
	case 127:
		return binary.BigEndian.Uint64(c.raw[fixedHeader:])
	default:
		return uint64(short)
	}
}

// flaw judges the first two bytes of a header, once they are there.
func (c *Conn) flaw() (status uint16, what string) {
	if c.have < fixedHeader {
		return 0, ""
	}
	op, masked := c.opcode(), c.raw[1]&maskBit != 0
	switch {
	case c.raw[0]&rsvBits != 0:
		return statusProtocol, "a frame with a reserved bit, and no extension was agreed on"
	case masked && c.client:
		return statusProtocol, "a masked frame, and it is a server"
	case !masked && !c.client:
		return statusProtocol, "a frame without a mask, and it is a client"
	case op.control() && (c.raw[0]&finBit == 0 || c.raw[1]&lengthBits > maxControl):
		return statusProtocol, "a control frame that is cut up or longer than 125 bytes"
	case op > opPong || op > opBinary && op < opClose:
		return statusProtocol, "a frame of a reserved kind"
	case op == opText:
		return statusUnsupported, "a text frame, and only binary ones are read here"
	case op == opContinuation && !c.more:
		return statusProtocol, "a continuation of nothing"
	case op == opBinary && c.more:
		return statusProtocol, "a new message before the end of the last"
	}
	return 0, ""
}

// mask masks or unmasks p, which begins at a place in the key, and returns the
// place after it.
func mask(p []byte, key [maskBytes]byte, at int) int {
	for i := range p {
		p[i] ^= key[(at+i)%maskBytes]
	}
	return (at + len(p)) % maskBytes
}

// scratch holds the buffers that frames are written from; one that has grown far
// beyond is let go.
var scratch = sync.Pool{New: func() any { return new(make([]byte, 0, scratchSize)) }}

const (
	scratchSize = 1 << 10
	keptScratch = 64 << 10
)

// write writes one frame in one Write, so that a pong never lands in the middle
// of another and TLS makes one record of it.
func (c *Conn) write(op opcode, payload []byte) error {
	buf := scratch.Get().(*[]byte)
	frame := c.frame((*buf)[:0], op, payload)
	_, err := c.nc.Write(frame)
	if cap(frame) <= keptScratch {
		*buf = frame
		scratch.Put(buf)
	}
	return err
}

// frame appends a frame. A client masks it with a key that nobody can foretell
// (section 10.3), its own payload being left as it is.
func (c *Conn) frame(dst []byte, op opcode, payload []byte) []byte {
	var flag byte
	if c.client {
		flag = maskBit
	}
	dst = append(dst, finBit|byte(op))
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, flag|byte(n))
	case n <= 0xffff:
		dst = binary.BigEndian.AppendUint16(append(dst, flag|126), uint16(n))
	default:
		dst = binary.BigEndian.AppendUint64(append(dst, flag|127), uint64(n))
	}
	if !c.client {
		return append(dst, payload...)
	}
	var key [maskBytes]byte
	rand.Read(key[:])
	dst = append(dst, key[:]...)
	start := len(dst)
	dst = append(dst, payload...)
	mask(dst[start:], key, 0)
	return dst
}
