package main

import (
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// post STATUS URL BODY: an HTTP POST that is answered so; the answer is in the
// file answer. It waits for a server that is about to come.
func post(ts *testscript.TestScript, _ bool, args []string) {
	var response *http.Response
	var err error
	for range 100 {
		response, err = http.Post(args[1], "application/json", strings.NewReader(ts.ReadFile(args[2])))
		if err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond) // another process's work
	}
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("answer"), body, 0o600))
	if strconv.Itoa(response.StatusCode) != args[0] {
		ts.Fatalf("answered %d, want %s: %s", response.StatusCode, args[0], body)
	}
}
