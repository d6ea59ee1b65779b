package emulator

import (
	"cmp"
	"errors"
	"net/http"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/emulator/hub"
	"dpsfleet/provisioning/mqtt"
)

// FaultPoint is where Config.Fault is asked.
type FaultPoint string

// The points, and which members of a Fault mean something there.
const (
	FaultAtConnect      FaultPoint = "dps connect"      // a CONNECT of MQTT: Wait, Connack, HangUp
	FaultAtRegistration FaultPoint = "dps registration" // Wait, Status, HangUp, Silent
	FaultAtPoll         FaultPoint = "dps poll"         // the same
	FaultAtAssignment   FaultPoint = "dps assignment"   // DPS makes the device at its hub: StaleHub
	FaultAtHubConnect   FaultPoint = "hub connect"      // as at DPS
	FaultAtTwin         FaultPoint = "hub twin"         // a GET of the twin: Status, HangUp, Silent
)

// Fault is what becomes of what a device asks for, instead of what would. The
// zero value is none.
type Fault struct {
	// Wait holds the answer back.
	Wait time.Duration
	// Connack refuses the connection with this code.
	Connack byte
	// Status refuses the request with this status and an error document. 429 is
	// DPS's throttling, and RetryAfter what the device is told to wait then.
	Status     int
	RetryAfter time.Duration
	// HangUp closes the connection without a word, and Silent keeps it and never
	// answers.
	HangUp, Silent bool
	// StaleHub has the hub refuse DPS, as if DPS's key for it were stale.
	StaleHub bool
}

// errFault is why the cloud hung up.
var errFault = errors.New("the connection was closed on purpose: a fault")

// fault asks for what is to go wrong now.
func (c *Cloud) fault(point FaultPoint, registrationID string) Fault {
	if c.cfg.Fault == nil {
		return Fault{}
	}
	return c.cfg.Fault(point, registrationID)
}

// turnAway does to a CONNECT what a fault says; nil lets it go on.
func (c *Cloud) turnAway(conn *mqtt.Conn, f Fault) error {
	if f.Wait > 0 {
		c.sleep(f.Wait)
	}
	switch {
	case f.Connack != 0:
		return refuse(conn, f.Connack, "on purpose: a fault")
	case f.HangUp:
		return errFault
	}
	return nil
}

// loss is what becomes of an answer that a fault does not let out.
type loss string

const (
	lostSilent loss = "never answered on purpose: a fault"
	lostHungUp loss = "hung up on purpose: a fault"
)

// faulty is the answer that a fault makes of a request; nil if it leaves the
// request alone but for the wait.
func (d *applicant) faulty(f Fault, request provisioning.Request) *answer {
	switch {
	case f.Silent:
		return &answer{lost: lostSilent}
	case f.HangUp:
		return &answer{lost: lostHungUp}
	case f.Status == http.StatusTooManyRequests:
		return d.refusal(request, d.cloud.tooMany(f.RetryAfter))
	case f.Status != 0:
		return d.refusal(request, problem(f.Status, d.cloud.codeOf(f.Status), http.StatusText(f.Status)))
	}
	return nil
}

// codeOf is the code of a status: one that was seen with it, or its number alone.
func (c *Cloud) codeOf(status int) provisioning.Code {
	seen := map[int]provisioning.Code{
		400: provisioning.BadRequest,
		401: c.cfg.Undocumented.UnauthorizedCode,
		404: provisioning.EnrollmentNotFound,
		500: provisioning.ServerError,
	}
	return cmp.Or(seen[status], provisioning.Code(1000*status))
}

// lose does to an answer over MQTT what its fault says.
func (s *session) lose(a *answer) error {
	s.cloud.note(s.who.registrationID, a, string(a.lost))
	if a.lost == lostHungUp {
		return errFault
	}
	return nil
}

// lose is the same over HTTPS. Without an answer the request lasts until its
// client gives up.
func (c *Cloud) lose(w http.ResponseWriter, r *http.Request, registrationID string, a *answer) {
	c.note(registrationID, a, string(a.lost))
	if a.lost == lostSilent {
		<-r.Context().Done()
		return
	}
	if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
		conn.Close()
	}
}

// stale reports whether the hub of a verdict refuses DPS.
func (c *Cloud) stale(t *task, hubName string) bool {
	if _, err := c.hub(hubName); err != nil {
		return false
	}
	return c.cfg.hub(hubName).Unauthorized || c.fault(FaultAtAssignment, t.who.registrationID).StaleHub
}

// registered is the registration id of a hub's device, under which faults know it.
func registered(h *hub.Hub, deviceID string) string {
	device, _ := h.Device(deviceID)
	return cmp.Or(device.RegistrationID, deviceID)
}

// twinFault is what becomes of a GET of a twin.
func (c *Cloud) twinFault(registrationID string) error {
	f := c.fault(FaultAtTwin, registrationID)
	switch {
	case f.Silent:
		return hub.ErrSilent
	case f.HangUp:
		return errFault
	case f.Status != 0:
		return &hub.Error{Status: f.Status, Code: c.codeOf(f.Status), Name: http.StatusText(f.Status), Reason: "on purpose: a fault"}
	}
	return nil
}
