package rest

import (
	"encoding/json"
	"errors"
	"net/http"

	"dpsfleet/provisioning"
)

// maxBulk is how many records one bulk operation may have ("Azure IoT Hub Device
// Provisioning Service limits", and the REST reference).
const maxBulk = 10

// The modes of a bulk operation.
const (
	modeCreate  = "create"
	modeUpdate  = "update"
	modeIfMatch = "updateIfMatchETag"
	modeDelete  = "delete"
)

// bulkError is one record that was not changed.
type bulkError struct {
	RegistrationID    string            `json:"registrationId,omitempty"`
	EnrollmentGroupID string            `json:"enrollmentGroupId,omitempty"`
	Code              provisioning.Code `json:"errorCode"`
	Status            string            `json:"errorStatus"`
}

// bulk changes up to ten records. Each is on its own: the others are changed
// though one is not.
func (c call) bulk(k kind) {
	body, err := c.body()
	if err != nil {
		refuse(c.w, err)
		return
	}
	operation := struct {
		Mode        string                    `json:"mode"`
		Enrollments []provisioning.Enrollment `json:"enrollments"`
		Groups      []provisioning.Enrollment `json:"enrollmentGroups"`
	}{}
	if err := json.Unmarshal(body, &operation); err != nil || !isObject(body) {
		refuse(c.w, bad("BadRequest: the body is not a bulk operation."))
		return
	}
	records := operation.Enrollments
	if k.group && records == nil {
		records = operation.Groups
	}
	if err := checkBulk(operation.Mode, records); err != nil {
		refuse(c.w, err)
		return
	}
	failed := []bulkError{}
	for _, e := range records {
		if err := k.change(operation.Mode, e); err != nil {
			failed = append(failed, failure(k, e, err))
		}
	}
	text, err := provisioning.Marshal(struct {
		Successful bool        `json:"isSuccessful"`
		Errors     []bulkError `json:"errors"`
	}{len(failed) == 0, failed})
	if err != nil {
		refuse(c.w, err)
		return
	}
	answer(c.w, http.StatusOK, provisioning.ASCII(text))
}

func checkBulk(mode string, records []provisioning.Enrollment) error {
	switch mode {
	case modeCreate, modeUpdate, modeIfMatch, modeDelete:
	default:
		return bad("The mode of a bulk operation is one of create, update, updateIfMatchETag and delete.")
	}
	switch n := len(records); {
	case n == 0:
		return bad("The bulk operation has no enrollment.")
	case n > maxBulk:
		return bad("The bulk operation has %d enrollments; the service takes %d.", n, maxBulk)
	}
	return nil
}

// change makes one of the changes of a bulk operation.
func (k kind) change(mode string, e provisioning.Enrollment) error {
	if !k.named(e) {
		return bad("An enrollment has no %s.", k.member)
	}
	switch mode {
	case modeDelete:
		return k.Delete(e.ID(), Condition{IfMatch: e.ETag})
	case modeIfMatch:
		if e.ETag == "" {
			return problem(http.StatusPreconditionFailed, provisioning.PreconditionFailed, "The enrollment has no etag to match.")
		}
		_, err := k.Put(e, Condition{IfMatch: e.ETag, Update: true})
		return err
	}
	_, err := k.Put(e, Condition{Create: mode == modeCreate, Update: mode == modeUpdate})
	return err
}

func failure(k kind, e provisioning.Enrollment, err error) bulkError {
	f := bulkError{RegistrationID: e.RegistrationID, Code: provisioning.ServerError, Status: "Internal server error."}
	if k.group {
		f.RegistrationID, f.EnrollmentGroupID = "", e.EnrollmentGroupID
	}
	var problem *provisioning.Error
	if errors.As(err, &problem) {
		f.Code, f.Status = problem.Code, problem.Message
	}
	return f
}
