package memnet_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/memnet"
)

// Both must be what the net package has, so that a program can take either.
var (
	_ func(network, address string) (net.Listener, error)                        = new(memnet.Network).Listen
	_ func(ctx context.Context, network, address string) (net.Conn, error)       = new(memnet.Network).Dial
	_ func(ctx context.Context, network, address string) (c net.Conn, err error) = new(net.Dialer).DialContext
)

func listen(t testing.TB, network *memnet.Network, address string) net.Listener {
	t.Helper()
	l, err := network.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// pipe returns both ends of one connection.
func pipe(t testing.TB) (client, server net.Conn) {
	t.Helper()
	var network memnet.Network
	l := listen(t, &network, "127.0.0.1:0")
	client, err := network.Dial(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err = l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close(); server.Close() })
	return client, server
}

func TestDialFindsWhoListens(t *testing.T) {
	tests := []struct{ name, listen, dial string }{
		{"IPAddress", "127.0.0.1:8883", "127.0.0.1:8883"},
		{"Localhost", "localhost:8883", "127.0.0.1:8883"},
		{"AllHosts", ":8883", "127.0.0.1:8883"},
		{"AllHostsByName", "0.0.0.0:8883", "contoso-toasters-hub-1098.azure-devices.net:8883"},
		{"UnspecifiedIsLoopback", "127.0.0.1:8883", "[::]:8883"},
		{"IPv6", "[::1]:8883", "[0:0:0:0:0:0:0:1]:8883"},
		{"NameInAnyCase", "Hub.example:8883", "hub.EXAMPLE:8883"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var network memnet.Network
			l := listen(t, &network, test.listen)
			client, err := network.Dial(t.Context(), "tcp", test.dial)
			if err != nil {
				t.Fatal(err)
			}
			server, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if got, want := server.RemoteAddr().String(), client.LocalAddr().String(); got != want {
				t.Errorf("the server sees %s, the client is %s", got, want)
			}
		})
	}
}

func TestListenRefuses(t *testing.T) {
	var network memnet.Network
	listen(t, &network, "127.0.0.1:8883")
	listen(t, &network, ":7071")
	tests := []struct {
		name, network, address string
		want                   error
	}{
		{"AddressInUse", "tcp", "localhost:8883", syscall.EADDRINUSE},
		{"AllHostsBesideOne", "tcp", ":8883", syscall.EADDRINUSE},
		{"OneHostBesideAll", "tcp", "127.0.0.1:7071", syscall.EADDRINUSE},
		{"UnknownNetwork", "udp", "127.0.0.1:1", net.UnknownNetworkError("udp")},
		{"NoPort", "tcp", "127.0.0.1", nil},
		{"PortByName", "tcp", "127.0.0.1:mqtt", nil},
		{"PortTooLarge", "tcp", "127.0.0.1:65536", nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l, err := network.Listen(test.network, test.address)
			if err == nil {
				t.Fatalf("listens on %s", l.Addr())
			}
			if test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestPortZeroPicksAFreePort(t *testing.T) {
	var network memnet.Network
	seen := make(map[int]bool)
	for range 100 {
		l := listen(t, &network, "127.0.0.1:0")
		port := l.Addr().(*net.TCPAddr).Port
		if port == 0 || seen[port] {
			t.Fatalf("port %d is not free", port)
		}
		seen[port] = true
	}
}

func TestDialIsRefusedWhereNobodyListens(t *testing.T) {
	var network memnet.Network
	l := listen(t, &network, "127.0.0.1:8883")
	l.Close()
	for _, address := range []string{"127.0.0.1:8883", "127.0.0.1:1"} {
		_, err := network.Dial(t.Context(), "tcp", address)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: got %v, want %v", address, err, syscall.ECONNREFUSED)
		}
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if err := l.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("second Close: %v", err)
	}
}

func TestClosedListenerHangsUpOnTheBacklog(t *testing.T) {
	var network memnet.Network
	l := listen(t, &network, "127.0.0.1:0")
	client, err := network.Dial(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if _, err := client.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("got %v, want EOF", err)
	}
}

func TestDialWaitsForTheBacklogUnderItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network memnet.Network
		l, _ := network.Listen("tcp", "127.0.0.1:0")
		defer l.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		start := time.Now()
		var err error
		for dials := 0; err == nil && dials < 100_000; dials++ {
			_, err = network.Dial(ctx, "tcp", l.Addr().String())
		}
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the context's error", err)
		}
		if waited := time.Since(start); waited != 10*time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestBurstOfTwentyThousandDials(t *testing.T) {
	const burst = 20_000
	var network memnet.Network
	l := listen(t, &network, "127.0.0.1:0")
	var wg sync.WaitGroup
	for range burst {
		wg.Go(func() {
			c, err := network.Dial(t.Context(), "tcp", l.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			c.Close()
		})
	}
	for range burst {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		c.Close()
	}
	wg.Wait()
}

func ExampleNetwork() {
	var network memnet.Network
	l, err := network.Listen("tcp", "dps.example:8883")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer l.Close()
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "hello")
	}()
	c, err := network.Dial(context.Background(), "tcp", "dps.example:8883")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	greeting, _ := io.ReadAll(c)
	fmt.Printf("%s from %s\n", greeting, c.RemoteAddr())
	_, err = network.Dial(context.Background(), "tcp", "hub.example:8883")
	fmt.Println(err)
	// Output:
	// hello from dps.example:8883
	// dial tcp hub.example:8883: connect: connection refused
}
