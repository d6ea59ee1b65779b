package metrics

import (
	"cmp"
	"hash/maphash"
	"slices"

	"dpsfleet/device"
	"dpsfleet/provisioning"
)

// Reconciliation holds what the devices heard against what the cloud decided.
type Reconciliation struct {
	// Checked is false for a cloud that is not ours: not checked, not passed.
	Checked bool `json:"checked"`
	// Assigned, Failed and Disabled count devices that heard that verdict and
	// whose cloud says the same.
	Assigned int `json:"assigned"`
	Failed   int `json:"failed"`
	Disabled int `json:"disabled"`
	// NeverTold counts devices that did not hear the cloud's last verdict.
	NeverTold int `json:"neverTold"`
	// Differing counts devices that heard what the cloud does not say, and
	// Differences holds the first of them by id.
	Differing   int          `json:"differing"`
	Differences []Difference `json:"differences,omitempty"`
}

// Difference is a device whose story and whose cloud's differ.
type Difference struct {
	ID     string `json:"registrationId"`
	Device string `json:"device"` // what it heard
	Cloud  string `json:"cloud"`  // what the cloud says
}

// maxDifferences bounds how many are listed; all are counted.
const maxDifferences = 20

// reconciler remembers the last verdict on each device, as the cloud gave it and
// as the device heard it: some hundred bytes a device, so that a million fit.
type reconciler struct {
	devices map[string]*verdicts // by provisioning.SameID
	hubs    map[string]uint32
	names   []string
	seed    maphash.Seed
}

type verdicts struct {
	cloud, heard verdict
	// newer says that the cloud decided again after the device last heard.
	newer bool
}

// verdict is a registration's end. Its hub is a number, its operation a hash:
// they are only ever compared.
type verdict struct {
	operation uint64
	hub       uint32
	code      int32
	status    uint8
}

// statuses gives the ends of a registration numbers; 0 is none.
func statuses() [4]provisioning.Status {
	return [4]provisioning.Status{"", provisioning.Assigned, provisioning.Failed, provisioning.Disabled}
}

func newReconciler() *reconciler {
	return &reconciler{
		devices: make(map[string]*verdicts),
		hubs:    map[string]uint32{"": 0},
		names:   []string{""},
		seed:    maphash.MakeSeed(),
	}
}

func (r *reconciler) device(id string) *verdicts {
	id = provisioning.SameID(id)
	v := r.devices[id]
	if v == nil {
		v = &verdicts{}
		r.devices[id] = v
	}
	return v
}

// exchange takes the state of a registration that has come to its end.
func (r *reconciler) exchange(x *provisioning.Exchange) {
	if x.State == nil || x.Kind != provisioning.ExchangeVerdict && x.Kind != provisioning.ExchangeTold {
		return
	}
	got := r.verdict(x.OperationID, x.State.Status, x.State.AssignedHub, x.State.ErrorCode)
	if got.status == 0 {
		return
	}
	v := r.device(x.RegistrationID)
	v.newer = v.heard.status != 0 && v.heard.operation != got.operation
	v.cloud = got
}

// event takes what the device heard.
func (r *reconciler) event(e *device.Event) {
	a := e.Assignment
	if a == nil {
		return
	}
	if heard := r.verdict(a.OperationID, a.Status, a.Hub, a.Code); heard.status != 0 {
		v := r.device(e.Device)
		v.heard, v.newer = heard, false
	}
}

func (r *reconciler) verdict(operation string, s provisioning.Status, hub string, code provisioning.Code) verdict {
	v := verdict{operation: maphash.String(r.seed, operation)}
	all := statuses()
	v.status = uint8(max(0, slices.Index(all[:], s)))
	switch s {
	case provisioning.Assigned:
		v.hub = r.hub(hub)
	case provisioning.Failed:
		v.code = int32(code)
	}
	return v
}

func (r *reconciler) hub(name string) uint32 {
	n, ok := r.hubs[name]
	if !ok {
		n = uint32(len(r.names))
		r.hubs[name] = n
		r.names = append(r.names, name)
	}
	return n
}

// result compares the two sides of each device.
func (r *reconciler) result() Reconciliation {
	result := Reconciliation{Checked: true}
	for id, v := range r.devices {
		switch {
		case v.heard.status == 0, v.newer:
			result.NeverTold++
		case v.heard.same(v.cloud):
			result.agree(v.heard)
		default:
			result.Differing++
			result.Differences = append(result.Differences, Difference{ID: id, Device: r.say(v.heard), Cloud: r.say(v.cloud)})
		}
	}
	slices.SortFunc(result.Differences, func(a, b Difference) int { return cmp.Compare(a.ID, b.ID) })
	result.Differences = result.Differences[:min(len(result.Differences), maxDifferences)]
	return result
}

// same leaves out the operation: what counts is where the device is.
func (v verdict) same(other verdict) bool {
	return v.status == other.status && v.hub == other.hub && v.code == other.code
}

func (r *Reconciliation) agree(v verdict) {
	switch statuses()[v.status] {
	case provisioning.Assigned:
		r.Assigned++
	case provisioning.Failed:
		r.Failed++
	case provisioning.Disabled:
		r.Disabled++
	}
}

func (r *reconciler) say(v verdict) string {
	switch statuses()[v.status] {
	case provisioning.Assigned:
		return "assigned to " + r.names[v.hub]
	case provisioning.Failed:
		return "failed with " + provisioning.Code(v.code).String()
	case provisioning.Disabled:
		return "disabled"
	}
	return "nothing"
}
