package rest

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Guard lets in what was sent to one of hosts, whatever its port and its case,
// and refuses what a web page of another origin sent. hosts are names or IP
// addresses; a first label * stands for any one label. The check of Host keeps
// out a page whose own name was pointed at this machine (DNS rebinding).
func Guard(hosts []string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !named(hosts, r.Host):
			http.Error(w, "the Host of the request is none of this emulator's", http.StatusMisdirectedRequest)
		case foreign(r):
			http.Error(w, "a web page of another origin sent the request", http.StatusForbidden)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// foreign reports whether a browser says that another origin's page sends this.
// No SDK sends either header.
func foreign(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" || site == "same-site" {
		return true
	}
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		if err != nil || !strings.EqualFold(u.Host, r.Host) {
			return true
		}
	}
	return false
}

// named reports whether a Host header names one of hosts.
func named(hosts []string, host string) bool {
	name := hostname(host)
	if name == "" {
		return false
	}
	_, parent, _ := strings.Cut(name, ".")
	return slices.ContainsFunc(hosts, func(h string) bool {
		if rest, any := strings.CutPrefix(h, "*."); any {
			return strings.EqualFold(rest, parent)
		}
		return strings.EqualFold(h, name)
	})
}

// hostname is a Host header without its port and an IP address's brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}
