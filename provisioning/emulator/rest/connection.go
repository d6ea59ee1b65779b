package rest

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"

	"dpsfleet/provisioning"
)

// ConnectionString says where a service is and with whose key it is asked, as
// Azure's portal shows it. It prints and logs masked; only Text shows the key.
type ConnectionString struct {
	Host   string
	Port   string // 443 if empty
	Policy string
	Key    provisioning.Key
}

const httpsPort = "443"

// Text is the connection string, the key included. Azure's own have no port.
func (c ConnectionString) Text() string {
	host := c.Host
	if c.Port != "" && c.Port != httpsPort {
		host = net.JoinHostPort(c.Host, c.Port)
	}
	return "HostName=" + host + ";SharedAccessKeyName=" + c.Policy + ";SharedAccessKey=" + c.Key.Base64()
}

// ParseConnectionString reads a connection string. Its errors say what is missing
// and quote nothing of it.
func ParseConnectionString(text string) (ConnectionString, error) {
	fields := make(map[string]string, 3)
	for field := range strings.SplitSeq(strings.TrimSpace(text), ";") {
		name, value, _ := strings.Cut(field, "=")
		fields[strings.ToLower(name)] = value
	}
	for _, name := range []string{"HostName", "SharedAccessKeyName", "SharedAccessKey"} {
		if fields[strings.ToLower(name)] == "" {
			return ConnectionString{}, fmt.Errorf("the connection string has no %s", name)
		}
	}
	c := ConnectionString{Host: fields["hostname"], Policy: fields["sharedaccesskeyname"]}
	if host, port, err := net.SplitHostPort(c.Host); err == nil {
		c.Host, c.Port = host, port
	}
	if c.Host == "" || strings.ContainsAny(c.Host, "/?#@ ") {
		return ConnectionString{}, errors.New("the HostName of the connection string is not a host name")
	}
	var err error
	if c.Key, err = provisioning.ParseKey(fields["sharedaccesskey"]); err != nil {
		return ConnectionString{}, fmt.Errorf("the SharedAccessKey of the connection string: %w", err)
	}
	return c, nil
}

// Format prints the mask in place of the key, whatever the verb.
func (c ConnectionString) Format(f fmt.State, _ rune) { io.WriteString(f, c.masked()) }

// LogValue logs the mask in place of the key.
func (c ConnectionString) LogValue() slog.Value { return slog.StringValue(c.masked()) }

func (c ConnectionString) masked() string {
	return fmt.Sprintf("HostName=%s;SharedAccessKeyName=%s;SharedAccessKey=%v", c.Host, c.Policy, c.Key)
}
