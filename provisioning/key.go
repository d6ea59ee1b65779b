package provisioning

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// masked stands wherever a secret would have been printed.
const masked = "****"

// Key is a symmetric key after base64 decoding. It prints and logs masked; only
// its text encoding, which is for records and key files, shows it.
type Key []byte

// ParseKey reads a key as Azure shows it, in base64. The error never quotes the
// text: it may be somebody's secret with one character missing.
func ParseKey(text string) (Key, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, errors.New("the key is empty")
	}
	k, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the key is not base64 (%d characters); copy it whole, with the = at its end", len(text))
	}
	return k, nil
}

// NewKey makes a key of 64 random bytes, the length that DPS generates.
func NewKey() Key {
	k := make(Key, 64)
	rand.Read(k) // never fails: it ends the program instead
	return k
}

// Derive gives the key of one device of an enrollment group: the HMAC-SHA256 of
// its registration id, as written and not lower-cased, under the group's key
// (symmetric key attestation, "Group enrollments").
func (k Key) Derive(registrationID string) Key {
	return k.sign([]byte(registrationID))
}

func (k Key) sign(text []byte) []byte {
	mac := hmac.New(sha256.New, k)
	mac.Write(text)
	return mac.Sum(nil)
}

// Base64 is the key as Azure shows it. It is the secret itself.
func (k Key) Base64() string { return base64.StdEncoding.EncodeToString(k) }

// MarshalText writes the key in base64, for records that hold keys.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.Base64()), nil }

// UnmarshalText is ParseKey for records that hold keys.
func (k *Key) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKey(string(text))
	return err
}

// Format prints the mask, whatever the verb.
func (k Key) Format(f fmt.State, _ rune) { io.WriteString(f, masked) }

// LogValue logs the mask.
func (k Key) LogValue() slog.Value { return slog.StringValue(masked) }
