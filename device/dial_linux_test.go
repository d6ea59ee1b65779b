package device_test

import (
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dpsfleet/device"
)

func TestDialThatNobodyAnswersEndsWithItsLimit(t *testing.T) {
	port := silence(t)
	for _, host := range []string{"127.0.0.1", "localhost"} {
		t.Run(host, func(t *testing.T) {
			const limit = 50 * time.Millisecond
			start := time.Now()
			failure := dialled(t, t.Context(), net.JoinHostPort(host, port), device.Limits{Dial: limit})
			if took := time.Since(start); took < limit || took > 50*limit {
				t.Errorf("the dial was given up after %s, its limit is %s", took, limit)
			}
			if failure.Outcome != device.OutcomeUnreachable || !strings.Contains(failure.Error(), "no answer in time") {
				t.Errorf("the dial ended as %s, %v", failure.Outcome, failure)
			}
		})
	}
}

func TestDialEndsWithTheRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	start := time.Now()
	failure := dialled(t, ctx, net.JoinHostPort("127.0.0.1", silence(t)), device.Limits{Dial: time.Minute})
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the dial went on for %s", took)
	}
	if failure.Outcome != device.OutcomeInterrupted {
		t.Errorf("the dial ended as %s, %v", failure.Outcome, failure)
	}
}

// A context that cannot end is none that a dial looks at for its deadline.
func TestDialEndsWithTheBoot(t *testing.T) {
	const limit = 100 * time.Millisecond
	d, start := toaster(t), time.Now()
	target := &device.Target{
		Endpoint: net.JoinHostPort("127.0.0.1", silence(t)), IDScope: "0ne00002193",
		Limits: device.Limits{Dial: time.Minute, Boot: limit},
	}
	var last device.Event
	d.Run(context.Background(), target, start, func(e device.Event) { last = e })
	var failure *device.Failure
	if !errors.As(last.Err, &failure) || failure.Outcome != device.OutcomeTimeout {
		t.Errorf("the boot ended in %s with %v", last.To, last.Err)
	}
	if took := time.Since(start); took < limit || took > 50*limit {
		t.Errorf("the boot was given up after %s, its limit is %s", took, limit)
	}
}

// The acknowledgement of the server's SYN goes with the first packet, unless the
// kernel's timer of 40 ms comes first.
func TestDialLeavesTheAcknowledgementToTheFirstPacket(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	var sent uint32
	for range 10 {
		if sent = segmentsOfDial(t, listener.Addr().String()); sent == 1 {
			return
		}
	}
	t.Errorf("a dial sent %d segments, want the SYN alone", sent)
}

func segmentsOfDial(t *testing.T, address string) uint32 {
	t.Helper()
	nc, err := device.Dialer().DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	raw, err := nc.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var info *unix.TCPInfo
	var failed error
	if err := raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); errors.Join(err, failed) != nil {
		t.Fatal(err, failed)
	}
	return info.Segs_out
}

// dialled is the first failure of a device that boots against endpoint over TCP.
func dialled(t *testing.T, ctx context.Context, endpoint string, limits device.Limits) (first *device.Failure) {
	t.Helper()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	d := toaster(t)
	target := &device.Target{Endpoint: endpoint, IDScope: "0ne00002193", Limits: limits}
	d.Run(ctx, target, time.Now(), func(e device.Event) {
		if first == nil && errors.As(e.Err, &first) {
			stop()
		}
	})
	if first == nil {
		t.Fatal("the device booted")
	}
	return first
}

// silence is the port of a listener whose backlog is full: Linux lets who dials it wait.
func silence(t *testing.T) (port string) {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	at, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port = strconv.Itoa(at.(*syscall.SockaddrInet4).Port)
	for {
		nc, err := net.DialTimeout("tcp", "127.0.0.1:"+port, 100*time.Millisecond)
		if err != nil {
			return port
		}
		t.Cleanup(func() { nc.Close() })
	}
}
