package emulator_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning/emulator"
	"dpsfleet/provisioning/memnet"
)

// TestCloseDoesNotWaitForAConnectionThatNobodyUsed: where a device registers again
// while its webhook is dialled, the connection is made and no request ever comes
// on it. Shutdown of net/http gives such a one five seconds, as Close does.
func TestCloseDoesNotWaitForAConnectionThatNobodyUsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, network: new(memnet.Network)}
		cfg, fast := contoso(t), emulator.Fast()
		cfg.Answers, cfg.Listen = &fast, w.network.Listen
		cfg.Dial = func(_ context.Context, network, address string) (net.Conn, error) {
			time.Sleep(time.Second)
			return w.network.Dial(context.Background(), network, address)
		}
		var err error
		if w.cloud, err = emulator.New(context.Background(), cfg); err != nil {
			t.Fatal(err)
		}
		c := w.device(toaster)
		defer c.nc.Close()
		c.register(t)
		time.Sleep(time.Millisecond)
		c.register(t)
		time.Sleep(2 * time.Second)
		before := time.Now()
		w.close()
		if took := time.Since(before); took > 100*time.Millisecond { // it looks every few
			t.Errorf("closing took %s", took)
		}
	})
}
