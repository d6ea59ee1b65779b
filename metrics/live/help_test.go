package live_test

import (
	"context"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"dpsfleet/metrics/live"
	"dpsfleet/scenarios"
)

func shipped(t testing.TB, name string, scale float64) scenarios.Scenario {
	t.Helper()
	s, err := scenarios.ReadShipped(name)
	if err != nil {
		t.Fatal(err)
	}
	return s.Scaled(scale)
}

// serve shows the page on a port of its own.
func serve(t testing.TB, p *live.Page) (address string) {
	t.Helper()
	server := httptest.NewServer(p.Handler())
	t.Cleanup(server.Close)
	t.Cleanup(p.Close)
	return server.URL
}

// browser is a real one, and what it said and asked for meanwhile.
type browser struct {
	ctx     context.Context
	address string

	mu       sync.Mutex
	problems []string
	requests []string
}

// open opens a page in Debian's chromium. A test that lacks it says so, and fails in
// CI.
func open(t *testing.T, address string) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("chromium is not installed (`make clients`)")
	}
	if err != nil {
		t.Skip("NOT TESTED IN A REAL BROWSER: chromium is not installed (`make clients`)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	for _, flag := range []string{"disable-gpu", "disable-quic", "disable-component-update"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	b := &browser{ctx: ctx, address: address}
	b.must(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		for _, enable := range []func() error{
			func() error { _, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{}); return err },
			func() error { _, err := cdp.Call(ctx, target, runtime.Enable, cdp.Empty{}); return err },
			func() error { _, err := cdp.Call(ctx, target, log.Enable, cdp.Empty{}); return err },
		} {
			if err := enable(); err != nil {
				return err
			}
		}
		return nil
	}))
	if err := chromedp.Listen(ctx, b.hear); err != nil {
		t.Fatal(err)
	}
	b.must(t, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(address))
	return b
}

func (b *browser) hear(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		b.requests = append(b.requests, e.Request.URL)
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		b.problems = append(b.problems, "console: "+string(e.Type))
	case *log.EventEntryAdded:
		b.problems = append(b.problems, e.Entry.Text)
	}
}

// clean requires that no script complained and that nothing was asked of anybody
// else.
func (b *browser) clean(t *testing.T) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		t.Errorf("the browser says: %s", problem)
	}
	for _, request := range b.requests {
		if !strings.HasPrefix(request, b.address+"/") {
			t.Errorf("the page asked for %s", request)
		}
	}
	if len(b.requests) == 0 {
		t.Error("the page asked for nothing")
	}
}

func (b *browser) must(t *testing.T, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition in the page.
func (b *browser) until(t *testing.T, condition string) {
	t.Helper()
	_, err := chromedp.Run(b.ctx, chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingInterval(50*time.Millisecond), chromedp.WithPollingTimeout(60*time.Second)))
	if err != nil {
		t.Fatalf("%s: %v\n%s", condition, err, b.text(t))
	}
}

func viewport(width int) chromedp.Action[chromedp.Void] {
	return chromedp.EmulateViewport(int64(width), 900)
}

func (b *browser) text(t *testing.T) string { return eval[string](t, b, "document.body.innerText") }

func eval[T any](t *testing.T, b *browser, expression string) T {
	t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	return value
}

// look keeps pictures for who wants to see them: LIVE_PICTURES names a folder.
func (b *browser) look(t *testing.T, name string) {
	t.Helper()
	dir := os.Getenv("LIVE_PICTURES")
	if dir == "" {
		return
	}
	for _, picture := range []struct {
		name   string
		width  int64
		scheme string
	}{{"light", 1280, "light"}, {"dark", 1280, "dark"}, {"phone", 390, "light"}} {
		b.scheme(t, picture.scheme)
		b.must(t, chromedp.EmulateViewport(picture.width, 900))
		time.Sleep(1200 * time.Millisecond) // for transitions; this is for people's eyes alone
		png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+"-"+picture.name+".png"), png, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	b.must(t, chromedp.EmulateViewport(1280, 900))
}

func (b *browser) scheme(t *testing.T, scheme string) {
	t.Helper()
	b.must(t, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	}))
}
