package emulator

import (
	"cmp"
	"slices"
	"sync"

	"dpsfleet/provisioning"
)

// Observe is how much the cloud keeps of what it saw, for [Cloud.Exchanges] and
// the HTTP face. Config.Record gets everything, whatever these say.
type Observe struct {
	// PerDevice are the last exchanges of each device; 16.
	PerDevice int `json:"perDevice,omitempty" jsonschema:"minimum=1,maximum=10000"`
	// InAll are the last exchanges of all devices; 10,000.
	InAll int `json:"inAll,omitempty" jsonschema:"minimum=1,maximum=1000000"`
	// Body is how many bytes are kept of each body; 4,096.
	Body int  `json:"body,omitempty" jsonschema:"minimum=1,maximum=262144"`
	Off  bool `json:"-"` // nothing is kept
}

func (o Observe) orDefault() Observe {
	o.PerDevice = cmp.Or(o.PerDevice, 16)
	o.InAll = cmp.Or(o.InAll, 10_000)
	o.Body = cmp.Or(o.Body, 4<<10)
	return o
}

// Observation is an exchange as the cloud kept it: its bodies may be cut, and
// credentials in them are masked.
type Observation struct {
	provisioning.Exchange
	Number uint64 // counts all exchanges from 1, kept or not
	Cut    bool   // a body was longer
}

// observer keeps the last exchanges of each device and of all. They are in one
// list in the order in which they came, and each device's in a list of its own:
// whichever limit is reached, the oldest goes.
type observer struct {
	limits Observe

	mu      sync.Mutex
	devices map[string]*observed // by registration id, folded
	all     seen                 // its next is the oldest, its prev the newest
	count   int
	numbers uint64
	waiting map[string]watch // for exchanges of a device; "" is any device
}

// observed is what is kept of one device.
type observed struct {
	first *seen
	end   **seen // where the next goes
	count int
}

// seen is one exchange in both lists.
type seen struct {
	Observation
	key        string
	prev, next *seen // of all, in a ring
	later      *seen // of the same device
}

func newObserver(limits Observe) *observer {
	o := &observer{limits: limits.orDefault(), devices: map[string]*observed{}, waiting: map[string]watch{}}
	o.all.prev, o.all.next = &o.all, &o.all
	return o
}

// see keeps an exchange. It copies nothing but what it cuts: the bytes of an
// exchange do not change.
func (o *observer) see(x provisioning.Exchange) {
	if o.limits.Off {
		return
	}
	s := &seen{Observation: Observation{Exchange: x}, key: provisioning.SameID(x.RegistrationID)}
	s.cut(o.limits.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.numbers++
	s.Number = o.numbers
	o.append(s)
	if device := o.devices[s.key]; device.count > o.limits.PerDevice {
		o.drop(device.first)
	}
	if o.count > o.limits.InAll {
		o.drop(o.all.next)
	}
	o.tell(s.key)
	o.tell("")
}

// tell wakes those who wait for an exchange of a device.
func (o *observer) tell(key string) {
	if w, any := o.waiting[key]; any {
		close(w.news)
		delete(o.waiting, key)
	}
}

// before is a Record that keeps an exchange before it hands it on.
func (o *observer) before(record func(provisioning.Exchange)) func(provisioning.Exchange) {
	if o.limits.Off {
		return record
	}
	return func(x provisioning.Exchange) {
		o.see(x)
		record(x)
	}
}

func (o *observer) append(s *seen) {
	device := o.devices[s.key]
	if device == nil {
		device = &observed{}
		device.end = &device.first
		o.devices[s.key] = device
	}
	s.prev, s.next = o.all.prev, &o.all
	s.prev.next, s.next.prev = s, s
	*device.end, device.end = s, &s.later
	device.count++
	o.count++
}

// drop takes out an exchange, which is its device's oldest.
func (o *observer) drop(s *seen) {
	s.prev.next, s.next.prev = s.next, s.prev
	o.count--
	device := o.devices[s.key]
	device.first = s.later
	if device.count--; device.count == 0 {
		delete(o.devices, s.key)
	}
}

// question is which exchanges somebody asks for; what is empty is any.
type question struct {
	registrationID string
	kind           provisioning.ExchangeKind
	after          uint64 // only those with a higher number
}

// find returns what is kept, the oldest first.
func (o *observer) find(q question) []Observation {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.DeleteFunc(o.kept(provisioning.SameID(q.registrationID)), func(x Observation) bool {
		return x.Number <= q.after || q.kind != "" && q.kind != x.Kind
	})
}

// watch is some who wait for the same device.
type watch struct {
	news    chan struct{} // closed with the next exchange
	waiters int
}

// watch returns a channel that is closed with the next exchange of a device, and
// what ends the wait: nothing is kept of those who have gone.
func (o *observer) watch(registrationID string) (<-chan struct{}, func()) {
	key := provisioning.SameID(registrationID)
	o.mu.Lock()
	defer o.mu.Unlock()
	w, any := o.waiting[key]
	if !any {
		w.news = make(chan struct{})
	}
	w.waiters++
	o.waiting[key] = w
	return w.news, func() { o.unwatch(key, w.news) }
}

func (o *observer) unwatch(key string, news chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	w, any := o.waiting[key]
	if !any || w.news != news {
		return // the news came
	}
	w.waiters--
	o.waiting[key] = w
	if w.waiters == 0 {
		delete(o.waiting, key)
	}
}

// kept are copies of what is kept of a device, or of all.
func (o *observer) kept(key string) []Observation {
	var all []Observation
	if key == "" {
		for s := o.all.next; s != &o.all; s = s.next {
			all = append(all, s.Observation)
		}
		return all
	}
	device := o.devices[key]
	if device == nil {
		return nil
	}
	for s := device.first; s != nil; s = s.later {
		all = append(all, s.Observation)
	}
	return all
}
