package scenarios

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"strings"

	"dpsfleet/provisioning"
)

// Portion is a part of the devices, as 20%; 0 where it is left out. Which of them
// it is, a hash of seed and registration id decides and nothing else, so that it
// is the same devices in every run with that seed.
type Portion float64

// ParsePortion reads one.
func ParsePortion(text string) (Portion, error) {
	digits, isPercent := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseFloat(digits, 64)
	if !isPercent || err != nil || !(percent > 0 && percent <= 100) {
		return 0, fmt.Errorf("%.40q is not a part of the devices, as 20%% and 0.5%% are", text)
	}
	return Portion(percent / 100), nil
}

// String is the portion as a scenario writes it.
func (p Portion) String() string { return strconv.FormatFloat(float64(p)*100, 'g', 6, 64) + "%" }

// MarshalText and UnmarshalText are String and ParsePortion.
func (p Portion) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

func (p *Portion) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePortion(string(text))
	return err
}

// has reports whether a device is in it on an occasion. Portions of one seed and
// occasion are of the same order of devices: 10% are among the 20%.
func (p Portion) has(seed uint64, registrationID, occasion string) bool {
	return p > 0 && drawFor(seed, registrationID, occasion).Float64() < float64(p)
}

// drawFor are the random numbers of one device on one occasion, whatever other
// devices do.
func drawFor(seed uint64, registrationID, occasion string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(provisioning.SameID(registrationID) + "\x00" + occasion))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}

// ofFault is the occasion on which a fault picks its devices: the same for all
// faults, so that 10% of one are among the 20% of another.
const ofFault = "portion"
