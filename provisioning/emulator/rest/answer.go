package rest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"dpsfleet/provisioning"
)

const jsonType = "application/json; charset=utf-8"

// answer writes a JSON document. Node's SDK reads only what calls itself
// application/json.
func answer(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) // a client that has gone is no news
}

// refuse writes an error document, and its code into x-ms-error-code (DPS
// service REST API). What is no such error is a 500 without details.
func refuse(w http.ResponseWriter, err error) {
	var e *provisioning.Error
	if !errors.As(err, &e) {
		e = &provisioning.Error{Status: http.StatusInternalServerError, Code: provisioning.ServerError, Message: "Internal server error."}
	}
	document := *e
	document.TrackingID = trackingID()
	document.Time = provisioning.Timestamp{Time: time.Now()}
	w.Header().Set("x-ms-error-code", strconv.Itoa(int(document.Code)))
	answer(w, document.Status, document.JSON())
}

// trackingID is a random UUID (RFC 9562, version 4).
func trackingID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
