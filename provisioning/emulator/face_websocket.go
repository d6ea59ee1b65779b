package emulator

import (
	"net/http"

	"dpsfleet/provisioning/wsnet"
)

// webSocket takes MQTT over WebSocket. The path is not looked at: C, Node and
// Python dial /$iothub/websocket, C# dials /, Java what its library likes, and
// the live service lets all of them in.
func (c *Cloud) webSocket() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := wsnet.Upgrade(w, r, "mqtt")
		if err != nil {
			c.cfg.Log.Info("no WebSocket", "remote", r.RemoteAddr, "reason", shown(err.Error()))
			return
		}
		// Another goroutine serves it: this one is held by net/http together
		// with the buffers of the request.
		select {
		case c.upgraded <- conn:
		case <-c.ctx.Done():
			conn.Close()
		}
	})
}

// acceptUpgraded serves what webSocket has let in.
func (c *Cloud) acceptUpgraded() {
	for {
		select {
		case conn := <-c.upgraded:
			c.running.Add(1)
			go c.serve(conn)
		case <-c.ctx.Done():
			return
		}
	}
}
