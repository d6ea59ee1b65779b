package emulator

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"

	"dpsfleet/provisioning"
)

const (
	defaultIDScope = "0ne00002193"
	defaultAddress = "127.0.0.1:0"
)

// orDefault fills what is nil or zero.
func (cfg Config) orDefault() Config {
	cfg.IDScope = cmp.Or(cfg.IDScope, defaultIDScope)
	cfg.Address = cmp.Or(cfg.Address, defaultAddress)
	cfg.WebhookCalls = cmp.Or(cfg.WebhookCalls, defaultWebhook)
	cfg.Undocumented = cfg.Undocumented.orDefault()
	if cfg.Answers == nil {
		realistic := Realistic()
		cfg.Answers = &realistic
	}
	if cfg.Listen == nil {
		cfg.Listen = Listen
	}
	if cfg.Dial == nil {
		cfg.Dial = new(net.Dialer).DialContext
	}
	if cfg.FunctionLog == nil {
		cfg.FunctionLog = io.Discard
	}
	if cfg.Record == nil {
		cfg.Record = func(provisioning.Exchange) {}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// Check says everything that is wrong with the configuration, one sentence a
// mistake, joined.
func (cfg Config) Check() error {
	var wrong []error
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Errorf(format, args...)) }
	if strings.ContainsAny(cfg.IDScope, "/ \t\r\n") {
		say("the id scope %q has a slash or a space in it", cfg.IDScope)
	}
	for _, name := range cfg.Names {
		if err := CheckName(name); err != nil {
			say("the name %w", err)
		}
	}
	if len(cfg.LinkedHubs) == 0 {
		say("there is no linked hub: name at least one")
	}
	for i, hub := range cfg.LinkedHubs {
		if hub == "" || strings.ContainsAny(hub, "/ \t\r\n:") {
			say("the linked hub %q is not a host name", hub)
		}
		if slices.ContainsFunc(cfg.LinkedHubs[:i], func(h string) bool { return strings.EqualFold(h, hub) }) {
			say("the linked hub %s is there twice", hub)
		}
	}
	wrong = append(wrong, cfg.hubMistakes()...)
	if len(cfg.Enrollments) == 0 && cfg.HTTPS == "" { // the service API makes some
		say("there is no enrollment: no device could register")
	}
	seen := map[[2]string]bool{}
	for _, e := range cfg.Enrollments {
		name := [2]string{e.EnrollmentGroupID, provisioning.SameID(e.RegistrationID)}
		if seen[name] {
			say("the enrollment %q is there twice", e.ID())
		}
		seen[name] = true
		if err := cfg.unmeasured(e.Enrollment); err != nil {
			say("enrollment %q: %w", e.ID(), err)
		}
		if e.Attestation.Type == provisioning.AttestX509 && !cfg.TLS {
			say("enrollment %q: it attests by certificate, and without TLS no device can bring one", e.ID())
		}
		for _, mistake := range e.mistakes(cfg.LinkedHubs) {
			say("enrollment %q: %w", e.ID(), mistake)
		}
	}
	return errors.Join(wrong...)
}

func (e Enrollment) mistakes(linkedHubs []string) []error {
	var wrong []error
	if (e.RegistrationID == "") == (e.EnrollmentGroupID == "") {
		wrong = append(wrong, errors.New("it needs either a registration id or a group id"))
	}
	if e.RegistrationID != "" {
		wrong = append(wrong, provisioning.CheckRegistrationID(e.RegistrationID))
	}
	if s := e.Provisioning; s != "" && s != provisioning.ProvisioningEnabled && s != provisioning.ProvisioningDisabled {
		wrong = append(wrong, fmt.Errorf("its provisioningStatus is %q, neither enabled nor disabled", s))
	}
	for _, hub := range slices.Concat(e.IoTHubs, []string{e.IoTHubHostName}) {
		if hub != "" && !slices.Contains(linkedHubs, hub) {
			wrong = append(wrong, fmt.Errorf("its hub %q is not a linked hub", hub))
		}
	}
	if !slices.Contains([]FunctionKeyUse{"", FunctionKeyNone, FunctionKeyRequired, FunctionKeyMissing}, e.FunctionKey) {
		wrong = append(wrong, fmt.Errorf("its function key is %q, neither none nor required nor missing", e.FunctionKey))
	}
	wrong = append(wrong, e.attestationMistakes()...)
	wrong = append(wrong, e.allocationMistakes()...)
	return slices.DeleteFunc(wrong, func(err error) bool { return err == nil })
}

func (e Enrollment) keyMistakes() []error {
	if e.Attestation.SymmetricKey == nil {
		return nil
	}
	var wrong []error
	for _, key := range []provisioning.Key{e.Attestation.SymmetricKey.Primary, e.Attestation.SymmetricKey.Secondary} {
		if n := len(key); n != 0 && (n < shortestKeyBytes || n > longestKeyBytes) {
			wrong = append(wrong, fmt.Errorf("a key has %d bytes; DPS takes %d to %d", n, shortestKeyBytes, longestKeyBytes))
		}
	}
	return wrong
}

func (e Enrollment) allocationMistakes() []error {
	custom := e.Policy != nil || e.CustomAllocation != nil
	switch {
	case e.Policy != nil && e.CustomAllocation != nil:
		return []error{errors.New("it has a policy and a webhook: name one of the two")}
	case e.Allocation == provisioning.AllocateCustom && !custom:
		return []error{errors.New("400004: a CustomAllocationDefinition is required when the allocation policy is set to custom: name a policy or a webhook")}
	case custom && e.Allocation != "" && e.Allocation != provisioning.AllocateCustom:
		return []error{fmt.Errorf("its allocation policy is %q, and it names a policy or a webhook", e.Allocation)}
	case !slices.Contains([]provisioning.AllocationPolicy{"", provisioning.AllocateCustom, provisioning.AllocateStatic, provisioning.AllocateHashed, provisioning.AllocateGeoLatency}, e.Allocation):
		return []error{fmt.Errorf("its allocation policy %q is neither custom nor static nor hashed nor geoLatency", e.Allocation)}
	case e.CustomAllocation == nil:
		return nil
	}
	// The URL is not quoted: it may hold the function's key.
	u, err := url.Parse(e.CustomAllocation.WebhookURL)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return []error{errors.New("its webhookUrl is not an http or https URL")}
	}
	return nil
}
