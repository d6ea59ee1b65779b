package provisioning_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"dpsfleet/provisioning"
)

func TestDerivedKeysAreAzures(t *testing.T) {
	var table []struct{ Source, GroupKey, RegistrationID, DeviceKey string }
	vectors(t, "keys", &table)
	if len(table) < 5 {
		t.Fatalf("only %d vectors", len(table))
	}
	for _, v := range table {
		if got := mustKey(t, v.GroupKey).Derive(v.RegistrationID).Base64(); got != v.DeviceKey {
			t.Errorf("%s: %s has %s, want %s", v.Source, v.RegistrationID, got, v.DeviceKey)
		}
	}
}

func TestADeriverDerivesAsItsKeyDoesEachTime(t *testing.T) {
	key := provisioning.NewKey()
	deriver := provisioning.NewDeriver(key)
	for _, id := range []string{"breakroom499-contoso-tstrsd-007", "", "mainbuilding167-contoso-hpsd-088", ""} {
		if got, want := deriver.Derive(id), key.Derive(id); !bytes.Equal(got, want) {
			t.Errorf("%q has %s, want %s", id, got.Base64(), want.Base64())
		}
	}
}

func TestNewKeyIsLongAndNeverTheSame(t *testing.T) {
	a, b := provisioning.NewKey(), provisioning.NewKey()
	if len(a) != 64 || bytes.Equal(a, b) {
		t.Errorf("keys of %d bytes, equal %t", len(a), bytes.Equal(a, b))
	}
}

func TestKeySurvivesItsText(t *testing.T) {
	record := provisioning.SymmetricKey{Primary: provisioning.NewKey()}
	text, err := json.Marshal(record)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"primaryKey":"` + record.Primary.Base64() + `"}`; string(text) != want {
		t.Errorf("%s, want %s", text, want)
	}
	var again provisioning.SymmetricKey
	if err := json.Unmarshal(text, &again); err != nil || !bytes.Equal(again.Primary, record.Primary) {
		t.Errorf("another key came back, %v", err)
	}
}

func TestParseKeyTakesSurroundingSpace(t *testing.T) {
	if key := mustKey(t, " c2VjcmV0\r\n"); string(key) != "secret" {
		t.Error("a key from a file with a line end is another one")
	}
}

func TestParseKeyNeverQuotesIt(t *testing.T) {
	for text, want := range map[string]string{
		"":                "the key is empty",
		" \n":             "the key is empty",
		"c2VjcmV0MTIzNA=": "the key is not base64 (15 characters)",
		"not-a-key":       "the key is not base64 (9 characters)",
	} {
		_, err := provisioning.ParseKey(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
		if err != nil && len(text) > 4 && strings.Contains(err.Error(), text[:4]) {
			t.Errorf("%v", err)
		}
	}
}

// leaks reports the first way in which text gives the secret away.
func leaks(text string, secret []byte) string {
	lower := strings.ToLower(text)
	for _, form := range []string{
		string(secret),
		provisioning.Key(secret).Base64(),
		hex.EncodeToString(secret),
		fmt.Sprint(secret[:4])[1:10],
	} {
		if strings.Contains(lower, strings.ToLower(form)) {
			return form
		}
	}
	return ""
}

func TestKeyNeverPrints(t *testing.T) {
	secret := []byte("a key that nobody may see")
	key := provisioning.Key(secret)
	record := struct{ Keys []provisioning.Key }{[]provisioning.Key{key}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%60v", "%.3s"} {
		for _, value := range []any{key, &key, record, &record, map[string]provisioning.Key{"k": key}} {
			if form := leaks(fmt.Sprintf(verb, value), secret); form != "" {
				t.Errorf("%s of %T shows %s", verb, value, form)
			}
		}
	}
	if got := fmt.Sprint(key); got != "****" {
		t.Errorf("it prints as %s", got)
	}
}

func TestNeitherKeyNorTokenIsLogged(t *testing.T) {
	secret := []byte("a key that nobody may see")
	key := provisioning.Key(secret)
	text := provisioning.SignToken(key, "0ne00002193/registrations/dev1", fixedExpiry(), "")
	token, err := provisioning.ParseToken(text)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(handler).Info("boot", "key", key, slog.Any("token", token), slog.Group("g", "key", key))
	}
	fmt.Fprintf(&out, "%v %+v %#v %s", token, token, token, token)
	if form := leaks(out.String(), secret); form != "" {
		t.Errorf("the log shows %s", form)
	}
	if form := leaks(out.String(), token.Signature); form != "" {
		t.Errorf("the log shows the signature %s", form)
	}
	if n := strings.Count(out.String(), "****"); n != 10 {
		t.Errorf("%d masks, want 10:\n%s", n, out.String())
	}
}
