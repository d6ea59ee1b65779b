package metrics_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"dpsfleet/device"
	"dpsfleet/metrics"
)

// BenchmarkCollector is what recording costs an event of a boot that lands,
// without and with a log.
func BenchmarkCollector(b *testing.B) {
	for _, name := range []string{"", "run.ndjson", "run.ndjson.zst"} {
		b.Run("log="+name, func(b *testing.B) {
			info := contoso(b)
			var log *metrics.Log
			if name != "" {
				var err error
				if log, err = metrics.CreateLog(filepath.Join(b.TempDir(), name), info); err != nil {
					b.Fatal(err)
				}
			}
			c, err := metrics.NewCollector(info, log)
			if err != nil {
				b.Fatal(err)
			}
			events := born("toasters", "", start).online(toastersHub, `{"state":"ready","darknessSetting":"medium","$version":1}`).events
			boots := 0
			b.ReportAllocs()
			for b.Loop() {
				id := fmt.Sprint("toaster", boots) // a tenth of the cost
				boots++
				for _, e := range events {
					e.Device = id
					c.Event(e)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(boots*len(events)), "ns/event")
		})
	}
}

// BenchmarkReportLog reports a log again; a million boots must take less than
// 20 s, which is 20 µs a boot.
func BenchmarkReportLog(b *testing.B) {
	const boots = 20000
	path := filepath.Join(b.TempDir(), "run.ndjson.zst")
	runLogged(b, path, boots*2/3)
	b.ReportAllocs()
	for b.Loop() {
		r, err := metrics.ReportLog(path)
		if err != nil || r.Fleets[0].Outcomes[device.OutcomeAssigned] == 0 {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*boots), "µs/boot")
}
