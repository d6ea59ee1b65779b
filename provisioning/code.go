package provisioning

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Code is a number under which DPS or a hub reports what went wrong. Microsoft
// publishes no list for DPS: those that are named here were seen in answers of
// the service or stand in a document.
type Code int

// Codes that the emulator sends.
const (
	BadRequest                         Code = 400004
	CustomAllocationFailed             Code = 400207
	CustomAllocationIotHubNotSpecified Code = 400208
	CustomAllocationUnauthorizedAccess Code = 400209
	Unauthorized                       Code = 401000
	UnauthorizedAccess                 Code = 401002
	EnrollmentNotFound                 Code = 404201
	DeviceRegistrationNotFound         Code = 404202
	AsyncOperationNotFound             Code = 404203 // this number and the next three are inferred from the order of the names
	EnrollmentGroupNotFound            Code = 404204
	EnrollmentConflict                 Code = 409201
	EnrollmentGroupConflict            Code = 409202
	PreconditionFailed                 Code = 412001 // seen of hubs
	ProvisioningSettingsNotFound       Code = 404208 // inferred as well
	MessageTooLarge                    Code = 413001 // a hub's
	Throttled                          Code = 429001
	ServerError                        Code = 500001
)

// codeNames is a function so that the table cannot be changed from elsewhere.
func codeNames() map[Code]string {
	return map[Code]string{
		BadRequest:                         "BadRequest",
		CustomAllocationFailed:             "CustomAllocationFailed",
		CustomAllocationIotHubNotSpecified: "CustomAllocationIotHubNotSpecified",
		CustomAllocationUnauthorizedAccess: "CustomAllocationUnauthorizedAccess",
		Unauthorized:                       "Unauthorized",
		UnauthorizedAccess:                 "UnauthorizedAccess",
		EnrollmentNotFound:                 "EnrollmentNotFound",
		DeviceRegistrationNotFound:         "DeviceRegistrationNotFound",
		AsyncOperationNotFound:             "AsyncOperationNotFound",
		EnrollmentGroupNotFound:            "EnrollmentGroupNotFound",
		EnrollmentConflict:                 "EnrollmentConflict",
		EnrollmentGroupConflict:            "EnrollmentGroupConflict",
		PreconditionFailed:                 "PreconditionFailed",
		ProvisioningSettingsNotFound:       "ProvisioningSettingsNotFound",
		MessageTooLarge:                    "MessageTooLarge",
		Throttled:                          "Throttled",
		ServerError:                        "ServerError",
	}
}

// Name is the code's name in Microsoft's documents, empty if it has none.
func (c Code) Name() string {
	if c == 0 { // most boots have none
		return ""
	}
	return codeNames()[c]
}

// String is the number with its name, as a person looks for it.
func (c Code) String() string {
	if name := c.Name(); name != "" {
		return strconv.Itoa(int(c)) + " " + name
	}
	return strconv.Itoa(int(c))
}

// ParseCode reads a code from its number or its name.
func ParseCode(text string) (Code, error) {
	if n, err := strconv.Atoi(text); err == nil && 100000 <= n && n <= 999999 {
		return Code(n), nil
	}
	for code, name := range codeNames() {
		if name == text {
			return code, nil
		}
	}
	return 0, fmt.Errorf("%q is neither a six-digit code nor the name of one, as 400207 and CustomAllocationFailed are", text)
}

// Error is DPS's refusal of a request, and the document in which it says so.
type Error struct {
	// Status is the topic's, as in HTTP.
	Status int `json:"-"`
	// RetryAfter is the topic's; nil where it named none.
	RetryAfter *time.Duration `json:"-"`

	Code       Code              `json:"errorCode"`
	TrackingID string            `json:"trackingId"`
	Message    string            `json:"message"`
	Info       map[string]string `json:"info,omitempty"`
	Time       Timestamp         `json:"timestampUtc"`
}

// ParseError reads a refusal. Its body may be of any kind, or missing.
func ParseError(answer Answer, body []byte) *Error {
	e := &Error{}
	if json.Unmarshal(body, e) != nil {
		e = &Error{}
	}
	e.Status, e.RetryAfter = answer.Status, answer.RetryAfter
	return e
}

// Error says what DPS said.
func (e *Error) Error() string {
	text := "DPS answered " + strconv.Itoa(e.Status)
	if e.Code != 0 {
		text += ", " + e.Code.String()
	}
	if e.Message != "" {
		text += fmt.Sprintf(": %q", e.Message)
	}
	return text
}

// Retryable reports whether the same request may be sent again later: DPS was
// too busy (429) or broken (5xx). Credentials that were refused stay refused.
func (e *Error) Retryable() bool { return e.Status >= 429 }

// JSON is the error document.
func (e *Error) JSON() []byte {
	var o Object
	o.Int("errorCode", int64(e.Code))
	o.Text("trackingId", e.TrackingID)
	o.Text("message", e.Message)
	if len(e.Info) > 0 {
		info, _ := Marshal(e.Info)
		o.Raw("info", ASCII(info))
	}
	o.Text("timestampUtc", e.Time.String())
	return o.Bytes()
}

// Result is how Microsoft's C SDK reports the end of a registration
// (PROV_DEVICE_RESULT): the name that people search for.
type Result string

// The results that the C SDK reaches.
const (
	ResultOK              Result = "PROV_DEVICE_RESULT_OK"
	ResultParsing         Result = "PROV_DEVICE_RESULT_PARSING"
	ResultTransport       Result = "PROV_DEVICE_RESULT_TRANSPORT"
	ResultDevAuthError    Result = "PROV_DEVICE_RESULT_DEV_AUTH_ERROR"
	ResultTimeout         Result = "PROV_DEVICE_RESULT_TIMEOUT"
	ResultHubNotSpecified Result = "PROV_DEVICE_RESULT_HUB_NOT_SPECIFIED"
	ResultUnauthorized    Result = "PROV_DEVICE_RESULT_UNAUTHORIZED"
	ResultDisabled        Result = "PROV_DEVICE_RESULT_DISABLED"
)

// ResultOf is what the C SDK makes of a final answer.
func ResultOf(status Status, code Code) Result {
	switch {
	case status == Assigned:
		return ResultOK
	case status == Disabled:
		return ResultDisabled
	case code == CustomAllocationIotHubNotSpecified:
		return ResultHubNotSpecified
	case code == CustomAllocationUnauthorizedAccess:
		return ResultUnauthorized
	}
	return ResultDevAuthError
}
