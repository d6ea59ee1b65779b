package emulator

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"

	"dpsfleet/provisioning/emulator/hub"
	"dpsfleet/provisioning/emulator/rest"
)

// hubAPI is the service side of the hubs: devices, twins, methods and messages.
// Which hub, the Host of the request says or, because all of them are at one
// address here, the query: ?hub=NAME. Devices' own requests to a hub over HTTPS
// are not emulated.
func (c *Cloud) hubAPI() http.Handler {
	apis := make(map[string]http.Handler, len(c.hubs))
	for name, h := range c.hubs {
		apis[name] = h.ServiceAPI()
	}
	serve := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		api, known := apis[hubNamed(r)]
		if !known {
			http.Error(w, "name the hub: by the Host of the request, or by ?hub= and the name of a linked hub", http.StatusNotFound)
			return
		}
		api.ServeHTTP(w, r)
	})
	return rest.Guard(c.faceHosts(), rest.Authorize(c.ownerKey(hubOwner), serve))
}

// hubNamed is the hub that a request is for, folded.
func hubNamed(r *http.Request) string {
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(cmp.Or(r.URL.Query().Get("hub"), host))
}

// HubConnectionString is what back ends connect to the service side of a hub
// with, on the HTTP face. It holds a key that may do everything at every hub. It
// is empty without an HTTP face.
func (c *Cloud) HubConnectionString(hubName string) string {
	_, port, err := net.SplitHostPort(c.HTTPSAddr())
	if err != nil {
		return ""
	}
	return rest.ConnectionString{Host: hubName, Port: port, Policy: hubOwner, Key: c.owners[hubOwner]}.Text()
}

func (c *Cloud) hub(name string) (*hub.Hub, error) {
	h, known := c.hubs[strings.ToLower(name)]
	if !known {
		return nil, fmt.Errorf("the hub %q is not linked", name)
	}
	return h, nil
}

// MethodCall is a direct method, MethodAnswer what a device answered, and Message
// what a back end sends to a device. HubError is what a hub says where it refuses
// one of them.
type (
	MethodCall   = hub.MethodCall
	MethodAnswer = hub.MethodAnswer
	Message      = hub.Message
	HubError     = hub.Error
)

// CallMethod calls a direct method of a device and waits for its answer. A device
// that is not there, or does not answer in time, is a *HubError.
func (c *Cloud) CallMethod(ctx context.Context, hubName, deviceID string, call MethodCall) (MethodAnswer, error) {
	h, err := c.hub(hubName)
	if err != nil {
		return MethodAnswer{}, err
	}
	answer, err := h.CallMethod(ctx, deviceID, call)
	if err != nil {
		return MethodAnswer{}, fmt.Errorf("calling %s of %q: %w", call.Name, deviceID, err)
	}
	return answer, nil
}

// SendMessage queues a message for a device, which gets it once it is connected
// and has subscribed.
func (c *Cloud) SendMessage(hubName, deviceID string, m Message) error {
	h, err := c.hub(hubName)
	if err != nil {
		return err
	}
	if err := h.SendMessage(deviceID, m); err != nil {
		return fmt.Errorf("sending a message to %q: %w", deviceID, err)
	}
	return nil
}
