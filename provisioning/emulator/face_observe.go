package emulator

import "net/http"

// observed tells what the emulator saw.
func (c *Cloud) observed() http.Handler { return http.NotFoundHandler() }
