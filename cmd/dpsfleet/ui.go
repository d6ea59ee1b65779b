package main

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"dpsfleet/metrics"
	"dpsfleet/metrics/live"
	"dpsfleet/scenarios"
)

// uiFlags are those of every verb that runs something to look at.
type uiFlags struct{ address string }

func (f *uiFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.address, "ui", "", "`ADDR` to show the run on, in a browser, as 127.0.0.1:8080; port 0 picks a free one")
}

// open serves the page that --ui asks for; without the flag there is none, which is
// nil.
func (f *uiFlags) open(p *program, cmd *cobra.Command) (*ui, error) {
	if f.address == "" {
		return nil, nil
	}
	host, err := hostOf(cmd, "ui", f.address, "127.0.0.1:8080")
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", f.address)
	if err != nil {
		return nil, fmt.Errorf("serving the page: %w", listenError("--ui", err))
	}
	f.address = listener.Addr().String() // with its port, where a free one was asked for
	if !scenarios.Loopback(host) {
		fmt.Fprintf(p.stderr, "whoever reaches this machine can read the page at %s: devices, hubs and errors are on it\n", f.address)
	}
	u := &ui{page: live.New(live.Options{Host: host}), address: f.address}
	u.served = serveBeside(cmd.Context(), listener, u.page.Handler())
	return u, nil
}

// ui is a page that is being served; nil is none.
type ui struct {
	served
	page    *live.Page
	address string
}

// folds are what a run is to feed.
func (u *ui) folds() []metrics.Fold {
	if u == nil {
		return nil
	}
	return []metrics.Fold{u.page.Fold()}
}

// announce says where the page is.
func (u *ui) announce(p *program) {
	if u != nil {
		fmt.Fprintf(p.stderr, "page at http://%s/\n", u.address)
	}
}

func (u *ui) close() {
	if u != nil {
		u.page.Close()
		u.served.close()
	}
}
