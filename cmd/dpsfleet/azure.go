package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning/allocation"
)

// The rules of custom handlers are in "Azure Functions custom handlers"
// (learn.microsoft.com/azure/azure-functions/functions-custom-handlers).

// handlerPort is where the Functions host says which port it will call.
const handlerPort = "FUNCTIONS_CUSTOMHANDLER_PORT"

// functionName is the folder of function.json, and so the function's name.
var functionName = path.Base(allocation.Path)

// unforwardedPath is what the host calls, with a payload of its own, where
// host.json does not tell it to forward the request as it came.
var unforwardedPath = "/" + functionName

// webhookAddress is where to listen: where --listen says, or on the port of the
// Functions host that started this program.
func (p *program) webhookAddress(cmd *cobra.Command, listen string) (address string, hosted bool, err error) {
	port := p.getenv(handlerPort)
	if port == "" || cmd.Flags().Changed("listen") {
		_, err := hostOf(cmd, "listen", listen, "127.0.0.1:7071")
		return listen, false, err
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", false, fmt.Errorf("%s: %.20q is no port", handlerPort, port)
	}
	return net.JoinHostPort("127.0.0.1", port), true, nil
}

// refuseUnforwarded says what is wrong with the function app. Its payload holds
// the body as a text that has been read and written again, and no document says
// how a status is answered, so it is not taken.
func (p *program) refuseUnforwarded(w http.ResponseWriter, _ *http.Request) {
	const text = `host.json must have "enableForwardingHttpRequest": true under customHandler`
	fmt.Fprintln(p.stderr, "dpsfleet:", text)
	http.Error(w, text, http.StatusInternalServerError)
}

// hostJSON is the function app's host.json.
type hostJSON struct {
	Version       string        `json:"version"`
	CustomHandler customHandler `json:"customHandler"`
}

type customHandler struct {
	Description struct {
		DefaultExecutablePath string   `json:"defaultExecutablePath"`
		Arguments             []string `json:"arguments"`
	} `json:"description"`
	EnableForwardingHTTPRequest bool `json:"enableForwardingHttpRequest"`
}

// functionJSON is the function's own file.
type functionJSON struct {
	Bindings []binding `json:"bindings"`
}

type binding struct {
	Type      string   `json:"type"`
	Direction string   `json:"direction"`
	Name      string   `json:"name"`
	AuthLevel string   `json:"authLevel,omitempty"`
	Methods   []string `json:"methods,omitempty"`
}

// executable is the program's name in the function app, which runs on Linux.
const executable = "dpsfleet"

// writeFunctionApp writes a function app that serves the policy, all but the
// program itself. Files that are there already are left alone.
func (p *program) writeFunctionApp(dir, policy string) error {
	policyFile, policyText, err := policyToDeploy(policy)
	if err != nil {
		return err
	}
	host := hostJSON{Version: "2.0"}
	host.CustomHandler.Description.DefaultExecutablePath = executable
	host.CustomHandler.Description.Arguments = []string{"webhook", "--policy", policyFile}
	host.CustomHandler.EnableForwardingHTTPRequest = true
	function := functionJSON{[]binding{
		{Type: "httpTrigger", Direction: "in", Name: "req", AuthLevel: "function", Methods: []string{"post"}},
		{Type: "http", Direction: "out", Name: "res"},
	}}
	settings := map[string]any{"IsEncrypted": false, "Values": map[string]string{"FUNCTIONS_WORKER_RUNTIME": "Custom"}}
	if err := os.MkdirAll(filepath.Join(dir, functionName), 0o755); err != nil {
		return fmt.Errorf("--azure-out: %w", err)
	}
	for _, file := range []struct {
		name string
		text []byte
	}{
		{"host.json", indented(host)},
		{filepath.Join(functionName, "function.json"), indented(function)},
		{"local.settings.json", indented(settings)},
		{policyFile, policyText},
	} {
		if err := writeNew(filepath.Join(dir, file.name), file.text, 0o644); err != nil {
			return fmt.Errorf("--azure-out: %w", err)
		}
	}
	fmt.Fprintf(p.stdout, `CGO_ENABLED=0 GOOS=linux GOARCH=amd64 go build -o %s ./cmd/dpsfleet    # in dpsfleet's clone
(cd %s && func azure functionapp publish NAME)
# then https://NAME.azurewebsites.net%s?code=KEY is the enrollment's webhook, with the function's key
`, filepath.Join(dir, executable), dir, allocation.Path)
	return nil
}

// policyToDeploy is the policy's file: as it is, or one for a shipped policy.
func policyToDeploy(name string) (file string, text []byte, err error) {
	if text, err = allocation.ShippedText(name); err == nil {
		return "policy.json", text, nil
	}
	if text, err = os.ReadFile(name); err != nil {
		return "", nil, fmt.Errorf("--policy: %w", err)
	}
	return "policy.yaml", text, nil // JSON is YAML too
}

// indented is for values of this file, which JSON can say.
func indented(v any) []byte {
	text, _ := json.MarshalIndent(v, "", "  ")
	return append(text, '\n')
}
