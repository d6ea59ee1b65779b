package memnet_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/nettest"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/memnet"
)

func TestConnMeetsTheContractOfNetConn(t *testing.T) {
	nettest.TestConn(t, func() (c1, c2 net.Conn, stop func(), err error) {
		c1, c2 = pipe(t)
		return c1, c2, func() { c1.Close(); c2.Close() }, nil
	})
}

func TestReadGetsWhatWasWrittenBeforeClose(t *testing.T) {
	client, server := pipe(t)
	if _, err := server.Write([]byte("goodbye")); err != nil {
		t.Fatal(err)
	}
	server.Close()
	got, err := io.ReadAll(client)
	if err != nil || string(got) != "goodbye" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := client.Write([]byte("hello?")); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("writing to nobody: %v", err)
	}
	if _, err := server.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading at the closed end: %v", err)
	}
}

func TestDeadlinesAreExact(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, _ := pipe(t)
		start := time.Now()
		client.SetReadDeadline(start.Add(3 * time.Second))
		_, err := client.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("read: %v after %v", err, time.Since(start))
		}
		client.SetWriteDeadline(start.Add(5 * time.Second))
		n, err := client.Write(make([]byte, 100_000))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 5*time.Second {
			t.Errorf("write: %v after %v", err, time.Since(start))
		}
		if n != 64<<10 {
			t.Errorf("%d bytes fit into the buffer", n)
		}
	})
}

// The address of the client is made only when somebody reads the error.
func TestErrorsNameBothEnds(t *testing.T) {
	client, server := pipe(t)
	for _, c := range []net.Conn{client, server} {
		c.SetReadDeadline(time.Unix(1, 0))
		_, err := c.Read(make([]byte, 1))
		want := "read tcp " + c.LocalAddr().String() + "->" + c.RemoteAddr().String() + ": i/o timeout"
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// Small buffers go from one connection to the next.
func TestWhatIsReadIsWhatThisConnectionWrote(t *testing.T) {
	for size := range 1200 {
		client, server := pipe(t)
		sent := bytes.Repeat([]byte{byte(size)}, size)
		for _, half := range [][]byte{sent[:size/2], sent[size/2:]} {
			if _, err := client.Write(half); err != nil {
				t.Fatal(err)
			}
		}
		client.Close()
		if got, err := io.ReadAll(server); err != nil || !bytes.Equal(got, sent) {
			t.Fatalf("of %d bytes %d came, or others: %v", size, len(got), err)
		}
	}
}

func TestDeadlineInThePastWakesAReader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe(t)
		client.SetReadDeadline(time.Now().Add(time.Hour))
		woken := make(chan error, 2)
		for range 2 {
			go func() {
				_, err := client.Read(make([]byte, 1))
				woken <- err
			}()
		}
		synctest.Wait()
		client.SetReadDeadline(time.Unix(1, 0))
		for range 2 {
			if err := <-woken; !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}
		client.SetReadDeadline(time.Time{})
		server.Write([]byte("x"))
		if n, err := client.Read(make([]byte, 1)); n != 1 || err != nil {
			t.Errorf("after the wake: %d, %v", n, err)
		}
	})
}

func TestWritesOfTwoGoroutinesDoNotMix(t *testing.T) {
	client, server := pipe(t)
	const size = 200_000
	var wg sync.WaitGroup
	for _, letter := range []string{"a", "b"} {
		wg.Go(func() { client.Write(bytes.Repeat([]byte(letter), size)) })
	}
	got := make([]byte, 2*size)
	if _, err := io.ReadFull(server, got); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if changes := bytes.Count(got, []byte("ab")) + bytes.Count(got, []byte("ba")); changes != 1 {
		t.Errorf("the writes alternate %d times", changes)
	}
}

// With net.Pipe this test never ends: a TLS 1.3 server writes its session
// tickets while the client writes.
func TestTLSWithBothEndsWriting(t *testing.T) {
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := tlsPipe(t, version)
				defer server.Close()
				defer client.Close()
				message := bytes.Repeat([]byte("m"), 50_000)
				var wg sync.WaitGroup
				for _, c := range []net.Conn{client, server} {
					wg.Go(func() {
						c.Write(message)
						got := make([]byte, len(message))
						if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, message) {
							t.Errorf("got %d bytes, %v", len(got), err)
						}
					})
				}
				wg.Wait()
			})
		})
	}
}

func tlsPipe(t *testing.T, version uint16) (client, server *tls.Conn) {
	authority, err := provisioning.NewAuthority("test", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, err := authority.Issue("localhost")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority.PEM())
	a, b := pipe(t)
	client = tls.Client(a, &tls.Config{ServerName: "localhost", RootCAs: roots, MaxVersion: version})
	return client, tls.Server(b, &tls.Config{Certificates: []tls.Certificate{cert}, MaxVersion: version})
}

func TestIdleConnectionIsSmall(t *testing.T) {
	const conns, limit = 10_000, 700
	var network memnet.Network
	l := listen(t, &network, "127.0.0.1:0")
	before := heap()
	held := make([]net.Conn, 0, 2*conns)
	for range conns {
		c, err := network.Dial(t.Context(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Write(make([]byte, 4096))
		io.ReadFull(s, make([]byte, 4096))
		held = append(held, c, s)
	}
	if each := (heap() - before) / conns; each > limit {
		t.Errorf("a connection that was used and idles holds %d bytes, both ends together; the limit is %d", each, limit)
	}
	runtime.KeepAlive(held)
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkPingPong(b *testing.B) {
	client, server := pipe(b)
	go io.Copy(server, server)
	message := make([]byte, 100)
	b.ReportAllocs()
	for b.Loop() {
		client.Write(message)
		if _, err := io.ReadFull(client, message); err != nil {
			b.Fatal(err)
		}
	}
}

func TestOnReadableCallsBackOnce(t *testing.T) {
	at := func(seconds int) time.Time { return time.Now().Add(time.Duration(seconds) * time.Second) }
	tests := []struct {
		name    string
		happens func(c, peer net.Conn) // after a second
		after   int                    // seconds until the call; 0 is none in an hour
	}{
		{"for bytes", func(_, peer net.Conn) { peer.Write([]byte("a")); peer.Write([]byte("b")) }, 1},
		{"when the peer closes", func(_, peer net.Conn) { peer.Close() }, 1},
		{"when this end closes", func(c, _ net.Conn) { c.Close() }, 1},
		{"at a deadline that was set before", func(c, peer net.Conn) {}, 10},
		{"at a deadline in the past", func(c, _ net.Conn) { c.SetReadDeadline(time.Unix(1, 0)) }, 1},
		{"at a deadline that comes earlier", func(c, _ net.Conn) { c.SetReadDeadline(at(2)) }, 3},
		{"at a deadline that comes later", func(c, _ net.Conn) { c.SetReadDeadline(at(20)) }, 21},
		{"never without a deadline", func(c, _ net.Conn) { c.SetReadDeadline(time.Time{}) }, 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client, server := pipe(t)
				start, calls := time.Now(), make(chan time.Duration, 2)
				server.SetReadDeadline(at(10))
				if !onReadable(server, func() { calls <- time.Since(start) }) {
					t.Fatal("there is nothing to read, and OnReadable says there is")
				}
				time.Sleep(time.Second)
				test.happens(server, client)
				time.Sleep(time.Hour)
				synctest.Wait()
				var got []time.Duration
				for len(calls) > 0 {
					got = append(got, <-calls)
				}
				want := []time.Duration{time.Duration(test.after) * time.Second}
				if test.after == 0 {
					want = nil
				}
				if !slices.Equal(got, want) {
					t.Errorf("called after %v, want %v", got, want)
				}
			})
		})
	}
}

func TestOnReadableLeavesWhatCanBeReadToTheCaller(t *testing.T) {
	tests := map[string]func(c, peer net.Conn){
		"bytes":                  func(_, peer net.Conn) { peer.Write([]byte("a")) },
		"the end":                func(_, peer net.Conn) { peer.Close() },
		"a closed end":           func(c, _ net.Conn) { c.Close() },
		"a deadline in the past": func(c, _ net.Conn) { c.SetReadDeadline(time.Unix(1, 0)) },
	}
	for name, happens := range tests {
		t.Run(name, func(t *testing.T) {
			client, server := pipe(t)
			happens(server, client)
			if onReadable(server, func() { t.Error("it was called") }) {
				t.Error("it waits")
			}
		})
	}
}

func onReadable(nc net.Conn, f func()) bool {
	return nc.(interface{ OnReadable(func()) bool }).OnReadable(f)
}
