package main

import (
	"io"
	"net/http"
	"os"
	"regexp"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// scrape URL PATTERN...: until what is to be had there matches all of the patterns;
// it is in the file answer.
func scrape(ts *testscript.TestScript, _ bool, args []string) {
	deadline := time.Now().Add(30 * time.Second)
	for {
		body, err := fetch(args[0])
		missing := ""
		for _, pattern := range args[1:] {
			if !regexp.MustCompile(`(?m)` + pattern).Match(body) {
				missing = pattern
			}
		}
		ts.Check(os.WriteFile(ts.MkAbs("answer"), body, 0o600))
		if err == nil && missing == "" {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%v; no %s in\n%s", err, missing, body)
		}
		time.Sleep(50 * time.Millisecond) // another process's work
	}
}

func fetch(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}
