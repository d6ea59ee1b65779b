package rest

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"dpsfleet/provisioning"
)

// Authorize lets in whoever has a token that is signed with the key of a policy,
// as provisioningserviceowner or iothubowner; keys knows the policies that do.
// The token must be for the host that the request was sent to. Others get the
// error document of DPS with 401.
func Authorize(keys func(name string) (provisioning.Key, bool), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := authorized(keys, r, time.Now()); err != nil {
			refuse(w, &provisioning.Error{
				Status: http.StatusUnauthorized, Code: provisioning.UnauthorizedAccess, Message: "Unauthorized: " + err.Error(),
			})
			return
		}
		next.ServeHTTP(w, r)
	})
}

var errNotSigned = errors.New("the token is not signed with the key of a policy that may do this")

func authorized(keys func(string) (provisioning.Key, bool), r *http.Request, now time.Time) error {
	token, err := provisioning.ParseToken(r.Header.Get("Authorization"))
	if err != nil {
		return err
	}
	key, known := keys(token.KeyName)
	switch {
	case !known, !token.SignedBy(key):
		return errNotSigned
	case !now.Before(token.Expiry):
		return errors.New("the token has expired")
	case !covers(token.Resource, r):
		return errors.New("the token is for another resource than the host of the request")
	}
	return nil
}

// covers reports whether a token's resource is the host of the request or a
// path under it that the request is in (DPS access control: a token may be for
// the whole service or for one path). The port is not compared: SDKs sign the
// host of their connection string, and a proxy or an agent chooses the port.
func covers(resource string, r *http.Request) bool {
	decoded, err := url.QueryUnescape(resource)
	if err != nil {
		return false
	}
	host, path, _ := strings.Cut(decoded, "/")
	if !strings.EqualFold(hostname(host), hostname(r.Host)) {
		return false
	}
	asked, path := strings.ToLower(strings.Trim(r.URL.Path, "/")), strings.ToLower(strings.Trim(path, "/"))
	return path == "" || asked == path || strings.HasPrefix(asked, path+"/")
}
