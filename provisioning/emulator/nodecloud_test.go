package emulator_test

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
	"dpsfleet/provisioning/emulator"
)

const (
	hookedGroup = "enrolled-at-a-webhook"
	disabledID  = "breakroom13-contoso-tstrsd-013" // individually, over its group
)

// hookedKey is the group key of hookedGroup.
func hookedKey() provisioning.Key { return provisioning.Key(strings.Repeat("a webhook's own.", 4)) }

// sdkCloud is a cloud on real ports for clients that are not ours: the
// tutorial's group, a device of it that is shut out, and a group whose webhook
// does what the registration id says.
func sdkCloud(t *testing.T, change func(*emulator.Config)) (*emulator.Cloud, *logBuffer) {
	t.Helper()
	hook, tutorial := httptest.NewServer(moody()), httptest.NewServer(allocation.NewHandler(allocation.HandlerOptions{Policy: allocation.Contoso()}))
	t.Cleanup(hook.Close)
	t.Cleanup(tutorial.Close)
	cfg, fast, log := contoso(t), emulator.Fast(), new(logBuffer)
	cfg.TLS, cfg.HTTPS, cfg.Answers = true, "127.0.0.1:0", &fast
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	cfg.Enrollments[0].Policy, cfg.Enrollments[0].CustomAllocation = nil, webhook(tutorial.URL+allocation.Path)
	cfg.Enrollments = append(cfg.Enrollments,
		emulator.Enrollment{Enrollment: provisioning.Enrollment{
			EnrollmentGroupID: hookedGroup,
			Attestation:       provisioning.Attestation{Type: provisioning.AttestSymmetricKey, SymmetricKey: &provisioning.SymmetricKey{Primary: hookedKey()}},
			CustomAllocation:  webhook(hook.URL),
		}},
		emulator.Enrollment{Enrollment: provisioning.Enrollment{
			RegistrationID: disabledID,
			Attestation:    provisioning.Attestation{SymmetricKey: &provisioning.SymmetricKey{Primary: deviceKeyOf(t, disabledID)}},
			Provisioning:   provisioning.ProvisioningDisabled,
			Allocation:     provisioning.AllocateStatic,
		}})
	if change != nil {
		change(&cfg)
	}
	cloud, err := emulator.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Close(); err != nil {
			t.Error(err)
		}
	})
	return cloud, log
}

func webhook(url string) *provisioning.CustomAllocationDefinition {
	return &provisioning.CustomAllocationDefinition{WebhookURL: url, APIVersion: provisioning.AllocationAPIVersion}
}

// moody is a webhook that answers as the registration id asks after its last
// hyphen.
func moody() http.Handler {
	var seen sync.Map
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Context struct {
				RegistrationID string
				Payload        json.RawMessage
			} `json:"deviceRuntimeContext"`
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		id := asked.Context.RegistrationID
		_, again := seen.LoadOrStore(id, true)
		switch mood := id[strings.LastIndex(id, "-")+1:]; {
		case mood == "refused":
			http.Error(w, "Unrecognized device registration.", http.StatusBadRequest)
		case mood == "hubless":
			io.WriteString(w, `{"iotHubHostName":""}`)
		case mood == "locked":
			w.WriteHeader(http.StatusUnauthorized)
		case mood == "busy" && !again:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			fmt.Fprintf(w, `{"iotHubHostName":%q,"payload":{"room":"Küche","asked":%s}}`, heatpumpsHub, cmp.Or(string(asked.Context.Payload), "null"))
		}
	})
}

// registering is the arguments of a registration over a transport.
func (n *nodeProcess) registering(transport, id string, key provisioning.Key) args {
	address := n.cloud.Addr()
	if transport != "mqtt" {
		address = n.cloud.HTTPSAddr()
	}
	return args{
		"transport": transport, "port": portOf(address), "idScope": scope,
		"registrationId": id, "key": base64.StdEncoding.EncodeToString(key),
	}
}

func portOf(address string) string { return address[strings.LastIndex(address, ":")+1:] }
