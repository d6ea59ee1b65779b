package report_test

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"dpsfleet/metrics"
	"dpsfleet/metrics/report"
)

// writeLog makes the log of a run of so many boots, some late, some refused, each
// with a call of the webhook.
func writeLog(t testing.TB, path string, boots int, slower time.Duration) {
	t.Helper()
	info := metrics.RunInfo{
		Scenario: "many", Seed: 7, Started: start,
		Fleets: []metrics.Fleet{{Name: "toasters", Count: boots, Expect: metrics.Expectations{
			{Hub: "*-toasters-*", Share: ">= 95%"}, {Code: 400207},
		}}},
	}
	log, err := metrics.CreateLog(path, info)
	if err != nil {
		t.Fatal(err)
	}
	c, err := metrics.NewCollector(info, log)
	if err != nil {
		t.Fatal(err)
	}
	for i := range boots {
		hub := toastersHub
		if i%100 == 99 {
			hub = ""
		}
		b := boot("toasters", fmt.Sprintf("breakroom%d-contoso-tstrsd-007", i), hub)
		b.Due = start.Add(time.Duration(i) * time.Millisecond)
		b.Stages[0].Took = ms(int64(i % 7))
		b.Stages[4].Took += metrics.Millis(slower) + ms(int64(i*7919%1999))
		b.Allocations = []metrics.Allocation{{Attempt: 1, At: ms(70), Took: ms(20), Status: 200, Hub: hub}}
		b.Payload = json.RawMessage(`{"MyDeviceFirmwareVersion":"12.0.2.5","MyDeviceProvisioningVersion":"1.0.0.0"}`)
		sendSame(c, b)
	}
	r := c.Report(start.Add(time.Duration(boots)*time.Millisecond+10*time.Second), metrics.End{Due: boots})
	if err := log.Close(r); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkReportAll reports a log again in every form at once. A million boots
// must take less than 20 s, which is 20 µs a boot; BOOTS=1000000 has that many.
func BenchmarkReportAll(b *testing.B) {
	boots := 20000
	if n, err := strconv.Atoi(os.Getenv("BOOTS")); err == nil {
		boots = n
	}
	path := filepath.Join(b.TempDir(), "run.ndjson")
	writeLog(b, path, boots, 0)
	for b.Loop() {
		csv := report.NewCSV(io.Discard)
		r, err := metrics.ReportLog(path, metrics.Fold{Boot: csv.Boot})
		if err != nil {
			b.Fatal(err)
		}
		for _, write := range []func(io.Writer, metrics.Report) error{report.HTML, report.JUnit, report.JSON} {
			if err := write(io.Discard, r); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*boots), "µs/boot")
}
