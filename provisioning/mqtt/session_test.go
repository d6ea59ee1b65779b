package mqtt_test

import (
	"errors"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/mqtt"
)

// TestAWakeEndsOneWait: the call that waits, or the next one, and no other.
func TestAWakeEndsOneWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, mqtt.Connect{ClientID: "a"})
		start := time.Now()
		go func() {
			time.Sleep(time.Minute)
			server.Wake()
		}()
		if _, err := server.Read(in(time.Hour)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("Read returned %v after %s", err, time.Since(start))
		}
		server.Wake() // while nobody waits
		if _, err := server.Read(in(time.Hour)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("the next Read returned %v after %s", err, time.Since(start))
		}
		if _, err := server.Read(in(time.Hour)); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Hour+time.Minute {
			t.Errorf("the third Read returned %v after %s", err, time.Since(start))
		}
		if err := client.Publish(mqtt.Message{Topic: "x"}, in(time.Second)); err != nil {
			t.Error(err)
		}
		if p, err := server.Read(in(time.Second)); err != nil || p.Message.Topic != "x" {
			t.Errorf("Read returned %+v, %v", p, err)
		}
	})
}

// TestNoBidToWorkIsLost: each Wake is for something to do that was left before,
// and none of it may stay behind. Were one lost, the test would end in a deadlock.
func TestNoBidToWorkIsLost(t *testing.T) {
	const rounds = 2000
	_, server := pair(t, mqtt.Connect{ClientID: "a"})
	work := make(chan int, 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := range rounds {
			work <- i
			server.Wake()
		}
	})
	for next := 0; next < rounds; {
		if _, err := server.Read(time.Time{}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
		for len(work) > 0 {
			if got := <-work; got != next {
				t.Fatalf("got %d, want %d", got, next)
			}
			next++
		}
	}
	wg.Wait()
}

func TestAMessageGoesOutUnderItsIdentifier(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, server := pair(t, mqtt.Connect{ClientID: "a"})
		go server.Write(mqtt.Message{Topic: "x", QoS: 1, ID: 77, Dup: true})
		m, err := client.Receive(in(time.Second))
		if err != nil || m.ID != 77 || !m.Dup {
			t.Errorf("got identifier %d, duplicate %v, %v", m.ID, m.Dup, err)
		}
	})
}

func TestASessionThatIsPresentIsTaken(t *testing.T) {
	tests := []struct {
		name  string
		clean bool
		taken bool
	}{
		{"clean session 0", false, true},
		{"clean session 1", true, false}, // [MQTT-3.2.2-1]
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c, s := pipe(t)
			client, server := mqtt.New(t.Context(), c, mqtt.Options{}), mqtt.New(t.Context(), s, mqtt.Options{})
			go func() {
				if _, err := server.Accept(in(time.Minute)); err == nil {
					server.Resume()
				}
			}()
			err := client.Connect(mqtt.Connect{ClientID: "a", CleanSession: test.clean}, in(time.Minute))
			if (err == nil) != test.taken {
				t.Errorf("connecting ended in %v", err)
			}
		})
	}
}
