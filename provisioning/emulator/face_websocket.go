package emulator

import "net/http"

// webSocket takes MQTT over WebSocket.
func (c *Cloud) webSocket() http.Handler { return http.NotFoundHandler() }
