package emulator

import "net/http"

// deviceAPI is the device API of DPS over HTTPS.
func (c *Cloud) deviceAPI() http.Handler { return http.NotFoundHandler() }
