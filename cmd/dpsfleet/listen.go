package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning/emulator"
	"dpsfleet/scenarios"
)

// hostOf is the host of a flag's HOST:PORT, of which example is one.
func hostOf(cmd *cobra.Command, flag, address, example string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		return "", usage(cmd, "--%s %q is not HOST:PORT, as %s is", flag, address, example)
	}
	return host, nil
}

// onThisMachine reports whether nobody beyond this machine reaches the cloud.
func (f *emulateFlags) onThisMachine(cmd *cobra.Command) (bool, error) {
	host, err := hostOf(cmd, "mqtt", f.mqtt, "127.0.0.1:8883")
	if err != nil {
		return false, err
	}
	if f.https == "" {
		return scenarios.Loopback(host), nil
	}
	httpsHost, err := hostOf(cmd, "https", f.https, "127.0.0.1:443")
	if err != nil {
		return false, err
	}
	return scenarios.Loopback(host) && scenarios.Loopback(httpsHost), nil
}

// listen listens where the cloud asks to, and knows which flag said so. The
// cloud's own policies listen as well, on free ports.
func (f *emulateFlags) listen(network, address string) (net.Listener, error) {
	listener, err := emulator.Listen(network, address)
	if address == f.https {
		return listener, listenError("--https", err)
	}
	return listener, listenError("--mqtt", err)
}

// listenError says what to do about a port that cannot be had.
func listenError(flag string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%w; choose another port with %s, or 0 for a free one", err, flag)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%w; ports below 1024 need a privilege: on Linux `sudo setcap cap_net_bind_service=+ep $(command -v dpsfleet)` gives it to the program, `authbind --deep dpsfleet ...` to one run of it; or choose another port with %s", err, flag)
	}
	return err
}

// pointHTTPS says what is to be had over HTTP. Microsoft's SDKs have port 443
// built in.
func (p *program) pointHTTPS(cloud *emulator.Cloud, flags *emulateFlags) error {
	_, port, err := net.SplitHostPort(cloud.HTTPSAddr())
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "HTTPS             %s: MQTT over WebSocket at /$iothub/websocket, the device API at /SCOPE/registrations/ID/register\n", cloud.HTTPSAddr())
	if flags.plain {
		return nil
	}
	fmt.Fprintf(p.stdout, "dpsfleet          --network wss --endpoint %s --ca %s\n", cloud.HTTPSEndpoint(), flags.caOut)
	if port != "443" {
		fmt.Fprintln(p.stdout, "SDKs              over WebSocket and HTTPS they dial port 443 and no other: emulate with --https 127.0.0.1:443 (it needs a privilege), or give Node's an agent with this port")
	}
	return nil
}

// served is what a run shows while it goes on, and after it.
type served struct {
	stop context.CancelFunc
	done chan error
}

// serveBeside serves until close: the end of ctx, which stops the run, leaves its
// end to be looked at.
func serveBeside(ctx context.Context, listener net.Listener, handler http.Handler) served {
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := served{stop, make(chan error, 1)}
	go func() { s.done <- serve(ctx, listener, handler) }()
	return s
}

func (s served) close() {
	s.stop()
	<-s.done
}
