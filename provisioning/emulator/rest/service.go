package rest

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"dpsfleet/provisioning"
)

// Service is what the service API of DPS does, as funcs that the cloud has.
// Their errors are of type [provisioning.Error] where a caller is to read them.
type Service struct {
	Individuals, Groups Records
	Registrations       Registrations
}

// Records are the enrollments of one kind. Ids are as the caller wrote them.
type Records struct {
	// List is all of them, by id, with their keys, as is what Get and Put return.
	List func() []provisioning.Enrollment
	Get  func(id string) (provisioning.Enrollment, bool)
	// Put makes a record or replaces it, if that holds, and returns it as it is now.
	Put func(provisioning.Enrollment, Condition) (provisioning.Enrollment, error)
	// Delete removes a record, if that holds.
	Delete func(id string, only Condition) error
}

// Registrations are what DPS keeps of devices that have registered.
type Registrations struct {
	Get    func(id string) (provisioning.RegistrationState, bool)
	Delete func(id string, only Condition) error
	// Of is all of an enrollment group, by id; false if there is no such group.
	Of func(group string) ([]provisioning.RegistrationState, bool)
}

// Condition is when a change may be made.
type Condition struct {
	// IfMatch is an etag with or without its quotes, or *, which is any record
	// that there is (RFC 9110 section 13.1.1). Empty is always.
	IfMatch string
	// Create and Update want that there is none yet, or that there is one.
	Create, Update bool
}

// Holds reports whether a change may be made to a record with that etag; an empty
// one is none there.
func (c Condition) Holds(etag string) bool {
	switch {
	case c.IfMatch == "":
		return true
	case c.IfMatch == "*":
		return etag != ""
	}
	return etag != "" && bare(c.IfMatch) == bare(etag)
}

// bare is an etag without quotes: the service's documents have them inside of the
// JSON string, and SDKs send what they find there.
func bare(etag string) string {
	return strings.Trim(strings.TrimPrefix(strings.TrimSpace(etag), "W/"), `"`)
}

// maxBody is the largest body that is read: ten records with the largest twins.
const maxBody = 1 << 20

// NewService serves the service API of DPS (its REST reference, API versions
// 2018-09-01 to 2021-10-01, which have the same paths; api-version is not looked
// at). Paths are matched whatever their case: Node's SDK writes enrollmentgroups.
func NewService(s Service) http.Handler {
	individuals := kind{Records: s.Individuals, itemType: "enrollment", member: "registrationId",
		notFound: provisioning.EnrollmentNotFound, conflict: provisioning.EnrollmentConflict}
	groups := kind{Records: s.Groups, itemType: "enrollmentGroup", member: "enrollmentGroupId", group: true,
		notFound: provisioning.EnrollmentGroupNotFound, conflict: provisioning.EnrollmentGroupConflict}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		first, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		id, verb, _ := strings.Cut(rest, "/")
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		call := call{w: w, r: r, id: id, verb: strings.ToLower(verb)}
		switch strings.ToLower(first) {
		case "enrollments":
			call.records(individuals)
		case "enrollmentgroups":
			call.records(groups)
		case "registrations":
			call.registrations(s.Registrations)
		default:
			call.notThere()
		}
	})
}

// kind is one of the two kinds of enrollments.
type kind struct {
	Records
	itemType, member   string
	group              bool
	notFound, conflict provisioning.Code
}

// call is one request, its path taken apart: /enrollments/{id}/{verb}.
type call struct {
	w        http.ResponseWriter
	r        *http.Request
	id, verb string
}

// method asks for one of methods and answers 405 to any other.
func (c call) method(methods ...string) bool {
	for _, m := range methods {
		if c.r.Method == m {
			return true
		}
	}
	c.w.Header().Set("Allow", strings.Join(methods, ", "))
	c.refuse(http.StatusMethodNotAllowed, provisioning.BadRequest, "The method is not allowed here.")
	return false
}

func (c call) notThere() {
	c.refuse(http.StatusNotFound, provisioning.BadRequest, "The service API of DPS has no such path.")
}

func (c call) refuse(status int, code provisioning.Code, message string) {
	refuse(c.w, problem(status, code, message))
}

func problem(status int, code provisioning.Code, message string) *provisioning.Error {
	return &provisioning.Error{Status: status, Code: code, Message: message}
}

func bad(format string, args ...any) *provisioning.Error {
	return problem(http.StatusBadRequest, provisioning.BadRequest, fmt.Sprintf(format, args...))
}

// body reads the whole body.
func (c call) body() ([]byte, error) {
	body, err := io.ReadAll(c.r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, problem(http.StatusRequestEntityTooLarge, provisioning.BadRequest, fmt.Sprintf("The body has more than %d bytes.", tooLarge.Limit))
	case err != nil:
		return nil, bad("The body could not be read.")
	}
	return body, nil
}
