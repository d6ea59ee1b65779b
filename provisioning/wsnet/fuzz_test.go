package wsnet_test

import (
	"bytes"
	"io"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"dpsfleet/provisioning/wsnet"
)

// scripted is a network connection that yields what it was given, so many bytes
// at a time, with a timeout before each.
type scripted struct {
	net.Conn // nil: nothing else is called
	in       []byte
	step     int
	late     bool // the next read times out
	out      bytes.Buffer
}

func (s *scripted) Read(p []byte) (int, error) {
	if s.late = !s.late; s.late && s.step > 0 {
		return 0, os.ErrDeadlineExceeded
	}
	if len(s.in) == 0 {
		return 0, io.EOF
	}
	n := len(p)
	if s.step > 0 {
		n = min(n, s.step)
	}
	n = copy(p[:n], s.in)
	s.in = s.in[n:]
	return n, nil
}

func (s *scripted) Write(p []byte) (int, error)        { return s.out.Write(p) }
func (s *scripted) SetWriteDeadline(_ time.Time) error { return nil }

// FuzzFrames reads whatever comes in one piece, and again byte by byte with a
// timeout before each: what comes out must be the same, and no more than went in.
func FuzzFrames(f *testing.F) {
	f.Add(frame(binaryFrame, true, "Hello"))
	f.Add(slices.Concat(frame(binaryBegins, true, "Hel"), frame(ping, true, "?"), frame(ends, true, "lo"), frame(closeFrame, true, "\x03\xe8")))
	f.Add(frame(binaryFrame, true, string(make([]byte, 300))))
	f.Add(frame(textFrame, true, "Hello"))
	f.Add([]byte{binaryFrame, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4})
	f.Fuzz(func(t *testing.T, in []byte) {
		whole, wholeErr, wholeOut := drain(&scripted{in: in})
		bytewise, bytewiseErr, bytewiseOut := drain(&scripted{in: in, step: 1})
		if !bytes.Equal(whole, bytewise) || wholeErr != bytewiseErr || !bytes.Equal(wholeOut, bytewiseOut) {
			t.Errorf("in one piece %x, %q, answered %x\nbyte by byte %x, %q, answered %x",
				whole, wholeErr, wholeOut, bytewise, bytewiseErr, bytewiseOut)
		}
		if len(whole) > len(in) || len(wholeOut) > len(in)+len("\x88\x02\x03\xea") {
			t.Errorf("%d bytes became %d, and %d were answered", len(in), len(whole), len(wholeOut))
		}
	})
}

// drain reads to the end, over timeouts.
func drain(s *scripted) (got []byte, ended string, out []byte) {
	conn := wsnet.ServerOf(s)
	buf := make([]byte, 64)
	for {
		n, err := conn.Read(buf)
		got = append(got, buf[:n]...)
		if err != nil && err != os.ErrDeadlineExceeded {
			return got, err.Error(), s.out.Bytes()
		}
	}
}
