package allocation

import (
	"cmp"
	"hash/fnv"
	"math"
	"slices"
)

// Heaviest is weighted rendezvous hashing: of the hubs' scores for a device the
// highest wins, so that hubs get devices in proportion to their weights, and a
// new hub takes its share while no other device moves. There must be a hub.
func Heaviest(hubs []string, device string, weight func(hub string) float64) string {
	weighted := func(hub string) float64 { return -weight(hub) / math.Log(chance(hub, device)) }
	return slices.MaxFunc(hubs, func(a, b string) int { return cmp.Compare(weighted(a), weighted(b)) })
}

// chance is a number u between 0 and 1 of the hub and the device. The highest
// -w/ln(u) falls on each hub with the probability of its weight w.
func chance(hub, device string) float64 {
	return (float64(score(hub, device)>>11) + 0.5) / (1 << 53)
}

// score mixes what FNV leaves alike in texts that differ at one end only (the
// finalizer of splitmix64).
func score(hub, device string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(hub + "\x00" + device))
	x := h.Sum64()
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
