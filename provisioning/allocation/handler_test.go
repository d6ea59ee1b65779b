package allocation_test

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

// clock gives these seconds of the tutorial's minute in turn, the last for ever.
func clock(seconds ...float64) func() time.Time {
	next := 0
	return func() time.Time {
		at := seconds[min(next, len(seconds)-1)]
		next++
		return time.Date(2022, 8, 3, 20, 34, 0, 0, time.UTC).Add(time.Duration(at*1000+0.5) * time.Millisecond)
	}
}

// tutorialOptions give the tutorial's id, and its times: those of its log's
// lines, after one that makes its duration 227 ms.
func tutorialOptions(log io.Writer) allocation.HandlerOptions {
	return allocation.HandlerOptions{
		Policy: allocation.Contoso(),
		Log:    log,
		Now:    clock(41.172, 41.178, 41.340, 41.341, 41.341, 41.382, 41.398, 41.399),
		NewID:  func() string { return "12950752-6d75-4f41-844b-c253a6653d4f" },
	}
}

func post(h http.Handler, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, target, strings.NewReader(body)))
	return w
}

func TestHandlerLogsAsTheTutorialShows(t *testing.T) {
	for _, device := range []string{"toaster", "heatpump"} {
		t.Run(device, func(t *testing.T) {
			var log bytes.Buffer
			w := post(allocation.NewHandler(tutorialOptions(&log)), allocation.Path, string(read(t, device+".request.json")))
			golden(t, device+".log", log.Bytes())
			golden(t, device+".response.json", w.Body.Bytes())
			if got := w.Header().Get("Content-Type"); w.Code != 200 || got != "application/json; charset=utf-8" {
				t.Errorf("%d, %s", w.Code, got)
			}
		})
	}
}

func TestHandlerLogsWhatItFound(t *testing.T) {
	for name, body := range map[string]string{
		"no-id":    `{"linkedHubs":[]}`,
		"no-hubs":  ask(`"d1"`, "null"),
		"no-hub":   ask(`"`+toasterID+`"`, "[]"),
		"stranger": ask(`"d1"`, bothHubs),
		"not-json": "{\x1b[2J",
		"broken":   ask(`"d1"`, `"x"`),
		"hostile":  "{\"a\u007f\u009b\u202e\u2028\":\"ü\xff\",\r\n\"deviceRuntimeContext\":{}}",
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			w := post(allocation.NewHandler(tutorialOptions(&log)), allocation.Path, body)
			golden(t, name+".log", log.Bytes())
			if w.Code == http.StatusBadRequest && w.Header().Get("Content-Type") != "text/plain; charset=utf-8" {
				t.Errorf("a refusal is %s", w.Header().Get("Content-Type"))
			}
		})
	}
}

func TestHandlerAnswersElsewhereAsTheFunctionsHost(t *testing.T) {
	for name, c := range map[string]struct {
		method, path string
		status       int
	}{
		"the path":              {"POST", "/api/HttpTrigger1", 400},
		"its case":              {"POST", "/API/httptrigger1", 400},
		"another path":          {"POST", "/api/HttpTrigger2", 404},
		"below it":              {"POST", "/api/HttpTrigger1/", 404},
		"the root":              {"GET", "/", 404},
		"a GET":                 {"GET", "/api/HttpTrigger1", 405},
		"a PUT":                 {"PUT", "/api/HttpTrigger1", 405},
		"a GET of another path": {"GET", "/api/x", 404},
	} {
		t.Run(name, func(t *testing.T) {
			served := 0
			h := allocation.NewHandler(allocation.HandlerOptions{Policy: allocation.Contoso(), Record: func(provisioning.Exchange) { served++ }})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
			if w.Code != c.status || (served == 1) != (c.status == 400) {
				t.Errorf("got %d and %d exchanges, want %d", w.Code, served, c.status)
			}
			if w.Code == 405 && w.Header().Get("Allow") != "POST" {
				t.Errorf("405 allows %q", w.Header().Get("Allow"))
			}
		})
	}
}

func TestHandlerWantsItsFunctionKey(t *testing.T) {
	for name, c := range map[string]struct {
		query, header string
		status        int
	}{
		"none":                  {"", "", 401},
		"wrong":                 {"?code=wrong", "", 401},
		"shorter":               {"?code=functionsecre", "", 401},
		"in another case":       {"?code=FunctionSecret", "", 401},
		"empty":                 {"?code=", "", 401},
		"under another name":    {"?key=functionsecret", "", 401},
		"right":                 {"?code=functionsecret", "", 200},
		"right in the header":   {"", "functionsecret", 200},
		"wrong in the header":   {"", "wrong", 401},
		"right beside a wrong":  {"?code=functionsecret", "wrong", 200},
		"right among the query": {"?a=b&code=functionsecret&c=d", "", 200},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			var x provisioning.Exchange
			opts := tutorialOptions(&log)
			opts.FunctionKey = "functionsecret"
			opts.Record = func(got provisioning.Exchange) { x = got }
			r := httptest.NewRequest(http.MethodPost, allocation.Path+c.query, bytes.NewReader(read(t, "toaster.request.json")))
			if c.header != "" {
				r.Header.Set("x-functions-key", c.header)
			}
			w := httptest.NewRecorder()
			allocation.NewHandler(opts).ServeHTTP(w, r)
			if w.Code != c.status || x.Status != c.status {
				t.Errorf("got %d, recorded %d, want %d", w.Code, x.Status, c.status)
			}
			if w.Code == 401 && (log.Len() > 0 || w.Body.Len() > 0 || x.Asked != nil) {
				t.Errorf("a refused caller reached the function: log %q, body %q", &log, w.Body)
			}
			if strings.Contains(log.String()+x.Err, "functionsecret") {
				t.Errorf("the key is shown: %s %s", &log, x.Err)
			}
		})
	}
}

func TestFunctionKeyPrintsMasked(t *testing.T) {
	key := allocation.FunctionKey("functionsecret")
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "key", key)
	printed := fmt.Sprintf("%s %v %q %x %d %#v %+v", key, key, key, key, key, key, allocation.HandlerOptions{FunctionKey: key}) + log.String()
	if strings.Contains(printed, "secret") || strings.Contains(printed, "66756e") {
		t.Error(printed)
	}
	if !strings.Contains(printed, "****") {
		t.Error("no mask in " + printed)
	}
}

func TestHandlerRecordsBeforeItAnswers(t *testing.T) {
	w := httptest.NewRecorder()
	var x provisioning.Exchange
	opts := tutorialOptions(nil)
	opts.Record = func(got provisioning.Exchange) {
		if x = got; w.Body.Len() > 0 {
			t.Error("the answer has left")
		}
	}
	body := read(t, "toaster.request.json")
	allocation.NewHandler(opts).ServeHTTP(w, httptest.NewRequest(http.MethodPost, allocation.Path, bytes.NewReader(body)))
	if x.Kind != provisioning.ExchangeAllocate || x.RegistrationID != toasterID || x.Hub != toasters || x.Status != 200 || x.Attempt != 0 {
		t.Errorf("got %+v", x)
	}
	if !bytes.Equal(x.Asked, body) || !bytes.Equal(x.Answered, w.Body.Bytes()) || x.Took <= 0 {
		t.Errorf("got %+v", x)
	}
}

func TestHandlerReadsToItsBound(t *testing.T) {
	for limit, want := range map[int64]int{2: 400, 1: 413} {
		var x provisioning.Exchange
		h := allocation.NewHandler(allocation.HandlerOptions{MaxBody: limit, Record: func(got provisioning.Exchange) { x = got }})
		if w := post(h, allocation.Path, "{}"); w.Code != want || (x.Err == "") != (want == 400) {
			t.Errorf("bound %d: %d, %+v", limit, w.Code, x)
		}
	}
}

// overlapping fails the test when two Writes overlap.
type overlapping struct {
	t    *testing.T
	busy sync.Mutex
	text strings.Builder
}

func (o *overlapping) Write(text []byte) (int, error) {
	if !o.busy.TryLock() {
		o.t.Error("two calls write at once")
		return 0, nil
	}
	defer o.busy.Unlock()
	time.Sleep(time.Millisecond)
	return o.text.Write(text)
}

func TestLinesOfOneCallStayTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &overlapping{t: t}
		h := allocation.NewHandler(allocation.HandlerOptions{Policy: allocation.Contoso(), Log: log})
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() { post(h, allocation.Path, ask(`"`+toasterID+`"`, bothHubs)) })
		}
		calls.Wait()
		ids := regexp.MustCompile(`Id=([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})`).FindAllStringSubmatch(log.text.String(), -1)
		if len(ids) != 40 {
			t.Fatalf("%d ids in the log of 20 calls:\n%s", len(ids), &log.text)
		}
		for i := 0; i < len(ids); i += 2 {
			if ids[i][1] != ids[i+1][1] {
				t.Errorf("between %s and its end stands %s", ids[i][1], ids[i+1][1])
			}
		}
	})
}

func TestClientAndHandlerUnderstandEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := allocation.NewHandler(allocation.HandlerOptions{Policy: allocation.Contoso(), FunctionKey: "functionsecret"})
		url, transport := serve(t, h.ServeHTTP)
		client := allocation.Client{Transport: transport}
		v := client.Allocate(t.Context(), url, tutorialRequest(t))
		if v.Hub != toasters || string(v.InitialTwin.Tags) != `{"deviceType":"toaster"}` {
			t.Errorf("got %+v", v)
		}
		stripped, _, _ := strings.Cut(url, "?")
		if v := client.Allocate(t.Context(), stripped, tutorialRequest(t)); v.Code != provisioning.CustomAllocationUnauthorizedAccess {
			t.Errorf("without the key: %+v", v)
		}
	})
}
