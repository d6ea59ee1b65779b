package device

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/mqtt"
	"dpsfleet/provisioning/wsnet"
)

// retry says whether, and when, what failed may be tried again.
type retry struct {
	allowed bool
	// refused counts against Limits.Attempts: nobody there, or nobody who talks.
	refused bool
	// after is the server's own word. Nil leaves the pause to the back-off alone.
	after *time.Duration
}

// wait is how long to pause. What is the server's word and no back-off does not
// lengthen the next one.
func (l *life) wait(again retry) time.Duration {
	pause := l.Backoff.pause(l.backoffs, again.after, l.scope.rand)
	if again.after == nil || l.Backoff.RetryAfter != HeardExactly {
		l.backoffs++
	}
	return pause
}

// ended is the failure of a boot whose context or time is over, nil where neither is.
func (l *life) ended(ctx context.Context) *Failure {
	switch {
	case errors.Is(context.Cause(ctx), errPowerCut):
		return &Failure{Outcome: OutcomeInterrupted, Err: errPowerCut}
	case ctx.Err() != nil:
		return &Failure{Outcome: OutcomeInterrupted, Err: errors.New("the run was stopped")}
	case !l.timeUp.IsZero() && !time.Now().Before(l.timeUp):
		return &Failure{Outcome: OutcomeTimeout, Result: provisioning.ResultTimeout, Err: errBootTime}
	}
	return nil
}

// parsingError is an answer that makes no sense, or none to the device's model.
type parsingError struct{ error }

func (e parsingError) Unwrap() error { return e.error }

// classify says what an error of the network or the service means for a boot.
// Refused credentials stay refused; a server that is busy, broken or gone may
// come back (MQTT 3.1.1 section 3.2.2.3 for the CONNACK codes).
func classify(err error) (*Failure, retry) {
	var refused *mqtt.RefusedError
	var answered *provisioning.Error
	var parsing parsingError
	var hub hubError
	var upgrade *wsnet.RefusedError
	switch {
	case errors.As(err, &refused):
		return connackFailure(refused, err)
	case errors.As(err, &answered):
		return answerFailure(answered, err)
	case errors.As(err, &hub):
		return &Failure{Outcome: OutcomeRefused, Result: provisioning.ResultOK, Err: err}, retry{allowed: hub.status >= 429}
	case errors.As(err, &parsing):
		return &Failure{Outcome: OutcomeFailed, Result: provisioning.ResultParsing, Err: err}, retry{}
	case untrusted(err):
		return &Failure{Outcome: OutcomeUnreachable, Result: provisioning.ResultTransport, Cause: CauseUntrusted, Err: err}, retry{}
	case errors.As(err, &upgrade) && upgrade.Status < 500:
		return &Failure{Outcome: OutcomeUnreachable, Result: provisioning.ResultTransport, Cause: CauseNoWebSocket, Err: err}, retry{allowed: true, refused: true}
	case nobodyThere(err):
		return &Failure{Outcome: OutcomeUnreachable, Result: provisioning.ResultTransport, Cause: CauseDialRefused, Err: err}, retry{allowed: true, refused: true}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%w: no answer in time", err)
	case errors.Is(err, io.EOF):
		err = fmt.Errorf("the server closed the connection: %w", err)
	}
	return &Failure{Outcome: OutcomeUnreachable, Result: provisioning.ResultTransport, Err: err}, retry{allowed: true}
}

// rejected reports whether a hub does not want the device: 401, 403 or 404, which
// over MQTT are CONNACK 2, 4 and 5 (MQTT 3.1.1 section 3.2.2.3; Microsoft's newest
// SDKs register again on these three, and on no other).
func rejected(err error) bool {
	var refused *mqtt.RefusedError
	if errors.As(err, &refused) {
		return refused.Code == 2 || refused.Code == 4 || refused.Code == 5
	}
	var hub hubError
	return errors.As(err, &hub) && (hub.status == 401 || hub.status == 403 || hub.status == 404)
}

const connackUnavailable = 3

func connackFailure(refused *mqtt.RefusedError, err error) (*Failure, retry) {
	failure := &Failure{Outcome: OutcomeRefused, Result: provisioning.ResultDevAuthError, Cause: CauseConnackRefused, Err: err}
	if refused.Code != connackUnavailable {
		return failure, retry{}
	}
	failure.Cause = CauseIDScope
	return failure, retry{allowed: true, refused: true}
}

func answerFailure(answered *provisioning.Error, err error) (*Failure, retry) {
	failure := &Failure{Outcome: OutcomeRefused, Code: answered.Code, Result: provisioning.ResultDevAuthError, Err: err}
	if answered.Retryable() {
		return failure, retry{allowed: true, after: answered.RetryAfter}
	}
	if answered.Status == 401 {
		failure.Cause = CauseUnauthorized
	}
	return failure, retry{}
}

// CauseOf is the mistake in the set-up that an error of the network speaks of;
// empty if it speaks of none.
func CauseOf(err error) Cause {
	switch {
	case untrusted(err):
		return CauseUntrusted
	case nobodyThere(err):
		return CauseDialRefused
	}
	return ""
}

func untrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &name)
}

func nobodyThere(err error) bool {
	var dns *net.DNSError
	return errors.Is(err, syscall.ECONNREFUSED) || errors.As(err, &dns) && dns.IsNotFound
}

// verdictFailure is the end of a boot that DPS has judged and not assigned.
func verdictFailure(a Assignment) *Failure {
	outcome := OutcomeFailed
	if a.Status == provisioning.Disabled {
		outcome = OutcomeDisabled
	}
	text := fmt.Sprintf("DPS answered %s", a.Status)
	if a.Code != 0 {
		text += ", " + a.Code.String()
	}
	if a.Message != "" {
		text += fmt.Sprintf(": %q", a.Message)
	}
	return &Failure{
		Outcome: outcome,
		Code:    a.Code,
		Result:  provisioning.ResultOf(a.Status, a.Code),
		Err:     errors.New(text),
	}
}
