package provisioning_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"dpsfleet/provisioning"
)

func fixedExpiry() time.Time { return time.Unix(1663952627, 0) }

type tokenVectors struct {
	Key    string
	Tokens []struct {
		Source, Resource, SR, Sig string
		SE                        int64
	}
}

func readTokens(t testing.TB) (provisioning.Key, tokenVectors) {
	t.Helper()
	var v tokenVectors
	vectors(t, "tokens", &v)
	if len(v.Tokens) < 4 {
		t.Fatalf("only %d vectors", len(v.Tokens))
	}
	return mustKey(t, v.Key), v
}

func TestTokensOfAllEncodingsAreSignedByTheKey(t *testing.T) {
	key, table := readTokens(t)
	for _, v := range table.Tokens {
		for _, form := range []string{
			"sr=%[1]s&sig=%[2]s&se=%[3]d&skn=registration", // C, C#
			"sr=%[1]s&sig=%[2]s&skn=registration&se=%[3]d", // Node
			"sr=%[1]s&sig=%[2]s&se=%[3]d",                  // Python
			"sr=%[1]s&sig=%[2]s&se=%[3]d&skn=",             // Java
			"se=%[3]d&skn=&sig=%[2]s&sr=%[1]s",
		} {
			text := "SharedAccessSignature " + fmt.Sprintf(form, v.SR, v.Sig, v.SE)
			token, err := provisioning.ParseToken(text)
			if err != nil {
				t.Errorf("%s, %s: %v", v.Source, form, err)
				continue
			}
			if !token.SignedBy(key) || !token.For(v.Resource) || token.Expiry.Unix() != v.SE || token.Resource != v.SR {
				t.Errorf("%s, %s: signed %t, for it %t, until %v", v.Source, form, token.SignedBy(key), token.For(v.Resource), token.Expiry)
			}
			if want := strings.Contains(form, "skn=registration"); (token.KeyName == provisioning.DPSKeyName) != want {
				t.Errorf("%s: skn %q", form, token.KeyName)
			}
		}
	}
}

func TestOurTokenIsThePrintedOne(t *testing.T) {
	key, table := readTokens(t)
	v := table.Tokens[0]
	want := fmt.Sprintf("SharedAccessSignature sr=%s&sig=%s&se=%d", v.SR, v.Sig, v.SE)
	if got := provisioning.SignToken(key, v.Resource, time.Unix(v.SE, 0), ""); got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
	v = table.Tokens[1]
	want = fmt.Sprintf("SharedAccessSignature sr=%s&sig=%s&se=%d&skn=registration", v.SR, v.Sig, v.SE)
	if got := provisioning.SignToken(key, v.Resource, time.Unix(v.SE, 999), provisioning.DPSKeyName); got != want {
		t.Errorf("\n%s, want\n%s", got, want)
	}
}

func TestTokenOfAnotherIsRefused(t *testing.T) {
	key, table := readTokens(t)
	v := table.Tokens[1]
	text := provisioning.SignToken(key, v.Resource, fixedExpiry(), provisioning.DPSKeyName)
	token, err := provisioning.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	if token.SignedBy(key.Derive("another")) || token.SignedBy(nil) {
		t.Error("another key's token passed")
	}
	if token.For(v.Resource+"2") || token.For("") {
		t.Error("a token for another resource passed")
	}
	if !token.For(strings.ToUpper(v.Resource)) {
		t.Error("the case of the resource decided")
	}
	later, err := provisioning.ParseToken(strings.Replace(text, "se=1663952627", "se=1763952627", 1))
	if err != nil || later.SignedBy(key) {
		t.Errorf("a token whose life somebody prolonged passed, %v", err)
	}
}

// A signature made with no key at all would let everybody in.
func TestNoKeySignsNothing(t *testing.T) {
	token, err := provisioning.ParseToken(provisioning.SignToken(nil, "a/registrations/b", fixedExpiry(), ""))
	if err != nil || token.SignedBy(nil) || token.SignedBy(provisioning.Key{}) {
		t.Errorf("an empty key signed, %v", err)
	}
}

func TestTokenErrorsNeverQuoteIt(t *testing.T) {
	const prefix = "SharedAccessSignature "
	for text, want := range map[string]string{
		"":                                      "does not start with SharedAccessSignature",
		"Bearer SECRET":                         "does not start with SharedAccessSignature",
		prefix:                                  "has a field without a value",
		prefix + "SECRET":                       "has a field without a value",
		prefix + "sr=SECRET&sig=SECRET":         "has no se",
		prefix + "sr=SECRET&se=1":               "has no sig",
		prefix + "sig=SECRET&se=1":              "has no sr",
		prefix + "sr=SECRET&sig=&se=1":          "has no sig",
		prefix + "sr=a&sig=SECRET&se=1":         "sig is not base64",
		prefix + "sr=a&sig=SECRET%&se=1":        "sig is not URL-encoded",
		prefix + "sr=a&sig=SECRET+&se=1":        "sig is not base64",
		prefix + "sr=a&sig=U0VDUkVU&se=SECRET":  "se is not a number of seconds",
		prefix + "sr=a&sig=U0VDUkVU&se=1e9":     "se is not a number of seconds",
		prefix + "sr=a&sr=b&sig=U0VDUkVU&se=1":  "has a field twice",
		prefix + "sr=&sr=b&sig=U0VDUkVU&se=1":   "has a field twice",
		prefix + "x=1&x=2&sr=a&sig=U0VD&se=1":   "has a field twice",
		prefix + "sr=a&sig=U0VDUkVU&se=1&SECRE": "has a field without a value",
	} {
		_, err := provisioning.ParseToken(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "SECRE") || strings.Contains(err.Error(), "U0VD")) {
			t.Errorf("%v", err)
		}
	}
}
