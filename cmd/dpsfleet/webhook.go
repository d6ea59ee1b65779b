package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning/allocation"
	"dpsfleet/scenarios"
)

type webhookFlags struct {
	listen, policy, functionKeyFile, azureOut string
	metrics                                   metricsFlags
}

func (p *program) webhookCommand() *cobra.Command {
	var flags webhookFlags
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Serve an allocation policy over HTTP, as an Azure function does",
		Long: `Webhook serves an allocation policy, the tutorial's if none is named, on the
tutorial's path, with /metrics for Prometheus and /healthz beside it, and prints
each call as the function's log. A policy is one that dpsfleet ships
(` + strings.Join(allocation.ShippedNames(), ", ") + `) or a file in YAML or JSON;
` + "`dpsfleet scenarios show --policy contoso`" + ` prints one to start from,
` + "`dpsfleet scenarios schema --policy`" + ` what may stand in it.

--azure-out writes an Azure function app that serves the policy with this program
as its custom handler: where FUNCTIONS_CUSTOMHANDLER_PORT is set, webhook listens
on that port, and the Functions host is who asks for the function's key.`,
		Example: `  dpsfleet webhook
  dpsfleet webhook --policy ./mine.yaml --listen 127.0.0.1:7072 --function-key-file key
  dpsfleet webhook --policy ./mine.yaml --azure-out functionapp
  dpsfleet run contoso-mixed --webhook http://127.0.0.1:7071/api/HttpTrigger1`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.webhook(cmd, &flags)
		},
	}
	cmd.Flags().StringVar(&flags.listen, "listen", "127.0.0.1:7071", "`ADDR` to listen on; port 0 picks a free one")
	cmd.Flags().StringVar(&flags.policy, "policy", "contoso", "the `NAME|FILE` of a policy")
	cmd.Flags().StringVar(&flags.functionKeyFile, "function-key-file", "", "`FILE` with the key that a caller's code must be (- is standard input)")
	cmd.Flags().StringVar(&flags.azureOut, "azure-out", "", "write an Azure function app that serves the policy into `DIR`, and say how it is deployed")
	flags.metrics.add(cmd)
	return cmd
}

func (p *program) webhook(cmd *cobra.Command, flags *webhookFlags) error {
	policy, err := readPolicy(cmd, flags.policy)
	if err != nil {
		return err
	}
	if flags.azureOut != "" {
		return p.writeFunctionApp(flags.azureOut, flags.policy)
	}
	options := allocation.HandlerOptions{Policy: policy, Log: p.stdout}
	if flags.functionKeyFile != "" {
		key, err := p.secret(cmd.Context(), "--function-key-file", flags.functionKeyFile)
		if err != nil {
			return err
		}
		if key == "" {
			return fmt.Errorf("--function-key-file %s is empty", flags.functionKeyFile)
		}
		options.FunctionKey = allocation.FunctionKey(key)
	}
	shown, err := flags.metrics.show(cmd)
	if err != nil {
		return err
	}
	defer shown.close()
	address, hosted, err := p.webhookAddress(cmd, flags.listen)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return listenError("--listen", err)
	}
	mux := webhookMux(shown.beside(allocation.NewHandler(options)))
	if hosted {
		mux.HandleFunc(unforwardedPath, p.refuseUnforwarded)
	}
	fmt.Fprintf(p.stdout, "policy %s at http://%s%s (Ctrl-C ends it)\n", flags.policy, listener.Addr(), allocation.Path)
	return serve(cmd.Context(), listener, mux)
}

// webhookMux adds to the function what a supervisor asks.
func webhookMux(function http.Handler) *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok\n") })
	mux.Handle("/", function)
	return mux
}

func readPolicy(cmd *cobra.Command, name string) (allocation.Policy, error) {
	if !strings.ContainsAny(name, `./\`) {
		policy, err := allocation.Shipped(name)
		if err != nil {
			return policy, usage(cmd, "--policy: %w", err)
		}
		return policy, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return allocation.Policy{}, fmt.Errorf("--policy: %w", err)
	}
	return scenarios.ReadPolicy(name, data)
}

// serve serves until ctx ends, and lets calls that are under way end.
func serve(ctx context.Context, listener net.Listener, handler http.Handler) error {
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second, Protocols: new(http.Protocols)}
	server.Protocols.SetHTTP1(true)
	server.Protocols.SetUnencryptedHTTP2(true) // for stress --http2: the listener has no TLS
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	leave, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(leave); err != nil {
		server.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
