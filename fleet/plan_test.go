package fleet_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"dpsfleet/fleet"
)

func offsets(plan fleet.Plan) []time.Duration {
	var all []time.Duration
	for a := range plan.Arrivals() {
		all = append(all, a.Offset)
	}
	return all
}

// one is the plan of a single fleet.
func one(t testing.TB, count int, texts ...string) fleet.Plan {
	t.Helper()
	return fleet.Plan{Fleets: []fleet.Fleet{{Name: "toasters", Count: count, Arrive: parse(t, texts...)}}, Seed: 7}
}

func millis(ms ...float64) []time.Duration {
	all := make([]time.Duration, len(ms))
	for i, m := range ms {
		all[i] = time.Duration(math.Round(m * 1e6))
	}
	return all
}

func TestOffsetsFollowTheShape(t *testing.T) {
	for _, c := range []struct {
		shape string
		want  []time.Duration
	}{
		{"burst", millis(0, 0, 0, 0)},
		{"constant 10/s", millis(0, 100, 200, 300, 400)},
		{"constant 3/s", []time.Duration{0, 333333333, 666666667, time.Second}},
		{"constant 30/min", millis(0, 2000, 4000)},
		{"constant 1/h", millis(0, 3600e3, 7200e3)},
		{"constant 0.5/s", millis(0, 2000, 4000)},
		// t*t/2 = i at one more a second each second.
		{"ramp 0/s to 100/s over 100s", millis(0, 1414.213562, 2000, 2449.489743, 2828.427125)},
		// Falling: 2t - t*t/4 = i, and 1/s from 2 s on.
		{"ramp 2/s to 1/s over 2s", millis(0, 535.898385, 1171.572875, 2000, 3000, 4000)},
		{"ramp 5/s to 5/s over 1s", millis(0, 200, 400, 600, 800, 1000, 1200)},
		// Four arrivals lie under the curve; then the last rate holds.
		{"ramp 1/s to 3/s over 2s", millis(0, 732.050808, 1236.067977, 1645.751311, 2000, 2333.333333, 2666.666667)},
		{"constant 10/s for 200ms", millis(0, 100, 200, 300)},
		{"burst 2 for 10s", millis(0, 0, 0, 0)},
	} {
		got := offsets(one(t, len(c.want), c.shape))
		if !within(got, c.want, time.Microsecond) {
			t.Errorf("%s:\n got %v\nwant %v", c.shape, got, c.want)
		}
	}
}

func TestStagesFollowEachOther(t *testing.T) {
	for _, c := range []struct {
		stages []string
		want   []time.Duration
	}{
		{[]string{"burst 2 for 10s", "constant 1/s"}, millis(0, 0, 10000, 11000)},
		{[]string{"burst 2", "constant 1/s"}, millis(0, 0, 0, 1000)},
		{[]string{"constant 2/s for 1s", "burst"}, millis(0, 500, 1000, 1000, 1000)},
		{[]string{"constant 2/s for 1s", "constant 0/s for 1m", "constant 4/s"}, millis(0, 500, 61000, 61250)},
		// Ten a minute for a minute are ten, whatever 10/60 is in binary.
		{[]string{"constant 10/min for 1m", "constant 0/s for 1h", "burst"}, millis(0, 6e3, 12e3, 18e3, 24e3, 30e3, 36e3, 42e3, 48e3, 54e3, 3660e3)},
		// Half an arrival is left over at 1.5 s and becomes one 0.25 s later.
		{[]string{"constant 1/s for 1.5s", "constant 2/s"}, millis(0, 1000, 1750, 2250)},
		{[]string{"ramp 0/s to 2/s over 1s", "ramp 2/s to 0/s over 1s", "burst"}, millis(0, 1000, 2000)},
		{[]string{"constant 1/s for 500ms", "burst"}, millis(0, 500, 500)},
	} {
		got := offsets(one(t, len(c.want), c.stages...))
		if !within(got, c.want, time.Microsecond) {
			t.Errorf("%s:\n got %v\nwant %v", strings.Join(c.stages, ", "), got, c.want)
		}
	}
}

func within(got, want []time.Duration, tolerance time.Duration) bool {
	return slices.EqualFunc(got, want, func(a, b time.Duration) bool { return (a - b).Abs() <= tolerance })
}

func TestRampHasTheAreaUnderItsCurve(t *testing.T) {
	got := offsets(one(t, 700, "ramp 10/s to 100/s over 10s"))
	before, _ := slices.BinarySearch(got, 10*time.Second)
	if before != 550 {
		t.Errorf("%d come within the ramp, want (10+100)/2*10 = 550", before)
	}
	if last, want := got[699], 10*time.Second+1490*time.Millisecond; last != want {
		t.Errorf("the last comes after %v, want %v: 150 at 100/s", last, want)
	}
}

func TestPoissonHasItsMeanAndItsSpread(t *testing.T) {
	const n, rate = 100_000, 30.0
	got := offsets(one(t, n, "poisson 30/s"))
	var sum, squares float64
	last := time.Duration(0)
	for _, at := range got {
		gap := (at - last).Seconds() * rate
		sum, squares, last = sum+gap, squares+gap*gap, at
	}
	mean := sum / n
	if deviation := math.Sqrt(squares/n - mean*mean); math.Abs(mean-1) > 0.02 || math.Abs(deviation-1) > 0.02 {
		t.Errorf("gaps have mean %.3f and deviation %.3f of 1/rate; an exponential has 1 and 1", mean, deviation)
	}
}

func TestPoissonStageEndsOnTime(t *testing.T) {
	got := offsets(one(t, 2000, "poisson 100/s for 10s", "constant 0/s for 10s", "burst"))
	quiet, _ := slices.BinarySearch(got, 10*time.Second)
	if quiet < 850 || quiet > 1150 {
		t.Errorf("%d came in 10 s at 100/s", quiet)
	}
	if got[quiet] != 20*time.Second || got[1999] != 20*time.Second {
		t.Errorf("the burst is at %v to %v, want 20s", got[quiet], got[1999])
	}
}

func TestSameSeedSameArrivals(t *testing.T) {
	plan := one(t, 100, "poisson 30/s")
	first := offsets(plan)
	if !slices.Equal(first, offsets(plan)) {
		t.Error("the same plan gave two sequences")
	}
	plan.Seed++
	if slices.Equal(first, offsets(plan)) {
		t.Error("another seed gave the same sequence")
	}
}

func TestAnotherFleetChangesNobodysArrivals(t *testing.T) {
	alone := offsets(one(t, 100, "poisson 30/s"))
	plan := mixed(t)
	var together []time.Duration
	for a := range plan.Arrivals() {
		if plan.Fleets[a.Fleet].Name == "toasters" {
			together = append(together, a.Offset)
		}
	}
	if !slices.Equal(alone, together) {
		t.Error("the toasters came at other times with heat pumps beside them")
	}
}

// mixed is a plan of four fleets, among them one that is empty.
func mixed(t testing.TB) fleet.Plan {
	return fleet.Plan{Seed: 7, Fleets: []fleet.Fleet{
		{Name: "heatpumps", Count: 90, Start: 500 * time.Millisecond, Arrive: parse(t, "ramp 10/s to 100/s over 1s")},
		{Name: "nobody"},
		{Name: "toasters", Count: 100, Arrive: parse(t, "poisson 30/s")},
		{Name: "strangers", Count: 10, Start: 500 * time.Millisecond},
	}}
}

func TestFleetsAreMergedInTimeOrder(t *testing.T) {
	next := make([]int, 4)
	var last fleet.Arrival
	for a := range mixed(t).Arrivals() {
		if a.Index != next[a.Fleet] {
			t.Fatalf("%+v came where index %d was next", a, next[a.Fleet])
		}
		next[a.Fleet]++
		if a.Offset < last.Offset || a.Offset == last.Offset && a.Fleet < last.Fleet {
			t.Fatalf("%+v came after %+v", a, last)
		}
		last = a
	}
	if want := []int{90, 0, 100, 10}; !slices.Equal(next, want) {
		t.Errorf("%v came, want %v", next, want)
	}
}

func TestShardsTogetherAreTheWhole(t *testing.T) {
	whole := slices.Collect(mixed(t).Arrivals())
	for _, shards := range []int{1, 2, 3, 7, 500} {
		together := make([]fleet.Arrival, len(whole))
		seen := 0
		for shard := range shards {
			plan := mixed(t)
			plan.Shard, plan.Shards = shard, shards
			for i, a := range slices.Collect(plan.Arrivals()) {
				together[shard+i*shards] = a
				seen++
			}
		}
		if seen != len(whole) || !slices.Equal(together, whole) {
			t.Errorf("%d shards have %d arrivals and are not the whole of %d", shards, seen, len(whole))
		}
	}
}

func TestArrivalsMayBeLeftEarly(t *testing.T) {
	for a := range mixed(t).Arrivals() {
		if a.Index == 3 {
			break
		}
	}
}

func TestScaledHasTheSameShape(t *testing.T) {
	plan := one(t, 100, "burst 10 for 1s", "ramp 10/s to 20/s over 2s", "constant 60/min for 5s", "poisson 0.5/s")
	plan.InFlight = 30
	plan.Fleets[0].Start = time.Second
	scaled := plan.Scaled(2.5)
	var got []string
	for _, s := range scaled.Fleets[0].Arrive {
		got = append(got, s.String())
	}
	want := []string{"burst 25 for 1s", "ramp 25/s to 50/s over 2s", "constant 150/min for 5s", "poisson 1.25/s"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if scaled.Fleets[0].Count != 250 || scaled.InFlight != 75 || scaled.Fleets[0].Start != time.Second {
		t.Errorf("%+v", scaled)
	}
	if plan.Fleets[0].Count != 100 || plan.Fleets[0].Arrive[0].String() != "burst 10 for 1s" {
		t.Error("the plan that was scaled changed")
	}
}

func TestScalingDownLeavesOneOfEach(t *testing.T) {
	plan := mixed(t)
	plan.InFlight = 3
	scaled := plan.Scaled(0.001)
	for i, want := range []int{1, 0, 1, 1} {
		if got := scaled.Fleets[i].Count; got != want {
			t.Errorf("%s: %d, want %d", scaled.Fleets[i].Name, got, want)
		}
	}
	if scaled.InFlight != 1 {
		t.Errorf("in flight %d, want 1; 0 would be no limit", scaled.InFlight)
	}
}

// A thousand devices within a limit of two thousand are three of three, which come in
// the time that all of them took.
func TestScalingDownDropsAndDelaysNobody(t *testing.T) {
	plan := fleet.Plan{InFlight: 2000, Fleets: []fleet.Fleet{
		{Name: "many", Count: 700, Arrive: parse(t, "constant 10/s")},
		{Name: "some", Count: 290, Arrive: parse(t, "poisson 30/s")},
		{Name: "few", Count: 10},
	}}
	scaled := plan.Scaled(0.0001)
	if scaled.InFlight != 6 {
		t.Errorf("in flight %d, want 6", scaled.InFlight)
	}
	for i, want := range []string{"constant 0.014285714285714285/s", "poisson 0.10344827586206896/s"} {
		if got := scaled.Fleets[i].Arrive[0].String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestCheckSaysWhatIsWrong(t *testing.T) {
	bad := fleet.Plan{
		InFlight: -1, Shard: 2, Shards: 2,
		Fleets: []fleet.Fleet{
			{Name: "a", Count: -1},
			{Name: "a", Start: -time.Second},
			{Name: "endless", Count: 5, Arrive: parse(t, "constant 1/s", "burst")},
			{Name: "all", Count: 5, Arrive: parse(t, "burst", "constant 1/s")},
			{Name: "dies", Count: 50, Arrive: parse(t, "ramp 10/s to 0/s over 2s")},
			{Name: "never", Count: 1, Arrive: parse(t, "poisson 0/s")},
		},
	}
	want := strings.TrimSpace(`
the limit of boots in flight is -1; 0 is none
there is no shard 2 of 2; shards count from 0
fleet "a": its count is -1
two fleets are called "a"
fleet "a": its start is -1s, before the run's
fleet "endless": stage 1, "constant 1/s", has no end, so that stage 2 never begins: say how long it lasts, as in "constant 1/s for 30s"
fleet "all": stage 1, "burst", has no end, so that stage 2 never begins: say how many it takes, as in "burst 500"
fleet "dies": 10 of its 50 devices come: its last stage, "ramp 10/s to 0/s over 2s", ends at a rate of 0
fleet "never": 0 of its 1 devices come: its last stage, "poisson 0/s", ends at a rate of 0`)
	if err := bad.Check(); err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}

func TestCheckPassesWhatStartsAll(t *testing.T) {
	for name, plan := range map[string]fleet.Plan{
		"zero":             {},
		"mixed":            mixed(t),
		"fade out":         one(t, 10, "ramp 10/s to 0/s over 2s"),
		"pause, then more": one(t, 10, "burst 5 for 1s", "constant 0/s for 1m", "constant 1/s"),
	} {
		if err := plan.Check(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDescribeFindsTheBusiestSecond(t *testing.T) {
	for _, c := range []struct {
		plan fleet.Plan
		want fleet.Summary
	}{
		{fleet.Plan{}, fleet.Summary{}},
		{one(t, 20000, "burst"), fleet.Summary{Devices: 20000, Peak: 20000}},
		{one(t, 100, "constant 10/s"), fleet.Summary{Devices: 100, Last: 9900 * time.Millisecond, Peak: 10}},
		{one(t, 31, "constant 0/s for 5s", "burst 30 for 1s", "burst"), fleet.Summary{Devices: 31, First: 5 * time.Second, Last: 6 * time.Second, Peak: 30}},
		{one(t, 31, "constant 0/s for 5s", "burst 30 for 999ms", "burst"), fleet.Summary{Devices: 31, First: 5 * time.Second, Last: 5999 * time.Millisecond, Peak: 31}},
	} {
		if got := c.plan.Describe(); got != c.want {
			t.Errorf("%+v, want %+v", got, c.want)
		}
	}
}

// A rate next to nothing makes offsets that no clock can say; they must not wrap
// around into the past.
func TestOffsetsBeyondTheClockStayThere(t *testing.T) {
	plan := one(t, 3, "constant 0.0000000000001/h")
	plan.Fleets[0].Start = time.Hour
	if got, want := offsets(plan), []time.Duration{time.Hour, math.MaxInt64, math.MaxInt64}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

func ExamplePlan_Arrivals() {
	ramp, _ := fleet.ParseShape("ramp 1/s to 3/s over 2s")
	plan := fleet.Plan{Fleets: []fleet.Fleet{
		{Name: "toasters", Count: 3, Arrive: []fleet.Shape{ramp}},
		{Name: "heatpumps", Count: 2, Start: time.Second},
	}}
	for a := range plan.Arrivals() {
		fmt.Println(plan.Fleets[a.Fleet].Name, a.Index, a.Offset.Round(time.Millisecond))
	}
	// Output:
	// toasters 0 0s
	// toasters 1 732ms
	// heatpumps 0 1s
	// heatpumps 1 1s
	// toasters 2 1.236s
}

// What happened once comes again when it came.
func TestFleetWithTimesOfItsOwn(t *testing.T) {
	at := []time.Duration{0, time.Second, time.Second, time.Minute}
	plan := fleet.Plan{Fleets: []fleet.Fleet{{Name: "again", Count: 4, Start: time.Hour, At: at}}}
	var got []time.Duration
	for a := range plan.Arrivals() {
		got = append(got, a.Offset-time.Hour)
	}
	if err := plan.Check(); err != nil || !slices.Equal(got, at) {
		t.Errorf("%v, arrivals %v", err, got)
	}
	plan.Fleets[0].Count = 5
	if err := plan.Check(); err == nil || !strings.Contains(err.Error(), "4 of its 5 devices have a time") {
		t.Errorf("got %v", err)
	}
}
