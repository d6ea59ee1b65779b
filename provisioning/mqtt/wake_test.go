package mqtt_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/mqtt"
)

// Each message must wake an owner who waits without a limit: the next is sent
// only when it has arrived, so one lost wake ends the test.
func TestNoWakeIsLost(t *testing.T) {
	for _, secure := range []bool{false, true} {
		t.Run(map[bool]string{false: "Plain", true: "TLS"}[secure], func(t *testing.T) { wakeOften(t, secure) })
	}
}

func wakeOften(t *testing.T, secure bool) {
	const pairs, rounds = 4, 500
	clientSide, serverSide := wrappers(t, secure)
	var wg sync.WaitGroup
	for range pairs {
		c, s := pipe(t)
		client, server := meet(t, clientSide(c), serverSide(s), mqtt.Connect{ClientID: "a"})
		go server.Read(time.Time{})
		wg.Go(func() {
			for i := range rounds {
				if !arrives(t, server, client, fmt.Sprint(i)) {
					return
				}
			}
		})
	}
	wg.Wait()
}

// arrives sends a message to the client and has it received.
func arrives(t *testing.T, server, client *mqtt.Conn, topic string) bool {
	if err := server.Send(mqtt.Message{Topic: topic}); err != nil {
		t.Error(err)
		return false
	}
	m, err := client.Receive(in(10 * time.Second))
	if err != nil || m.Topic != topic {
		t.Errorf("message %s: got %q, %v", topic, m.Topic, err)
		return false
	}
	return true
}

// Wakes must not disturb the owner in the middle of a packet either.
func TestWakesInTheMiddleOfAPacket(t *testing.T) {
	const rounds = 300
	c, s := pipe(t)
	server := mqtt.New(t.Context(), s, mqtt.Options{})
	go io.Copy(io.Discard, c)
	stop := make(chan bool)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				server.Send(mqtt.Message{Topic: "t"})
				runtime.Gosched()
			}
		}
	})
	wg.Go(func() {
		io.WriteString(c, connectBytes)
		for range rounds {
			for _, piece := range []string{"\x30", "\x05\x00", "\x01t", "xy"} {
				io.WriteString(c, piece)
				runtime.Gosched()
			}
		}
	})
	_, err := server.Accept(in(10 * time.Second))
	must(t, err)
	for range rounds {
		p, err := server.Read(in(10 * time.Second))
		if err != nil || string(p.Message.Payload) != "xy" {
			t.Errorf("got %+v, %v", p, err)
			break
		}
	}
	close(stop)
	wg.Wait()
}

func TestOneGoroutineAHeldConnection(t *testing.T) {
	const conns = 50
	synctest.Test(t, func(t *testing.T) {
		before := bubbleGoroutines()
		for range conns {
			client, server := pair(t, mqtt.Connect{ClientID: "a", CleanSession: true, KeepAlive: 180 * time.Second})
			go client.Receive(time.Time{})
			go server.Read(time.Time{})
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if held := bubbleGoroutines() - before; held != 2*conns {
			t.Errorf("%d goroutines hold both ends of %d connections", held, conns)
		}
	})
}

// bubbleGoroutines counts the goroutines of the caller's synctest bubble; other
// tests may have left some that are about to end.
func bubbleGoroutines() int {
	buf := make([]byte, 1<<20)
	stacks := string(buf[:runtime.Stack(buf, true)])
	header, _, _ := strings.Cut(stacks, ":\n") // of the caller
	return strings.Count(stacks, header[strings.Index(header, "synctest bubble"):])
}

// counted counts the calls that became system calls.
type counted struct {
	net.Conn
	reads, writes int
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 {
		c.reads++
	}
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	c.writes++
	return c.Conn.Write(p)
}

func TestOneWriteAndTwoReadsAPacket(t *testing.T) {
	c, s := pipe(t)
	client, server := &counted{Conn: c}, &counted{Conn: s}
	io.WriteString(s, connackBytes)
	sender := mqtt.New(t.Context(), client, mqtt.Options{})
	must(t, sender.Connect(mqtt.Connect{ClientID: "a", CleanSession: true}, in(time.Minute)))
	must(t, sender.Publish(mqtt.Message{Topic: "t", Payload: make([]byte, 300)}, in(time.Minute)))
	if client.writes != 2 {
		t.Errorf("%d writes for CONNECT and PUBLISH", client.writes)
	}
	receiver := mqtt.New(t.Context(), server, mqtt.Options{})
	_, err := receiver.Accept(in(time.Minute))
	must(t, err)
	_, err = receiver.Read(in(time.Minute))
	must(t, err)
	if server.reads != 2 {
		t.Errorf("%d reads for two packets that lay there", server.reads)
	}
	must(t, sender.Publish(mqtt.Message{Topic: "t", Payload: make([]byte, 300)}, in(time.Minute)))
	_, err = receiver.Read(in(time.Minute))
	must(t, err)
	if server.reads != 4 {
		t.Errorf("%d reads for one more packet", server.reads-2)
	}
}

// Packets that lie in one buffer must not share it once they are handed out.
func TestPayloadIsTheReceiversOwn(t *testing.T) {
	c, s := pipe(t)
	io.WriteString(c, connectBytes+"\x30\x07\x00\x01tAAAA\x30\x07\x00\x01tBBBB")
	conn := mqtt.New(t.Context(), s, mqtt.Options{})
	_, err := conn.Accept(in(time.Minute))
	must(t, err)
	first, err := conn.Read(in(time.Minute))
	must(t, err)
	second, err := conn.Read(in(time.Minute))
	must(t, err)
	copy(second.Message.Payload, "????")
	io.WriteString(c, "\x30\x07\x00\x01tCCCC")
	_, err = conn.Read(in(time.Minute))
	must(t, err)
	if got := string(first.Message.Payload) + string(second.Message.Payload); got != "AAAA????" {
		t.Errorf("got %s", got)
	}
}

// TestReadyWaitsAndReadsNothing: the packet that it announces is there for Read,
// however often it is asked, and a read that may wait for no other has done with
// a PINGREQ.
func TestReadyWaitsAndReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, mqtt.Connect{ClientID: "d", CleanSession: true})
		start := time.Now()
		if err := server.Ready(in(time.Minute)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("got %v after %v", err, time.Since(start))
		}
		must(t, client.Publish(mqtt.Message{Topic: "t"}, in(time.Second)))
		for range 2 {
			must(t, server.Ready(in(time.Second)))
		}
		packet, err := server.Read(time.Unix(1, 0))
		if err != nil || packet.Message.Topic != "t" {
			t.Errorf("read %+v, %v", packet, err)
		}
		if _, err := server.Read(time.Unix(1, 0)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("with nothing there it read %v", err)
		}
		client.Close()
		server.Close()
		if err := server.Ready(time.Time{}); !errors.Is(err, net.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
	})
}
