package scenarios_test

import (
	"io"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/metrics"
	"dpsfleet/scenarios"
)

func TestLimitOfAWebhookIsFound(t *testing.T) {
	const most = 24 // a second; one more is refused
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		served := make(map[time.Time]int)
		var rates []float64
		s := oneCall(metrics.Expectation{})
		webhook := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			mu.Lock()
			defer mu.Unlock()
			second := time.Now().Truncate(time.Second)
			if served[second]++; served[second] > most {
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			io.WriteString(w, toasterAnswer)
		})
		network := serving(t, webhook)
		env := scenarios.Env{Dial: network.Dial, TargetIsMine: "webhook.contoso.test", AboveQuota: true}
		found, err := scenarios.FindLimit(t.Context(), s, env, scenarios.Search{
			First: 5, Most: 1000, For: time.Second, Round: func(r scenarios.Round) {
				rates = append(rates, r.Rate)
				time.Sleep(2*time.Second - time.Duration(time.Now().Nanosecond()))
			},
		})
		if err != nil || found.Highest < 22 || found.Highest > most || found.Failed == nil || len(found.Failed.GaveWay) == 0 {
			t.Errorf("%+v after %v, %v", found, rates, err)
		}
	})
}

func TestHighestRateThatIsTriedIsTried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		network := serving(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, toasterAnswer) }))
		env := scenarios.Env{Dial: network.Dial, TargetIsMine: "webhook.contoso.test", AboveQuota: true}
		found, err := scenarios.FindLimit(t.Context(), oneCall(metrics.Expectation{}), env, scenarios.Search{
			First: 600_000, Most: 1e6, For: 10 * time.Microsecond,
		})
		if err != nil || found.Highest != 1e6 {
			t.Errorf("%+v, %v", found, err)
		}
	})
}
