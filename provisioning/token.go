package provisioning

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const tokenPrefix = "SharedAccessSignature "

// Token is a shared access signature as it arrived.
type Token struct {
	// Resource is sr to the letter. The signature is over these very
	// characters, and each SDK encodes them in its own way.
	Resource  string
	Signature []byte
	// Expiry is se, in whole seconds.
	Expiry time.Time
	// KeyName is skn: "registration" from most SDKs towards DPS, empty from
	// Java's, absent from Python's.
	KeyName string

	signed []byte // what the signature is over
}

// DPSKeyName is the skn of a device that registers.
const DPSKeyName = "registration"

// SignToken makes a token for resource, which it URL-encodes. An empty keyName
// leaves skn out, as a device does at its hub.
func SignToken(key Key, resource string, expiry time.Time, keyName string) string {
	sr := url.QueryEscape(resource)
	se := strconv.FormatInt(expiry.Unix(), 10)
	sig := base64.StdEncoding.EncodeToString(key.sign(signed(sr, se)))
	if keyName != "" {
		keyName = "&skn=" + keyName
	}
	return tokenPrefix + "sr=" + sr + "&sig=" + url.QueryEscape(sig) + "&se=" + se + keyName
}

// signed is what a signature is over.
func signed(sr, se string) []byte {
	text := make([]byte, 0, len(sr)+len("\n")+len(se))
	return append(append(append(text, sr...), '\n'), se...)
}

// ParseToken reads a token with its fields in any order. Its errors say what is
// missing and never quote the token.
func ParseToken(text string) (Token, error) {
	rest, ok := strings.CutPrefix(text, tokenPrefix)
	if !ok {
		return Token{}, errors.New("the token does not start with SharedAccessSignature")
	}
	var sr, sig, se, skn string
	names := make([]string, 0, 4)
	for field := range strings.SplitSeq(rest, "&") {
		name, value, ok := strings.Cut(field, "=")
		if !ok {
			return Token{}, errors.New("the token has a field without a value")
		}
		if slices.Contains(names, name) {
			return Token{}, errors.New("the token has a field twice")
		}
		names = append(names, name)
		switch name {
		case "sr":
			sr = value
		case "sig":
			sig = value
		case "se":
			se = value
		case "skn":
			skn = value
		}
	}
	switch "" {
	case sr:
		return Token{}, errors.New("the token has no sr")
	case sig:
		return Token{}, errors.New("the token has no sig")
	case se:
		return Token{}, errors.New("the token has no se")
	}
	sig, err := url.QueryUnescape(sig)
	if err != nil {
		return Token{}, errors.New("the token's sig is not URL-encoded")
	}
	signature, err := base64.StdEncoding.DecodeString(sig)
	if err != nil {
		return Token{}, errors.New("the token's sig is not base64")
	}
	seconds, err := strconv.ParseInt(se, 10, 64)
	if err != nil {
		return Token{}, errors.New("the token's se is not a number of seconds")
	}
	return Token{
		Resource:  sr,
		Signature: signature,
		Expiry:    time.Unix(seconds, 0),
		KeyName:   skn,
		signed:    signed(sr, se),
	}, nil
}

// SignedBy reports whether key made the signature.
func (t Token) SignedBy(key Key) bool {
	return len(key) > 0 && hmac.Equal(t.Signature, key.sign(t.signed))
}

// Format prints the mask, whatever the verb: until it expires, a token is as
// good as the key.
func (t Token) Format(f fmt.State, _ rune) { io.WriteString(f, masked) }

// LogValue logs the mask.
func (t Token) LogValue() slog.Value { return slog.StringValue(masked) }

// For reports whether the token is for resource, whatever its encoding and its
// case.
func (t Token) For(resource string) bool {
	decoded, err := url.QueryUnescape(t.Resource)
	return err == nil && strings.EqualFold(decoded, resource)
}
