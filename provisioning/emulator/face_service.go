package emulator

import "net/http"

// serviceAPI is the service API of DPS: enrollments and registrations.
func (c *Cloud) serviceAPI() http.Handler { return http.NotFoundHandler() }
