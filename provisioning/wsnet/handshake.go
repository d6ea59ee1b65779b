package wsnet

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Hello is what a client asks for.
type Hello struct {
	Host     string // of the HTTP request, with its port unless that is 443
	Path     string
	Protocol string // the one sub-protocol that is offered
}

// RefusedError is an answer to a client's handshake other than 101.
type RefusedError struct {
	Status int
}

// Error says the status.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the server answered %d %s to the WebSocket handshake", e.Status, http.StatusText(e.Status))
}

const (
	acceptGUID   = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // section 1.3
	keyBytes     = 16
	maxHandshake = 16 << 10 // bytes of the server's answer that are read
	version      = "13"
)

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + acceptGUID))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Client makes nc a WebSocket by the client's handshake, for which ctx is the
// limit. It leaves nc open where it fails.
func Client(ctx context.Context, nc net.Conn, hello Hello) (*Conn, error) {
	forget := context.AfterFunc(ctx, func() { nc.SetDeadline(time.Unix(1, 0)) })
	c, err := clientHandshake(nc, hello)
	if !forget() {
		return nil, fmt.Errorf("the WebSocket handshake with %s: %w", hello.Host, context.Cause(ctx))
	}
	if err != nil {
		return nil, fmt.Errorf("the WebSocket handshake with %s: %w", hello.Host, err)
	}
	return c, nil
}

func clientHandshake(nc net.Conn, hello Hello) (*Conn, error) {
	nonce := make([]byte, keyBytes)
	rand.Read(nonce)
	key := base64.StdEncoding.EncodeToString(nonce)
	// Not http.Header.Set, which would spell the names in its own way.
	request := &http.Request{
		Method: http.MethodGet, URL: &url.URL{Path: hello.Path}, Host: hello.Host,
		Header: http.Header{
			"User-Agent": {""}, "Upgrade": {"websocket"}, "Connection": {"Upgrade"},
			"Sec-WebSocket-Version": {version}, "Sec-WebSocket-Key": {key}, "Sec-WebSocket-Protocol": {hello.Protocol},
		},
	}
	var asked bytes.Buffer
	if err := request.Write(&asked); err != nil {
		return nil, err
	}
	if _, err := nc.Write(asked.Bytes()); err != nil {
		return nil, err
	}
	in := bufio.NewReader(io.LimitReader(nc, maxHandshake))
	answer, err := http.ReadResponse(in, request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return nil, &RefusedError{Status: answer.StatusCode}
	}
	if err := checkAnswer(answer.Header, key, hello.Protocol); err != nil {
		return nil, err
	}
	return &Conn{nc: nc, client: true, ahead: rest(in)}, nil
}

// checkAnswer is section 4.1's list of what a client must check.
func checkAnswer(h http.Header, key, protocol string) error {
	switch {
	case !strings.EqualFold(h.Get("Upgrade"), "websocket") || !lists(h, "Connection", "upgrade"):
		return errors.New("the answer switches to something else")
	case h.Get("Sec-WebSocket-Accept") != acceptKey(key):
		return errors.New("the answer is not one to this handshake")
	case !strings.EqualFold(h.Get("Sec-WebSocket-Protocol"), protocol):
		return fmt.Errorf("the server does not speak %s", protocol)
	case h.Get("Sec-WebSocket-Extensions") != "":
		return errors.New("the server wants an extension, and none was offered")
	}
	return nil
}

// rest is what was read beyond the handshake, nil if nothing was. It is a copy,
// so that the reader can be let go.
func rest(in *bufio.Reader) []byte {
	data, _ := in.Peek(in.Buffered())
	if len(data) == 0 {
		return nil
	}
	return bytes.Clone(data)
}

// Upgrade takes over the connection of r as a WebSocket that speaks protocol,
// whatever the case in which the client writes it: C's SDK writes MQTT. What it
// refuses it has answered.
func Upgrade(w http.ResponseWriter, r *http.Request, protocol string) (*Conn, error) {
	spoken, status, err := judge(r, protocol)
	if err != nil {
		if status == http.StatusUpgradeRequired {
			w.Header().Set("Sec-WebSocket-Version", version)
		}
		http.Error(w, err.Error(), status)
		return nil, fmt.Errorf("a WebSocket handshake was answered %d: %w", status, err)
	}
	nc, buffers, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, fmt.Errorf("taking over the connection for a WebSocket: %w", err)
	}
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + acceptKey(r.Header.Get("Sec-WebSocket-Key")) + "\r\n" +
		"Sec-WebSocket-Protocol: " + spoken + "\r\n\r\n"
	nc.SetWriteDeadline(time.Now().Add(goodbyeTime))
	if _, err := io.WriteString(nc, answer); err != nil {
		nc.Close()
		return nil, fmt.Errorf("answering a WebSocket handshake: %w", err)
	}
	nc.SetWriteDeadline(time.Time{})
	return &Conn{nc: nc, ahead: rest(buffers.Reader)}, nil
}

// judge reads a client's handshake (section 4.2.1). It returns the sub-protocol
// as the client spelt it.
func judge(r *http.Request, protocol string) (spoken string, status int, err error) {
	nonce, badKey := base64.StdEncoding.DecodeString(r.Header.Get("Sec-WebSocket-Key"))
	switch {
	case r.Method != http.MethodGet || r.ContentLength != 0:
		return "", http.StatusMethodNotAllowed, errors.New("a WebSocket begins with a GET without a body")
	case !strings.EqualFold(r.Header.Get("Upgrade"), "websocket") || !lists(r.Header, "Connection", "upgrade"):
		return "", http.StatusBadRequest, errors.New("this is no upgrade to a WebSocket")
	case r.Header.Get("Sec-WebSocket-Version") != version:
		return "", http.StatusUpgradeRequired, errors.New("only version 13 of WebSocket is spoken")
	case badKey != nil || len(nonce) != keyBytes:
		return "", http.StatusBadRequest, errors.New("the Sec-WebSocket-Key is not 16 bytes in base64")
	case !sameOrigin(r):
		return "", http.StatusForbidden, errors.New("the page comes from elsewhere")
	}
	for _, offered := range words(r.Header, "Sec-WebSocket-Protocol") {
		if strings.EqualFold(offered, protocol) {
			return offered, 0, nil
		}
	}
	return "", http.StatusBadRequest, fmt.Errorf("the sub-protocol is %s, which the client does not offer", protocol)
}

// sameOrigin refuses a web page of another host: browsers name it, devices name
// none (section 10.2).
func sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	page, err := url.Parse(origin)
	if err != nil || page.Host == "" {
		return false
	}
	here := &url.URL{Scheme: page.Scheme, Host: r.Host}
	return strings.EqualFold(page.Hostname(), here.Hostname()) && port(page) == port(here)
}

// port is the port of u. Python's client names 443 in its Origin and may leave it
// out of Host.
func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

// words are the members of a header that is a list.
func words(h http.Header, name string) []string {
	var all []string
	for _, line := range h.Values(name) {
		for word := range strings.SplitSeq(line, ",") {
			all = append(all, strings.TrimSpace(word))
		}
	}
	return all
}

func lists(h http.Header, name, word string) bool {
	for _, w := range words(h, name) {
		if strings.EqualFold(w, word) {
			return true
		}
	}
	return false
}
