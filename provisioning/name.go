package provisioning

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// DPSAPIVersion and HubAPIVersion are what our devices ask for.
const (
	DPSAPIVersion = "2019-03-31"
	HubAPIVersion = "2021-04-12"
)

// CheckRegistrationID says what is wrong with id: up to 128 letters, digits and
// - . _ : of which the last is a letter, a digit or a hyphen. (Azure's documents
// hold four different statements; this is the current one.)
func CheckRegistrationID(id string) error {
	switch {
	case id == "":
		return errors.New("the registration id is empty")
	case len(id) > 128:
		return fmt.Errorf("the registration id has %d characters; DPS takes 128", len(id))
	}
	for i, r := range id {
		if !isAlphanumeric(r) && !strings.ContainsRune("-._:", r) {
			return fmt.Errorf("the registration id %q has %q at character %d; DPS takes letters, digits and any of -._: there", id, r, i+1)
		}
	}
	if last := rune(id[len(id)-1]); !isAlphanumeric(last) && last != '-' {
		return fmt.Errorf("the registration id %q ends in %q; DPS wants a letter, a digit or a hyphen there", id, last)
	}
	return nil
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}

// SameID is the form in which registration ids are compared: DPS ignores their
// case, though a derived key does not.
func SameID(id string) string { return strings.ToLower(id) }

// DPSUser is the user name of a CONNECT to DPS, and all that says who registers:
// the topics carry no registration id.
type DPSUser struct {
	IDScope        string
	RegistrationID string
	APIVersion     string
	ClientVersion  string // optional
}

// String is the user name as DPS over MQTT has it, with the ClientVersion that
// SDKs add.
func (u DPSUser) String() string {
	name := u.Resource() + "/api-version=" + url.QueryEscape(u.APIVersion)
	if u.ClientVersion != "" {
		name += "&ClientVersion=" + url.QueryEscape(u.ClientVersion)
	}
	return name
}

// Resource is what the device's token must be for.
func (u DPSUser) Resource() string { return u.IDScope + "/registrations/" + u.RegistrationID }

// ParseDPSUser reads a user name of a CONNECT to DPS.
func ParseDPSUser(name string) (DPSUser, error) {
	scope, rest, ok := strings.Cut(name, "/registrations/")
	if !ok || scope == "" || strings.Contains(scope, "/") {
		return DPSUser{}, errors.New("the user name is not {idScope}/registrations/{registrationId}/api-version={version}")
	}
	id, query, ok := strings.Cut(rest, "/")
	if !ok || id == "" {
		return DPSUser{}, errors.New("the user name has no api-version")
	}
	version := fieldOf(query, "api-version")
	if version == "" {
		return DPSUser{}, errors.New("the user name has no api-version")
	}
	return DPSUser{
		IDScope:        scope,
		RegistrationID: id,
		APIVersion:     version,
		ClientVersion:  fieldOf(query, "ClientVersion"),
	}, nil
}

// HubUser is the user name of a CONNECT to an IoT hub.
type HubUser struct {
	Host       string
	DeviceID   string
	APIVersion string
	ClientType string // DeviceClientType; optional
	ModelID    string // model-id, a DTMI; optional
}

// String is the user name as the hub takes it.
func (u HubUser) String() string {
	name := u.Host + "/" + u.DeviceID + "/?api-version=" + url.QueryEscape(u.APIVersion)
	if u.ClientType != "" {
		name += "&DeviceClientType=" + url.QueryEscape(u.ClientType)
	}
	if u.ModelID != "" {
		name += "&model-id=" + url.QueryEscape(u.ModelID)
	}
	return name
}

// Resource is what the device's token must be for.
func (u HubUser) Resource() string { return u.Host + "/devices/" + u.DeviceID }

// ParseHubUser reads a user name of a CONNECT to a hub. Very old clients leave
// out the question mark.
func ParseHubUser(name string) (HubUser, error) {
	host, rest, _ := strings.Cut(name, "/")
	id, query, ok := strings.Cut(rest, "/")
	if host == "" || id == "" || !ok {
		return HubUser{}, errors.New("the user name is not {hub}/{deviceId}/?api-version={version}")
	}
	query = strings.TrimPrefix(query, "?")
	version := fieldOf(query, "api-version")
	if version == "" {
		return HubUser{}, errors.New("the user name has no api-version")
	}
	return HubUser{
		Host:       host,
		DeviceID:   id,
		APIVersion: version,
		ClientType: fieldOf(query, "DeviceClientType"),
		ModelID:    fieldOf(query, "model-id"),
	}, nil
}

// fieldOf is one of k=v&k=v, the last of that name. A value that is not
// URL-encoded stays as it is: the C SDK writes its ClientVersion raw.
func fieldOf(query, name string) string {
	value := ""
	for field := range strings.SplitSeq(query, "&") {
		if key, v, _ := strings.Cut(field, "="); key == name {
			value = v
		}
	}
	if decoded, err := url.QueryUnescape(value); err == nil {
		return decoded
	}
	return value
}
