package provisioning

import (
	"crypto/hmac"
	"crypto/sha256"
	"hash"
	"io"
	"sync"
)

// Deriver is Key.Derive of one group's key for many devices: what depends on the
// key alone is made beforehand. Any goroutine may use it.
type Deriver struct{ ready sync.Pool }

// NewDeriver makes one.
func NewDeriver(k Key) *Deriver {
	d := new(Deriver)
	d.ready.New = func() any { return hmac.New(sha256.New, k) }
	return d
}

// Derive gives the key of one device.
func (d *Deriver) Derive(registrationID string) Key {
	mac := d.ready.Get().(hash.Hash)
	defer d.ready.Put(mac)
	mac.Reset()
	io.WriteString(mac, registrationID)
	return mac.Sum(nil)
}
