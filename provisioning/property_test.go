package provisioning_test

import (
	"slices"
	"strings"
	"testing"

	"dpsfleet/provisioning"
)

func TestPropertiesOfATopic(t *testing.T) {
	tests := []struct {
		encoded string
		want    []provisioning.Property
	}{
		{"", nil},
		{"/", nil},
		{"a=1", []provisioning.Property{{Name: "a", Value: "1"}}},
		{"a=1&b=/", []provisioning.Property{{Name: "a", Value: "1"}, {Name: "b"}}},
		{"?a=1", []provisioning.Property{{Name: "a", Value: "1"}}},
		{"%24.ct=application%2Fjson&%24.ce=utf-8", []provisioning.Property{{Name: "$.ct", Value: "application/json"}, {Name: "$.ce", Value: "utf-8"}}},
		{"null&empty=", []provisioning.Property{{Name: "null", Null: true}, {Name: "empty"}}},
		{"plus=a+b&space=a%20b", []provisioning.Property{{Name: "plus", Value: "a+b"}, {Name: "space", Value: "a b"}}},
		{"bad=%zz", []provisioning.Property{{Name: "bad", Value: "%zz"}}},
	}
	for _, test := range tests {
		if got := provisioning.ParseProperties(test.encoded); !slices.Equal(got, test.want) {
			t.Errorf("%q is %+v, want %+v", test.encoded, got, test.want)
		}
	}
}

// FuzzProperties: what is written into a topic comes out of it as it was, and the
// topic stays one that MQTT allows.
func FuzzProperties(f *testing.F) {
	f.Add("alert", "ja & nein", false)
	f.Add("$.mid", "", true)
	f.Add("a/b+#", "\x00=&%", false)
	f.Fuzz(func(t *testing.T, name, value string, null bool) {
		p := provisioning.Property{Name: name, Value: value, Null: null}
		if null {
			p.Value = ""
		}
		topic := provisioning.DeviceboundTopic("d", []provisioning.Property{p})
		if strings.ContainsAny(topic, "+#\x00") {
			t.Fatalf("%+v makes the topic %q", p, topic)
		}
		bag := strings.TrimPrefix(topic, "devices/d/messages/devicebound/")
		all := provisioning.ParseProperties(bag)
		if len(all) != 2 || all[1] != p {
			t.Errorf("%+v came back as %+v", p, all)
		}
		if added := provisioning.ParseProperties(provisioning.AddProperty("x=1/", name, value)); len(added) != 2 || added[1].Name != name || added[1].Value != value {
			t.Errorf("%q, %q was added as %+v", name, value, added)
		}
	})
}
