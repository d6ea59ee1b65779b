package wsnet_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/wsnet"
)

// TestFramesAreAStream: however bytes are cut into frames, the same ones come
// out, and what lies between is dealt with.
func TestFramesAreAStream(t *testing.T) {
	long := strings.Repeat("0123456789", 20_000)
	client := func(first byte, payload string) []byte { return frame(first, true, payload) }
	tests := map[string]struct {
		frames [][]byte
		want   string
		back   []byte // written to the peer meanwhile
	}{
		"one frame":                {frames: [][]byte{client(binaryFrame, "Hello")}, want: "Hello"},
		"two in one write":         {frames: [][]byte{slices.Concat(client(binaryFrame, "Hel"), client(binaryFrame, "lo"))}, want: "Hello"},
		"fragments":                {frames: [][]byte{client(binaryBegins, "H"), client(continues, "ell"), client(ends, "o")}, want: "Hello"},
		"empty frames between":     {frames: [][]byte{client(binaryFrame, ""), client(binaryFrame, "Hello"), client(binaryBegins, ""), client(ends, "")}, want: "Hello"},
		"length of 16 bits":        {frames: [][]byte{client(binaryFrame, long[:300])}, want: long[:300]},
		"length of 64 bits":        {frames: [][]byte{client(binaryFrame, long)}, want: long},
		"a ping is answered":       {frames: [][]byte{client(ping, "are you there"), client(binaryFrame, "Hello")}, want: "Hello", back: frame(pong, false, "are you there")},
		"a ping between fragments": {frames: [][]byte{client(binaryBegins, "Hel"), client(ping, ""), client(ends, "lo")}, want: "Hello", back: frame(pong, false, "")},
		"a pong is let pass":       {frames: [][]byte{client(pong, "x"), client(binaryFrame, "Hello")}, want: "Hello"},
		"close is the end":         {frames: [][]byte{client(binaryFrame, "Hello"), client(closeFrame, "\x03\xe8bye")}, want: "Hello", back: frame(closeFrame, false, "\x03\xe8")},
		"close without a status":   {frames: [][]byte{client(closeFrame, "")}, back: frame(closeFrame, false, "")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				peer, nc := pipe(t)
				conn := wsnet.ServerOf(nc)
				answered := collect(peer)
				go func() {
					for _, f := range test.frames {
						peer.Write(f)
					}
				}()
				conn.SetReadDeadline(soon())
				got, err := io.ReadAll(conn)
				ended := err == nil
				if string(got) != test.want || ended != strings.HasPrefix(name, "close") {
					t.Errorf("read %.40q, %v, want %.40q", got, err, test.want)
				}
				nc.Close()
				if back := <-answered; !bytes.Equal(back, test.back) {
					t.Errorf("the peer got %x, want %x", back, test.back)
				}
			})
		})
	}
}

// collect is all that comes until the end.
func collect(nc net.Conn) <-chan []byte {
	all := make(chan []byte, 1)
	go func() {
		data, _ := io.ReadAll(nc)
		nc.Close()
		all <- data
	}()
	return all
}

// TestAPeerThatBreaksTheRulesHearsWhy by the status of the close frame (RFC 6455
// section 7.4.1).
func TestAPeerThatBreaksTheRulesHearsWhy(t *testing.T) {
	tests := map[string]struct {
		bytes  []byte
		status string
		err    string
	}{
		"a frame without a mask":     {frame(binaryFrame, false, "Hello!"), "\x03\xea", "without a mask"},
		"a text frame":               {frame(textFrame, true, "Hello"), "\x03\xeb", "a text frame"},
		"a reserved bit":             {frame(binaryFrame|0x40, true, "Hello"), "\x03\xea", "a reserved bit"},
		"a reserved kind":            {frame(0x83, true, "Hello"), "\x03\xea", "a reserved kind"},
		"a reserved kind of control": {frame(0x8b, true, "Hello"), "\x03\xea", "a reserved kind"},
		"a ping that is cut up":      {frame(0x09, true, "Hello"), "\x03\xea", "a control frame"},
		"a long ping":                {frame(ping, true, strings.Repeat("x", 126)), "\x03\xea", "a control frame"},
		"a continuation of nothing":  {frame(ends, true, "Hello"), "\x03\xea", "a continuation"},
		"a message in a message":     {slices.Concat(frame(binaryBegins, true, ""), frame(binaryFrame, true, "Hello")), "\x03\xea", "before the end"},
		"half a status":              {frame(closeFrame, true, "\x03"), "\x03\xea", "half a status"},
		"a frame of 2 EiB":           {[]byte{binaryFrame, 0xff, 0x20, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, "\x03\xf1", "more than 1 MiB"},
		"a negative length":          {[]byte{binaryFrame, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4}, "\x03\xf1", "more than 1 MiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				peer, nc := pipe(t)
				conn := wsnet.ServerOf(nc)
				answered := collect(peer)
				peer.Write(test.bytes)
				_, err := conn.Read(make([]byte, 16))
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("read %v, want %q in it", err, test.err)
				}
				if _, again := conn.Read(make([]byte, 16)); again != err {
					t.Errorf("read again: %v", again)
				}
				if _, err := conn.Write([]byte("x")); !errors.Is(err, net.ErrClosed) {
					t.Errorf("wrote after the close frame: %v", err)
				}
				conn.Close()
				if back := <-answered; string(back) != "\x88\x02"+test.status {
					t.Errorf("the peer got %x, want the status %x", back, test.status)
				}
			})
		})
	}
}

func TestAServerMustNotMask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nc, peer := pipe(t)
		conn, _ := wsnet.Ends(nc, peer)
		defer peer.Close()
		defer conn.Close()
		peer.Write(frame(binaryFrame, true, "Hello"))
		if _, err := conn.Read(make([]byte, 16)); err == nil || !strings.Contains(err.Error(), "it is a server") {
			t.Errorf("read %v", err)
		}
	})
}

// TestAReadGoesOnAfterADeadline ends a read between any two bytes, in the middle
// of headers too, as package mqtt does to wake whoever reads.
func TestAReadGoesOnAfterADeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, nc := pipe(t)
		conn := wsnet.ServerOf(nc)
		defer conn.Close()
		defer peer.Close()
		payload := strings.Repeat("x", 126)
		wire := slices.Concat(frame(binaryBegins, true, payload), frame(ping, true, "ping"), frame(ends, true, "y"))
		var got []byte
		buf := make([]byte, 1000)
		timeouts := 0
		for _, b := range wire {
			conn.SetReadDeadline(time.Now().Add(-time.Second))
			if n, err := conn.Read(buf); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatalf("read %d bytes, %v after the deadline", n, err)
			}
			peer.Write([]byte{b})
			conn.SetReadDeadline(time.Now().Add(time.Millisecond))
			n, err := conn.Read(buf)
			got = append(got, buf[:n]...)
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Fatal(err)
			}
			if err != nil {
				timeouts++
			}
		}
		if string(got) != payload+"y" || timeouts != len(wire)-len(got) {
			t.Errorf("read %d bytes with %d timeouts between, want %d and %d", len(got), timeouts, 127, len(wire)-127)
		}
	})
}

func TestTheNetworkEnds(t *testing.T) {
	whole := frame(binaryFrame, true, "Hello")
	for sent, want := range map[int]error{0: io.EOF, 1: io.ErrUnexpectedEOF, 4: io.ErrUnexpectedEOF, 8: io.ErrUnexpectedEOF, len(whole): io.EOF} {
		synctest.Test(t, func(t *testing.T) {
			peer, nc := pipe(t)
			conn := wsnet.ServerOf(nc)
			defer conn.Close()
			peer.Write(whole[:sent])
			peer.Close()
			var err error
			for err == nil {
				_, err = conn.Read(make([]byte, 16))
			}
			if err != want {
				t.Errorf("after %d bytes: %v, want %v", sent, err, want)
			}
		})
	}
}

// TestClosingDoesNotWaitForAStalledPeer: its buffers are full and it reads no
// more.
func TestClosingDoesNotWaitForAStalledPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer, nc := pipe(t)
		defer peer.Close()
		conn := wsnet.ServerOf(nc)
		conn.SetWriteDeadline(soon())
		for err := error(nil); err == nil; {
			_, err = conn.Write(make([]byte, 4096))
		}
		start := time.Now()
		if err := conn.Close(); err != nil || time.Since(start) > time.Second {
			t.Errorf("closed after %s: %v", time.Since(start), err)
		}
	})
}
