package rest

import (
	"bytes"
	"net/http"

	"dpsfleet/provisioning"
)

// registrations serves /registrations/{id} and /registrations/{group}/query.
func (c call) registrations(s Registrations) {
	switch {
	case c.id == "":
		c.notThere()
	case c.verb == "query":
		if c.method(http.MethodPost) {
			c.queryGroup(s)
		}
	case c.verb != "":
		c.notThere()
	case !c.method(http.MethodGet, http.MethodDelete):
	case c.r.Method == http.MethodDelete:
		c.done(s.Delete(c.id, c.condition()))
	default:
		c.state(s)
	}
}

func (c call) state(s Registrations) {
	state, known := s.Get(c.id)
	if !known {
		c.refuse(http.StatusNotFound, provisioning.DeviceRegistrationNotFound, "Registration not found.")
		return
	}
	c.w.Header().Set("ETag", state.ETag)
	answer(c.w, http.StatusOK, state.JSON())
}

// queryGroup lists the devices of a group. The body is empty or {}.
func (c call) queryGroup(s Registrations) {
	body, err := c.body()
	if err != nil {
		refuse(c.w, err)
		return
	}
	if len(bytes.TrimSpace(body)) > 0 && !isObject(body) {
		refuse(c.w, bad("BadRequest: the body is neither empty nor an object."))
		return
	}
	states, known := s.Of(c.id)
	if !known {
		c.refuse(http.StatusNotFound, provisioning.EnrollmentGroupNotFound, "Enrollment group not found.")
		return
	}
	items := make([]item, len(states))
	for i, state := range states {
		items[i] = item{state.RegistrationID, func() ([]byte, error) { return state.JSON(), nil }}
	}
	c.page(items, "deviceRegistration")
}
