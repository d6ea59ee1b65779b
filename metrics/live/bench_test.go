package live_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"dpsfleet/device"
	"dpsfleet/metrics"
	"dpsfleet/metrics/live"
	"dpsfleet/provisioning"
)

// BenchmarkPage is what the page takes of the recorder for 100,000 devices: of each
// boot, and of each second, in which there is a snapshot while somebody looks.
func BenchmarkPage(b *testing.B) {
	for _, with := range []string{"nothing", "page"} {
		b.Run("boot/with="+with, func(b *testing.B) {
			var folds []metrics.Fold
			if with == "page" {
				folds = append(folds, live.New(live.Options{}).Fold())
			}
			c := collector(b, folds...)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				boot(c, i)
			}
		})
	}
	b.Run("second", func(b *testing.B) {
		page := live.New(live.Options{})
		watched(b, page)
		c := collector(b, page.Fold())
		for i := range 100_000 {
			boot(c, i)
		}
		b.ReportAllocs()
		now, spent := time.Now(), time.Duration(0)
		for i := 0; b.Loop(); i++ {
			b.StopTimer()
			time.Sleep(1100 * time.Millisecond) // until the page wants another
			b.StartTimer()
			start := time.Now()
			c.Progress(now.Add(time.Duration(i) * time.Second))
			spent += time.Since(start)
		}
		b.ReportMetric(100*spent.Seconds()/float64(b.N), "%core")
	})
}

func collector(b *testing.B, folds ...metrics.Fold) *metrics.Collector {
	b.Helper()
	info := metrics.RunInfo{Started: time.Now(), Hubs: []string{"a.azure-devices.net", "b.azure-devices.net"}}
	for i := range 3 {
		info.Fleets = append(info.Fleets, metrics.Fleet{Name: fmt.Sprint("fleet", i), Count: 33_334})
	}
	for _, text := range []string{"time_to_assigned p(95) < 8s", "unexpected count == 0", "lateness p(99) < 250ms"} {
		t, err := metrics.ParseThreshold(text)
		if err != nil {
			b.Fatal(err)
		}
		info.Thresholds = append(info.Thresholds, t)
	}
	c, err := metrics.NewCollector(info, nil, folds...)
	if err != nil {
		b.Fatal(err)
	}
	return c
}

// boot is one of a thousand a second that goes through all stages.
func boot(c *metrics.Collector, i int) {
	e := device.Event{Device: fmt.Sprint("device", i), Fleet: fmt.Sprint("fleet", i%3), Model: "toaster", Boot: 1}
	e.At = time.Now().Add(time.Duration(i) * time.Millisecond)
	for to := device.Dialing; to <= device.Online; to++ {
		e.To, e.In = to, time.Duration(i%100)*time.Millisecond
		e.Assignment = nil
		if e.From == device.Assigning {
			e.Assignment = &device.Assignment{Status: provisioning.Assigned, Hub: "a.azure-devices.net", DeviceID: e.Device}
		}
		e.At = e.At.Add(e.In)
		c.Event(e)
		e.From = to
	}
}

// watched has a browser look at the page.
func watched(b *testing.B, page *live.Page) {
	b.Helper()
	response, err := http.Get(serve(b, page) + "/events")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { response.Body.Close() })
	go io.Copy(io.Discard, response.Body)
}
