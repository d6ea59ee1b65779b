package emulator

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"time"
)

// draws are the random numbers of one registration: the same seed, device and
// number of the registration give the same ones, whatever other devices do.
func (c *Cloud) draws(registrationID string, count uint64) *rand.Rand {
	return rand.New(rand.NewPCG(c.cfg.Seed, hash(registrationID)+count))
}

func hash(text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(text))
	return h.Sum64()
}

// operationID has the form of the live service's, such as
// 5.ae17b01c7d4d7ebf.0ea5b739-2621-4a83-8c26-12d7f8893c70, of which the middle
// stays with the device.
func operationID(device string, r *rand.Rand) string {
	h := hash(device)
	middle := hex.EncodeToString(binary.BigEndian.AppendUint64(nil, h))
	return strconv.FormatUint(2+h%4, 10) + "." + middle + "." + guid(r)
}

// guid is a random UUID (RFC 9562, version 4).
func guid(r *rand.Rand) string {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], r.Uint64())
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	x := hex.EncodeToString(b[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// recordETag is an enrollment's etag, inner quotes included, in the form of the
// service's database: the last group is a time.
func recordETag(r *rand.Rand, at time.Time) string {
	return fmt.Sprintf(`"%08x-0000-0100-0000-%08x0000"`, r.Uint32(), uint32(at.Unix()))
}

// stateETag is a registration's: an etag like recordETag's in base64.
func stateETag(r *rand.Rand, at time.Time) string {
	return base64.StdEncoding.EncodeToString([]byte(recordETag(r, at)))
}

// draw is one duration of a span for one occasion of a device.
func (c *Cloud) draw(span Span, registrationID, occasion string) time.Duration {
	if span.Min == span.Max {
		return span.Min
	}
	return span.at(c.draws(registrationID, hash(occasion)).Float64())
}
