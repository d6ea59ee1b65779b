package hub

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"dpsfleet/provisioning"
)

// ServiceAPI is what back ends ask a hub over HTTP: devices, twins, direct
// methods and messages. Who may, the caller sees to. Paths, bodies and errors are
// as Azure's REST reference is remembered; they were not compared with the
// service.
func (h *Hub) ServiceAPI() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(*http.Request) (reply, error){
		"GET /devices":                h.listDevices,
		"GET /devices/{$}":            h.listDevices, // Node's SDK
		"GET /devices/{id}":           h.getDevice,
		"PUT /devices/{id}":           h.putDevice,
		"DELETE /devices/{id}":        h.deleteDevice,
		"POST /devices/query":         h.query,
		"GET /twins/{id}":             h.getTwin,
		"PATCH /twins/{id}":           h.changeTwin,
		"PUT /twins/{id}":             h.changeTwin,
		"POST /twins/{id}/methods":    h.callMethod,
		"POST " + deviceboundResource: h.sendMessage,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
			answer, err := serve(r)
			if err != nil {
				answer = refused(err)
			}
			answer.write(w)
		})
	}
	return mux
}

// maxRequest bounds a request; each kind has its own limit within it.
const maxRequest = 256 << 10

// reply is an answer of the service API.
type reply struct {
	status  int
	etag    string
	headers map[string]string
	body    []byte // JSON; nil is none
}

func (a reply) write(w http.ResponseWriter) {
	if a.etag != "" {
		w.Header().Set("ETag", `"`+a.etag+`"`)
	}
	for name, value := range a.headers {
		w.Header().Set(name, value)
	}
	if a.body != nil {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
	}
	w.WriteHeader(a.status)
	w.Write(a.body) // a client that has gone is no news
}

// refused is the answer to a request that failed. Its error is ours to the word,
// so nothing that a back end should not see is in it.
func refused(err error) reply {
	var e *Error
	if !errors.As(err, &e) {
		e = &Error{http.StatusInternalServerError, provisioning.ServerError, "ServerError", "the request was given up"}
	}
	var o provisioning.Object
	o.Text("Message", "ErrorCode:"+e.Name+";"+e.Reason)
	o.Text("ExceptionMessage", fmt.Sprintf("Tracking ID:%s-TimeStamp:%s", rand.Text(), provisioning.Timestamp{Time: time.Now()}))
	o.Int("errorCode", int64(e.Code))
	return reply{status: e.Status, headers: map[string]string{"iothub-errorcode": e.Name}, body: o.Bytes()}
}

func readAll(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if tooMuch := new(http.MaxBytesError); errors.As(err, &tooMuch) {
		return nil, tooLarge("the request, as far as it was read,", int(tooMuch.Limit), int(tooMuch.Limit))
	}
	if err != nil {
		return nil, invalid("the body could not be read")
	}
	return body, nil
}

// read decodes the body of a request.
func read(r *http.Request, into any) error {
	body, err := readAll(r)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return invalid("the body is not the JSON that belongs here: " + err.Error())
	}
	return nil
}

// ifMatch is the header as a hub compares it, without quotes.
func ifMatch(r *http.Request) string { return strings.Trim(r.Header.Get("If-Match"), `"`) }
