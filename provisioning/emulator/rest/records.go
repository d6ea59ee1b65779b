package rest

import (
	"net/http"
	"strings"

	"dpsfleet/provisioning"
)

// records serves /enrollments and /enrollmentGroups.
func (c call) records(k kind) {
	switch {
	case c.id == "" && c.verb == "":
		if c.method(http.MethodPost) {
			c.bulk(k)
		}
	case strings.EqualFold(c.id, "query") && c.verb == "" && c.r.Method == http.MethodPost:
		c.query(k)
	case c.verb == "attestationmechanism":
		if c.method(http.MethodPost) {
			c.attestation(k)
		}
	case c.verb == "" && c.method(http.MethodGet, http.MethodPut, http.MethodDelete):
		c.record(k)
	case c.verb != "":
		c.notThere()
	}
}

func (c call) record(k kind) {
	switch c.r.Method {
	case http.MethodPut:
		c.put(k)
	case http.MethodDelete:
		c.done(k.Delete(c.id, c.condition()))
	default:
		if e, ok := c.find(k); ok {
			c.show(withoutKeys(e))
		}
	}
}

func (c call) find(k kind) (provisioning.Enrollment, bool) {
	e, known := k.Get(c.id)
	if !known {
		c.refuse(http.StatusNotFound, k.notFound, "Enrollment not found.")
	}
	return e, known
}

func (c call) condition() Condition { return Condition{IfMatch: c.r.Header.Get("If-Match")} }

// put makes a record or replaces it. The answer has the keys, those that were
// made among them: C#'s end-to-end tests take them from there.
func (c call) put(k kind) {
	body, err := c.body()
	if err != nil {
		refuse(c.w, err)
		return
	}
	record, err := provisioning.ParseEnrollment(body)
	if err != nil {
		refuse(c.w, bad("BadRequest: %s", err))
		return
	}
	if !k.named(record) || !strings.EqualFold(record.ID(), c.id) {
		refuse(c.w, bad("The %s of the body is not that of the path.", k.member))
		return
	}
	record, err = k.Put(record, c.condition())
	if err != nil {
		refuse(c.w, err)
		return
	}
	c.show(record)
}

// named reports whether a record has the id of its kind and not the other's.
func (k kind) named(e provisioning.Enrollment) bool {
	if k.group {
		return e.EnrollmentGroupID != "" && e.RegistrationID == ""
	}
	return e.RegistrationID != "" && e.EnrollmentGroupID == ""
}

func (c call) show(e provisioning.Enrollment) {
	text, err := e.JSON()
	if err != nil {
		refuse(c.w, err)
		return
	}
	c.w.Header().Set("ETag", e.ETag)
	answer(c.w, http.StatusOK, provisioning.ASCII(text))
}

// done is the answer to what returns nothing.
func (c call) done(err error) {
	if err != nil {
		refuse(c.w, err)
		return
	}
	c.w.WriteHeader(http.StatusNoContent)
}

// attestation is the one call that shows the keys of a record at any time.
func (c call) attestation(k kind) {
	e, known := c.find(k)
	if !known {
		return
	}
	text, err := provisioning.Marshal(e.Attestation)
	if err != nil {
		refuse(c.w, err)
		return
	}
	answer(c.w, http.StatusOK, provisioning.ASCII(text))
}

// withoutKeys is a record as it is read: the type of its attestation, and of
// certificates what they say. The webhook's URL keeps its query, which whoever may
// write records may read.
func withoutKeys(e provisioning.Enrollment) provisioning.Enrollment {
	e.Attestation = e.Attestation.Public()
	return e
}
