//go:build unix

package scenarios_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator"
	"dpsfleet/scenarios"
)

// badTarget is a process with four doors: three that are of no use to a device, and
// a DPS with its hub.
type badTarget struct {
	Silent, Resets, Huge string
	DPS, IDScope         string
	RootCAs              []byte
}

// Devices whose target accepts and never answers, resets the connection in the
// middle of the handshake, or sends a packet that is too large, each lose their own
// time and nobody else's: a quarter of them who are at the right door land as if they
// were alone, and all are counted.
func TestHostileTargetCostsEachDeviceItsOwnTime(t *testing.T) {
	devices, perSecond, boot := 500, 100, 10*time.Second
	if os.Getenv(soakEnv) != "" {
		devices, perSecond, boot = 12_000, 500, 40*time.Second // of whom 9,000 are unlucky
	}
	var there badTarget
	startProcess(t, "hostile", nil, &there)
	s := read(t, oneToaster)
	key, err := provisioning.ParseKey(scenarios.TutorialGroupKey)
	if err != nil {
		t.Fatal(err)
	}
	s.Target = &scenarios.Target{
		DPS: there.DPS, IDScope: there.IDScope, GroupKey: key, RootCAs: there.RootCAs, Hubs: s.Cloud.LinkedHubs,
		Endpoints: []string{there.Silent, there.Resets, there.Huge, there.DPS}, Gateway: there.DPS,
	}
	s.Cloud = nil
	s.Fleets[0].Count, s.Fleets[0].Arrive = devices, stages(t, fmt.Sprintf("constant %d/s", perSecond))
	s.Fleets[0].Expect = metrics.Expectations{{Outcome: device.OutcomeAssigned}, {Outcome: device.OutcomeTimeout}}
	s.Limits.Boot = scenarios.Duration(boot)
	r, err := scenarios.Run(t.Context(), s, scenarios.Env{})
	if err != nil || len(r.Failures) > 0 || r.Due != devices || r.Accounted != devices {
		t.Fatal(err, r.Due, r.Accounted, r.Failures, r.Unexpected)
	}
	want := map[device.Outcome]int{device.OutcomeAssigned: devices / 4, device.OutcomeTimeout: devices * 3 / 4}
	if !maps.Equal(r.Fleets[0].Outcomes, want) {
		t.Errorf("%v, want %v", r.Fleets[0].Outcomes, want)
	}
	for _, times := range r.Times {
		if times.Metric == "time_to_online" {
			t.Logf("%v in %v: the lucky ones were online after %v (p99 %v, max %v); %v; %+v", r.Fleets[0].Outcomes, r.Took, times.P50, times.P99, times.Max, r.Verdict(), r.Run.Machine)
		}
	}
}

// serveHostile is that process.
func serveHostile() {
	authority, err := provisioning.NewAuthority("hostile", time.Now())
	if err != nil {
		fail(err)
	}
	cert, err := authority.Issue("127.0.0.1")
	if err != nil {
		fail(err)
	}
	s, err := scenarios.Read("hostile.yaml", []byte(oneToaster), nil)
	if err != nil {
		fail(err)
	}
	key, err := provisioning.ParseKey(scenarios.TutorialGroupKey)
	if err != nil {
		fail(err)
	}
	config, fast := s.Config(key, nil), emulator.Fast()
	config.TLS, config.Answers = true, &fast
	cloud, err := emulator.New(context.Background(), config)
	if err != nil {
		fail(err)
	}
	say(badTarget{
		Silent:  opened(func(nc net.Conn) { io.Copy(io.Discard, nc) }),
		Resets:  opened(resets),
		Huge:    opened(func(nc net.Conn) { saysTooMuch(tls.Server(nc, &tls.Config{Certificates: []tls.Certificate{cert}})) }),
		DPS:     cloud.Addr(),
		IDScope: cloud.IDScope(),
		RootCAs: append(authority.PEM(), cloud.CA()...),
	})
	io.Copy(io.Discard, os.Stdin)
}

// opened is the address of a door at which everybody is received so.
func opened(receive func(net.Conn)) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fail(err)
	}
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				fail(err)
			}
			go func() {
				defer nc.Close()
				receive(nc)
			}()
		}
	}()
	return l.Addr().String()
}

// resets hears the ClientHello and cuts the connection with an RST.
func resets(nc net.Conn) {
	nc.Read(make([]byte, 512))
	nc.(*net.TCPConn).SetLinger(0)
}

// saysTooMuch answers the CONNECT with a packet of 256 MiB, the most that MQTT knows,
// and gives but the beginning of it.
func saysTooMuch(nc net.Conn) {
	if _, err := nc.Read(make([]byte, 512)); err != nil {
		return
	}
	nc.Write(append([]byte{0x20, 0xff, 0xff, 0xff, 0x7f}, make([]byte, 8<<10)...))
	io.Copy(io.Discard, nc)
}
