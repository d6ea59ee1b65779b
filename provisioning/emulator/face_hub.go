package emulator

import "net/http"

// hubAPI is the service side of the hubs: devices, twins, methods and messages.
func (c *Cloud) hubAPI() http.Handler { return http.NotFoundHandler() }
