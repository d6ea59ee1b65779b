package metrics

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

// boots folds events and exchanges into boots and emits each, once, as it ends.
// A boot that has ended leaves its number behind, so that what the device does
// afterwards (renewing its token, leaving its hub) does not begin it again.
type boots struct {
	devices map[string]slot // by provisioning.SameID
	// once says that no device is heard of after its boot, so that nothing needs
	// to be kept of it: a run may go on for long.
	once bool
	// begun takes a boot that begins, and says where its fleet's devices are
	// counted by stage.
	begun func(fleet string) *Stages
	emit  func(*Boot)
}

// Stages counts devices in each stage, by device.Stage; those that left are in
// none.
type Stages [int(device.Dropped) + 1]int

func (s *Stages) count(stage device.Stage, n int) {
	if int(stage) < len(s) {
		s[stage] += n
	}
}

type slot struct {
	boot int
	open *openBoot // nil once it has ended
	in   *Stages
	// living says that the device goes on at its hub after its boot, in stage.
	living bool
	stage  device.Stage
}

type openBoot struct {
	Boot
	in      *Stages
	stage   device.Stage
	entered time.Time
}

// maxAllocations bounds what is kept of a device whose webhook is called without
// end; custom allocation makes eleven calls.
const maxAllocations = 32

func newBoots(begun func(fleet string) *Stages, emit func(*Boot)) *boots {
	return &boots{devices: make(map[string]slot), begun: begun, emit: emit}
}

func (f *boots) event(e *device.Event) {
	id := provisioning.SameID(e.Device)
	s, known := f.devices[id]
	if known && (e.Boot < s.boot || e.Boot == s.boot && s.open == nil) {
		f.after(id, s, e)
		return
	}
	if s.open != nil && e.Boot > s.boot {
		f.cut(s.open, e.At)
		s.open = nil
	}
	if s.open == nil {
		s = slot{boot: e.Boot, open: begin(e)}
		s.in = f.begun(s.open.Fleet)
		s.open.in = s.in
		s.in.count(e.From, 1)
		f.devices[id] = s
	}
	s.in.count(s.open.stage, -1)
	s.in.count(e.To, 1)
	if s.open.step(e) {
		f.devices[id] = slot{boot: s.boot, in: s.in, living: e.To == device.Online, stage: e.To}
		if f.once {
			delete(f.devices, id)
		}
		f.end(s.open)
	}
}

// after follows a device beyond the end of its boot, for the count by stage.
func (f *boots) after(id string, s slot, e *device.Event) {
	if !s.living || e.Boot != s.boot {
		return
	}
	s.in.count(s.stage, -1)
	s.stage = e.To
	s.living = e.To != device.Off && e.To != device.Failed && e.To != device.Dropped
	if s.living {
		s.in.count(e.To, 1)
	}
	f.devices[id] = s
}

func begin(e *device.Event) *openBoot {
	due := moment(e.At.Add(-e.In))
	return &openBoot{
		Boot: Boot{
			ID: text(e.Device), Fleet: text(e.Fleet), Model: text(e.Model), Boot: e.Boot,
			Due:    due,
			Stages: make([]StageTime, 0, 8),
		},
		stage:   e.From,
		entered: due,
	}
}

func (f *boots) end(o *openBoot) {
	if o.stage != device.Online {
		o.in.count(o.stage, -1)
	}
	o.finish()
	f.emit(&o.Boot)
}

// cut ends a boot from outside.
func (f *boots) cut(o *openBoot, now time.Time) {
	o.Stages = append(o.Stages, StageTime{Stage: o.stage, Took: millis(max(0, now.Sub(o.entered)))})
	o.Outcome = device.OutcomeInterrupted
	o.Error = "interrupted while " + o.stage.String()
	f.end(o)
}

// finish ends the boots that are open, in the order of their devices' ids.
func (f *boots) finish(now time.Time) {
	var open []*openBoot
	for id, s := range f.devices {
		if s.open != nil {
			open = append(open, s.open)
			f.devices[id] = slot{boot: s.boot, in: s.in}
		}
	}
	slices.SortFunc(open, func(a, b *openBoot) int { return cmp.Compare(a.ID, b.ID) })
	for _, o := range open {
		f.cut(o, now)
	}
}

// step moves the boot on and reports whether that was its end.
func (o *openBoot) step(e *device.Event) (ended bool) {
	o.Stages = append(o.Stages, StageTime{Stage: e.From, Took: millis(e.In), Resumed: e.Resumed})
	o.stage, o.entered = e.To, e.At
	o.Polls = max(o.Polls, e.Polls) // a device counts on through its boot
	if len(e.Sent) > 0 {
		o.Sent = shortened(e.Sent)
	}
	if e.Assignment != nil {
		o.hear(e.Assignment)
	}
	if len(e.Desired) > 0 {
		o.Desired = compact(e.Desired)
	}
	switch e.To {
	case device.Online:
		o.Outcome = device.OutcomeAssigned
		return true
	case device.Dropped:
		o.fail(e.Err, device.OutcomeDropped)
		return true
	case device.Failed:
		o.fail(e.Err, device.OutcomeFailed)
		return true
	case device.Off:
		o.leave(e)
		return true
	case device.Waiting:
		o.Retries++
	case device.Dialing:
		o.forgetHub()
	}
	if e.Err != nil {
		o.Stages[len(o.Stages)-1].Why = text(e.Err.Error())
	}
	return false
}

// hear takes DPS's verdict, or where the device believes that it belongs.
func (o *openBoot) hear(a *device.Assignment) {
	if a.Status == "" {
		o.Cached, o.Hub, o.DeviceID = text(a.Hub), text(a.Hub), text(a.DeviceID)
		return
	}
	o.Verdict, o.OperationID = a.Status, text(a.OperationID)
	o.Hub, o.DeviceID, o.Substatus = text(a.Hub), text(a.DeviceID), text(a.Substatus)
	o.Code, o.Error = a.Code, text(a.Message)
	o.Payload = compact(a.Payload)
}

// forgetHub is a device that asks DPS where it belongs, whatever it knew.
func (o *openBoot) forgetHub() {
	if o.Verdict == "" {
		o.Hub, o.DeviceID = "", ""
	}
}

// leave is the way to Off, good only from where a boot may be told to end.
func (o *openBoot) leave(e *device.Event) {
	toldWhere := e.From == device.Assigning && o.Verdict == provisioning.Assigned
	if e.Err == nil && (toldWhere || e.From == device.Twinning) {
		o.Outcome = device.OutcomeAssigned
		return
	}
	o.fail(e.Err, device.OutcomeInterrupted)
}

// fail ends the boot as the failure says, and as otherwise where it says nothing.
func (o *openBoot) fail(err error, otherwise device.Outcome) {
	o.Outcome = otherwise
	if err == nil {
		return
	}
	if message := text(err.Error()); message != "" {
		o.Error = message
	}
	failure, ok := err.(*device.Failure)
	if !ok && !errors.As(err, &failure) {
		return
	}
	if failure.Outcome != "" {
		o.Outcome = failure.Outcome
	}
	if o.Code == 0 {
		o.Code = failure.Code
	}
	o.Result, o.Cause = failure.Result, failure.Cause
}

// finish completes what can be said only at the end. An assignment may have come
// with a message; it is no error.
func (o *openBoot) finish() {
	if o.Result == "" && o.Verdict != "" {
		o.Result = provisioning.ResultOf(o.Verdict, o.Code)
	}
	if o.Outcome == device.OutcomeAssigned {
		o.Error = ""
	}
}

// exchange takes what the cloud says of a boot that is open.
func (f *boots) exchange(x *provisioning.Exchange) {
	o := f.devices[provisioning.SameID(x.RegistrationID)].open
	if o == nil {
		return
	}
	if len(x.Tags) > 0 {
		o.Tags = compact(x.Tags)
	}
	if x.Kind != provisioning.ExchangeAllocate || len(o.Allocations) == maxAllocations {
		return
	}
	o.Allocations = append(o.Allocations, Allocation{
		Attempt:  x.Attempt,
		At:       millis(x.At.Sub(o.Due)),
		Took:     millis(x.Took),
		Status:   x.Status,
		Hub:      text(x.Hub),
		Err:      text(x.Err),
		Request:  excerpt(x.Asked),
		Response: excerpt(x.Answered),
	})
}

// forget drops the bodies of calls that nobody will look into.
func (b *Boot) forget() {
	for i := range b.Allocations {
		if a := &b.Allocations[i]; b.Met && !a.failed() {
			a.Request, a.Response = "", ""
		}
	}
}
