package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"dpsfleet/provisioning"
)

const (
	apiVersion = "2021-10-01"     // what Microsoft's CLI and Node's service SDK ask for
	tokenLife  = 10 * time.Minute // of one call
	patience   = 30 * time.Second // for its answer
	maxAnswer  = 1 << 20
)

// GroupKeys asks a DPS, Azure's or an emulator, for the keys of an enrollment group, as
// "az iot dps enrollment-group compute-device-key" does. Redirects are not
// followed: the token is for one host.
func GroupKeys(ctx context.Context, transport http.RoundTripper, at ConnectionString, group string) (provisioning.SymmetricKey, error) {
	failed := func(err error) (provisioning.SymmetricKey, error) {
		return provisioning.SymmetricKey{}, fmt.Errorf("asking %s for the key of the enrollment group %q: %w", at.Host, group, err)
	}
	request, err := at.request(ctx, "/enrollmentGroups/"+url.PathEscape(group)+"/attestationmechanism")
	if err != nil {
		return failed(err)
	}
	client := http.Client{Transport: transport, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return failed(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return failed(err)
	}
	if response.StatusCode != http.StatusOK {
		return failed(provisioning.ParseError(provisioning.Answer{Status: response.StatusCode}, body))
	}
	var attestation provisioning.Attestation
	if err := json.Unmarshal(body, &attestation); err != nil {
		return failed(errors.New("the answer is no attestation"))
	}
	if attestation.SymmetricKey == nil || len(attestation.SymmetricKey.Primary) == 0 {
		return failed(fmt.Errorf("it attests by %q and has no key", attestation.Type))
	}
	return *attestation.SymmetricKey, nil
}

// request is a POST without a body, with a token of its own.
func (c ConnectionString) request(ctx context.Context, path string) (*http.Request, error) {
	address := "https://" + c.Host
	if c.Port != "" {
		address = "https://" + net.JoinHostPort(c.Host, c.Port)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address+path+"?api-version="+apiVersion, bytes.NewReader(nil))
	if err != nil {
		return nil, errors.New("the HostName of the connection string is not a host name")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Authorization", provisioning.SignToken(c.Key, c.Host, time.Now().Add(tokenLife), c.Policy))
	return request, nil
}
