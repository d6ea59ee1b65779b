package hub

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"dpsfleet/provisioning"
)

func (h *Hub) getDevice(r *http.Request) (reply, error) {
	d, known := h.Device(r.PathValue("id"))
	if !known {
		return reply{}, notFound(r.PathValue("id"))
	}
	return reply{status: http.StatusOK, etag: d.ETag(), body: h.deviceJSON(d)}, nil
}

// listDevices answers with up to 1,000 devices, or ?top= of them.
func (h *Hub) listDevices(r *http.Request) (reply, error) {
	n, err := pageSize(cmp.Or(r.URL.Query().Get("top"), strconv.Itoa(maxPage)))
	if err != nil {
		return reply{}, err
	}
	page, _ := h.page("", n)
	devices := make([][]byte, 0, len(page))
	for _, e := range page {
		devices = append(devices, h.deviceJSON(e.device))
	}
	return reply{status: http.StatusOK, body: array(devices)}, nil
}

// array is documents as one.
func array(documents [][]byte) []byte {
	return slices.Concat([]byte("["), bytes.Join(documents, []byte(",")), []byte("]"))
}

func (h *Hub) putDevice(r *http.Request) (reply, error) {
	var asked struct {
		DeviceID       string `json:"deviceId"`
		Status         string `json:"status"`
		Authentication struct {
			Type         string                    `json:"type"`
			SymmetricKey provisioning.SymmetricKey `json:"symmetricKey"`
		} `json:"authentication"`
	}
	if err := read(r, &asked); err != nil {
		return reply{}, err
	}
	id := r.PathValue("id")
	old, _ := h.Device(id)
	switch {
	case asked.DeviceID != "" && asked.DeviceID != id:
		return reply{}, invalid("the device id of the body is not the one of the path")
	case asked.Status != "" && asked.Status != "enabled" && asked.Status != "disabled":
		return reply{}, invalid("the status is neither enabled nor disabled")
	case !strings.EqualFold(asked.Authentication.Type, authentication(old)) && asked.Authentication.Type != "":
		return reply{}, invalid("this emulator registers devices with type sas only; those with certificates come from DPS")
	}
	if err := checkDeviceID(id); err != nil {
		return reply{}, err
	}
	d, err := h.Register(Device{ID: id, Keys: asked.Authentication.SymmetricKey, Disabled: asked.Status == "disabled"}, ifMatch(r))
	if err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusOK, etag: d.ETag(), body: h.deviceJSON(d)}, nil
}

// checkDeviceID is the rule of the identity registry: up to 128 ASCII letters,
// digits and some punctuation. Of that, what would not fit into a topic is
// refused.
func checkDeviceID(id string) error {
	strange := func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-:._*!(),=@$'", r))
	}
	if id == "" || len(id) > 128 || strings.ContainsFunc(id, strange) {
		return invalid("the device id is not one of 1 to 128 letters, digits and some punctuation")
	}
	return nil
}

func (h *Hub) deleteDevice(r *http.Request) (reply, error) {
	if err := h.Unregister(r.PathValue("id"), ifMatch(r)); err != nil {
		return reply{}, err
	}
	return reply{status: http.StatusNoContent}, nil
}

func (h *Hub) deviceJSON(d Device) []byte {
	var auth, o provisioning.Object
	auth.Text("type", authentication(d))
	if d.X509 == nil {
		var keys provisioning.Object
		keys.Text("primaryKey", d.Keys.Primary.Base64())
		keys.Text("secondaryKey", d.Keys.Secondary.Base64())
		auth.Raw("symmetricKey", keys.Bytes())
	}
	o.Text("deviceId", d.ID)
	o.Text("etag", d.ETag())
	o.Text("connectionState", h.connectionState(d.ID))
	o.Text("status", status(d))
	o.Int("cloudToDeviceMessageCount", int64(h.Pending(d.ID)))
	o.Raw("authentication", auth.Bytes())
	o.Raw("capabilities", []byte(`{"iotEdge":false}`))
	return o.Bytes()
}

// authentication is how a device proves who it is, in the registry's words.
func authentication(d Device) string {
	switch {
	case d.X509 == nil:
		return "sas"
	case d.X509.Client != nil:
		return "selfSigned"
	}
	return "certificateAuthority"
}

func status(d Device) string {
	if d.Disabled {
		return "disabled"
	}
	return "enabled"
}

func (h *Hub) connectionState(deviceID string) string {
	if _, online := h.sessions.Get(deviceID); online {
		return "Connected"
	}
	return "Disconnected"
}

// The bounds of a page of a query.
const (
	defaultPage = 100
	maxPage     = 1000
)

// query answers the one query that tests live by, with the twins of all devices,
// page after page in the order of their ids. Others it refuses: it does not know
// the language.
func (h *Hub) query(r *http.Request) (reply, error) {
	var asked struct {
		Query string `json:"query"`
	}
	if err := read(r, &asked); err != nil {
		return reply{}, err
	}
	if !strings.EqualFold(strings.Join(strings.Fields(asked.Query), " "), "SELECT * FROM devices") {
		return reply{}, invalid("this emulator knows the query SELECT * FROM devices and no other")
	}
	n, err := pageSize(r.Header.Get("x-ms-max-item-count"))
	if err != nil {
		return reply{}, err
	}
	after, err := base64.StdEncoding.DecodeString(r.Header.Get("x-ms-continuation"))
	if err != nil {
		return reply{}, invalid("x-ms-continuation is none that this hub gave out")
	}
	page, more := h.page(string(after), n)
	twins := make([][]byte, 0, len(page))
	for _, e := range page {
		twins = append(twins, h.twinJSON(e))
	}
	headers := map[string]string{"x-ms-item-type": "Twin"}
	if more {
		headers["x-ms-continuation"] = base64.StdEncoding.EncodeToString([]byte(page[n-1].device.ID))
	}
	return reply{status: http.StatusOK, headers: headers, body: array(twins)}, nil
}

func pageSize(header string) (int, error) {
	if header == "" {
		return defaultPage, nil
	}
	n, err := strconv.Atoi(header)
	if err != nil || n < 1 {
		return 0, invalid(fmt.Sprintf("the size of a page is not a number from 1 to %d", maxPage))
	}
	return min(n, maxPage), nil
}
