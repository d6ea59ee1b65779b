package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// functionapp DIR STATUS BODY: the function app in the folder is started as the
// Functions host starts it, and forwards one call, which is answered so; the
// answer is in the file answer.
func functionapp(ts *testscript.TestScript, _ bool, args []string) {
	dir, port := ts.MkAbs(args[0]), ts.Getenv("PORT")
	var host hostJSON
	readJSON(ts, filepath.Join(dir, "host.json"), &host)
	if !host.CustomHandler.EnableForwardingHTTPRequest || host.Version != "2.0" {
		ts.Fatalf("host.json: %+v", host)
	}
	program, err := lookPath(ts, host.CustomHandler.Description.DefaultExecutablePath)
	ts.Check(err)
	cmd := exec.Command(program, host.CustomHandler.Description.Arguments...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), handlerPort+"="+port)
	ts.Check(cmd.Start())
	defer cmd.Wait()
	defer cmd.Process.Kill()
	post(ts, false, []string{args[1], "http://127.0.0.1:" + port + "/api/" + triggered(ts, dir), args[2]})

	response, err := http.Post("http://127.0.0.1:"+port+"/"+triggered(ts, dir), "application/json", strings.NewReader(`{"Data":{},"Metadata":{}}`))
	ts.Check(err)
	response.Body.Close()
	if response.StatusCode != http.StatusInternalServerError {
		ts.Fatalf("the host's own payload is answered %s", response.Status)
	}
}

// triggered is the name of the app's function that is called by POST and asks
// for its key.
func triggered(ts *testscript.TestScript, dir string) string {
	files, err := filepath.Glob(filepath.Join(dir, "*", "function.json"))
	if err != nil || len(files) != 1 {
		ts.Fatalf("function.json: %v, %v", files, err)
	}
	var function functionJSON
	readJSON(ts, files[0], &function)
	ok := slices.ContainsFunc(function.Bindings, func(b binding) bool {
		return b.Type == "httpTrigger" && b.Direction == "in" && b.AuthLevel == "function" && slices.Equal(b.Methods, []string{"post"})
	})
	if !ok || !slices.ContainsFunc(function.Bindings, func(b binding) bool { return b.Type == "http" && b.Direction == "out" }) {
		ts.Fatalf("function.json: %+v", function)
	}
	return filepath.Base(filepath.Dir(files[0]))
}

func readJSON(ts *testscript.TestScript, file string, v any) {
	data, err := os.ReadFile(file)
	ts.Check(err)
	ts.Check(json.Unmarshal(data, v))
}
