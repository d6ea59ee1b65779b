package emulator

import (
	"fmt"
	"strings"
	"time"

	"dpsfleet/provisioning/emulator/hub"
	"dpsfleet/provisioning/mqtt"
)

// hubGates are what a hub lets through ("IoT Hub quotas and throttling").
type hubGates struct {
	connections gate // new ones of devices
	registry    gate // operations of DPS on the identity registry
}

// enterHub hands a connection to its hub. Over the quota a hub shapes traffic:
// it queues first and rejects what the queue does not hold. How long the queue
// is no document says, nor how a new connection hears of it: here its CONNACK is
// late, and then 3.
func (c *Cloud) enterHub(h *hub.Hub, conn *mqtt.Conn, enter func() (talk, error)) (talk, error) {
	gates := c.hubGates[strings.ToLower(h.Name())]
	if gates == nil {
		return enter()
	}
	wait, admitted := gates.connections.admit(time.Now(), c.cfg.Undocumented.ShapingQueue.Min)
	if !admitted {
		c.totals.throttled.Add(1)
		return nil, refuse(conn, serverUnavailable, fmt.Sprintf("429 ThrottlingException: %s has its new connections for the next %s", h.Name(), wait))
	}
	if wait > 0 {
		c.sleep(wait)
	}
	return enter()
}

// reserve is when DPS may have made its operations on the registries of hubs. It
// queues for them as long as it takes; the device hears assigning meanwhile.
func (c *Cloud) reserve(hubs ...string) time.Time {
	now := time.Now()
	last := now
	for _, name := range hubs {
		gates := c.hubGates[strings.ToLower(name)]
		if gates == nil {
			continue
		}
		wait, _ := gates.registry.admit(now, forever)
		last = latest(last, now.Add(wait))
	}
	return last
}
