package mqtt_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/mqtt"
)

func equal(a, b any) bool { return reflect.DeepEqual(a, b) }

func TestMessagesThatComeMeanwhileAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, mqtt.Connect{ClientID: "a", CleanSession: true})
		go func() {
			server.Read(time.Time{})
			server.Write(mqtt.Message{Topic: "first", Payload: []byte("1")})
			server.Write(mqtt.Message{Topic: "second", Payload: []byte("2"), QoS: 1})
			server.Puback(1)
			server.Write(mqtt.Message{Topic: "third"})
			server.Read(time.Time{})
		}()
		must(t, client.Publish(mqtt.Message{Topic: "question", QoS: 1}, in(time.Second)))
		for _, want := range []string{"first1", "second2", "third"} {
			m, err := client.Receive(in(time.Second))
			must(t, err)
			if got := m.Topic + string(m.Payload); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
}

func TestFloodWhileWaitingEndsTheConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, mqtt.Connect{ClientID: "a", CleanSession: true})
		go func() {
			for range 1000 {
				server.Write(mqtt.Message{Topic: "flood"})
			}
		}()
		err := client.Publish(mqtt.Message{Topic: "question", QoS: 1}, in(time.Second))
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestUntilLeavesTheConnectionAsItWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, mqtt.Connect{ClientID: "a", CleanSession: true})
		start := time.Now()
		_, err := client.Receive(in(3 * time.Second))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		err = client.Publish(mqtt.Message{Topic: "t", QoS: 1}, in(2*time.Second))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 5*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		server.Puback(1) // late: nobody waits for it any more
		server.Write(mqtt.Message{Topic: "still here"})
		m, err := client.Receive(in(time.Second))
		if err != nil || m.Topic != "still here" {
			t.Errorf("got %q, %v", m.Topic, err)
		}
	})
}

func TestEndByEndsWhateverTheOwnerWaitsFor(t *testing.T) {
	errOver := errors.New("it is over")
	tests := []struct {
		name string
		peer string // what the peer has said until then
		call func(*mqtt.Conn) error
	}{
		{"APacket", "", func(c *mqtt.Conn) error { _, err := c.Receive(time.Time{}); return err }},
		{"ALaterAnswer", "", func(c *mqtt.Conn) error { return c.Publish(mqtt.Message{Topic: "t", QoS: 1}, in(time.Minute)) }},
		{"TheRestOfAPacket", "\x30\x07\x00", func(c *mqtt.Conn) error { _, err := c.Receive(time.Time{}); return err }},
		{"RoomToWrite", "", func(c *mqtt.Conn) error {
			for {
				if err := c.Write(mqtt.Message{Topic: "t", Payload: make([]byte, 4<<10)}); err != nil {
					return err
				}
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := pipe(t)
				io.WriteString(s, connackBytes+test.peer)
				conn := mqtt.New(t.Context(), c, mqtt.Options{})
				defer conn.Close()
				must(t, conn.Connect(mqtt.Connect{ClientID: "a"}, in(time.Minute)))
				start := time.Now()
				conn.EndBy(in(3*time.Second), errOver)
				if err := test.call(conn); !errors.Is(err, errOver) || time.Since(start) != 3*time.Second {
					t.Errorf("%v after %v", err, time.Since(start))
				}
				if err := conn.Write(mqtt.Message{Topic: "t"}); !errors.Is(err, errOver) {
					t.Errorf("later %v", err)
				}
			})
		})
	}
}

func TestEndByIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, mqtt.Connect{ClientID: "a", CleanSession: true})
		client.EndBy(in(3*time.Second), errors.New("it is over"))
		client.Receive(in(time.Second))
		client.EndBy(time.Time{}, nil)
		time.AfterFunc(time.Hour, func() { server.Write(mqtt.Message{Topic: "still here"}) })
		m, err := client.Receive(time.Time{})
		if err != nil || m.Topic != "still here" {
			t.Errorf("got %q, %v", m.Topic, err)
		}
		must(t, client.Write(mqtt.Message{Topic: "t"}))
	})
}

func TestRefusals(t *testing.T) {
	t.Run("Connack", func(t *testing.T) {
		c, s := pipe(t)
		io.WriteString(s, "\x20\x02\x00\x05")
		err := mqtt.New(t.Context(), c, mqtt.Options{}).Connect(mqtt.Connect{ClientID: "a"}, in(time.Minute))
		var refused *mqtt.RefusedError
		if !errors.As(err, &refused) || refused.Code != 5 || !strings.Contains(err.Error(), "not authorized") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("Subscription", func(t *testing.T) {
		c, s := pipe(t)
		io.WriteString(s, connackBytes+"\x90\x04\x00\x01\x01\x80")
		conn := mqtt.New(t.Context(), c, mqtt.Options{})
		must(t, conn.Connect(mqtt.Connect{ClientID: "a"}, in(time.Minute)))
		granted, err := conn.Subscribe(in(time.Minute), 1, "good", "bad")
		if err == nil || !strings.Contains(err.Error(), `"bad"`) || string(granted) != "\x01\x80" {
			t.Errorf("got %v, %v", granted, err)
		}
	})
}

func TestPeerThatLeaves(t *testing.T) {
	tests := []struct {
		name, last string
		want       error
	}{
		{"BetweenPackets", "", io.EOF},
		{"InAPacket", "\x30\x07\x00", io.ErrUnexpectedEOF},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, s := pipe(t)
			io.WriteString(s, connackBytes+test.last)
			conn := mqtt.New(t.Context(), c, mqtt.Options{})
			must(t, conn.Connect(mqtt.Connect{ClientID: "a"}, in(time.Minute)))
			s.Close()
			_, err := conn.Receive(in(time.Minute))
			if !errors.Is(err, test.want) || errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestWhatMustNotBeWritten(t *testing.T) {
	client, _ := pair(t, mqtt.Connect{ClientID: "a", CleanSession: true})
	long := strings.Repeat("x", 65536)
	tests := []struct {
		name string
		do   func() error
	}{
		{"WildcardTopic", func() error { return client.Publish(mqtt.Message{Topic: "a/#"}, time.Time{}) }},
		{"EmptyTopic", func() error { return client.Send(mqtt.Message{}) }},
		{"TopicTooLong", func() error { return client.Write(mqtt.Message{Topic: long}) }},
		{"TopicWithNUL", func() error { return client.Write(mqtt.Message{Topic: "\x00"}) }},
		{"QoS2", func() error { return client.Write(mqtt.Message{Topic: "a", QoS: 2}) }},
		{"NoFilter", func() error { _, err := client.Subscribe(time.Time{}, 0); return err }},
		{"BadFilter", func() error { _, err := client.Subscribe(time.Time{}, 0, "a#"); return err }},
		{"ClientIDTooLong", func() error { return client.Connect(mqtt.Connect{ClientID: long}, time.Time{}) }},
		{"KeepAliveOfHalfASecond", func() error {
			return client.Connect(mqtt.Connect{KeepAlive: time.Second / 2}, time.Time{})
		}},
		{"KeepAliveTooLong", func() error { return client.Connect(mqtt.Connect{KeepAlive: 65536 * time.Second}, time.Time{}) }},
		{"BadWill", func() error { return client.Connect(mqtt.Connect{Will: &mqtt.Message{}}, time.Time{}) }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.do()
			var peers *mqtt.ProtocolError
			if err == nil || errors.As(err, &peers) {
				t.Errorf("got %v", err)
			}
		})
	}
	must(t, client.Write(mqtt.Message{Topic: "fine"})) // none of it ended the connection
}

func TestEndOfAWaitingCall(t *testing.T) {
	cause := errors.New("somebody else is that device now")
	tests := []struct {
		name string
		end  func(*mqtt.Conn, context.CancelCauseFunc)
		want error
	}{
		{"Kick", func(c *mqtt.Conn, _ context.CancelCauseFunc) { c.Kick(cause) }, cause},
		{"Context", func(_ *mqtt.Conn, cancel context.CancelCauseFunc) { cancel(cause) }, cause},
		{"Close", func(c *mqtt.Conn, _ context.CancelCauseFunc) { c.Close() }, net.ErrClosed},
	}
	calls := []struct {
		name string
		call func(*mqtt.Conn) error
	}{
		{"Read", func(c *mqtt.Conn) error { _, err := c.Receive(time.Time{}); return err }},
		{"Write", func(c *mqtt.Conn) error {
			for {
				if err := c.Write(mqtt.Message{Topic: "t", Payload: make([]byte, 1000)}); err != nil {
					return err
				}
			}
		}},
	}
	for _, test := range tests {
		for _, call := range calls {
			t.Run(test.name+"/"+call.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := context.WithCancelCause(context.Background())
					defer cancel(nil)
					nc, _ := pipe(t)
					conn := mqtt.New(ctx, nc, mqtt.Options{})
					defer conn.Close()
					got := make(chan error)
					go func() { got <- call.call(conn) }()
					synctest.Wait()
					test.end(conn, cancel)
					if err := <-got; !errors.Is(err, test.want) {
						t.Errorf("got %v, want %v", err, test.want)
					}
					if err := call.call(conn); !errors.Is(err, test.want) {
						t.Errorf("the next call: got %v, want %v", err, test.want)
					}
					if err := conn.Send(mqtt.Message{Topic: "t"}); !errors.Is(err, test.want) {
						t.Errorf("Send: got %v, want %v", err, test.want)
					}
				})
			})
		}
	}
}

func TestOutboxIsBounded(t *testing.T) {
	tests := []struct {
		name    string
		payload int
		want    int
	}{
		{"InMessages", 10, 64},
		{"InBytes", 100_000, 10},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, server := pair(t, mqtt.Connect{ClientID: "a", CleanSession: true})
			sent := 0
			for ; sent < 1000; sent++ {
				err := server.Send(mqtt.Message{Topic: "t", Payload: make([]byte, test.payload)})
				if err == nil {
					continue
				}
				if !errors.Is(err, mqtt.ErrOutboxFull) {
					t.Fatal(err)
				}
				break
			}
			if sent != test.want {
				t.Errorf("%d messages fit, want %d", sent, test.want)
			}
		})
	}
}
