package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"dpsfleet/provisioning/allocation"
	"dpsfleet/scenarios"
)

func (p *program) webhookCommand() *cobra.Command {
	var listen, policy, keyFile string
	cmd := &cobra.Command{
		Use:   "webhook",
		Short: "Serve an allocation policy over HTTP, as an Azure function does",
		Long: `Webhook serves an allocation policy, the tutorial's if none is named, on the
tutorial's path and prints each call as the function's log. A policy is one that
dpsfleet ships (` + strings.Join(allocation.ShippedNames(), ", ") + `) or a file in YAML or JSON.`,
		Example: `  dpsfleet webhook
  dpsfleet webhook --policy ./mine.yaml --listen 127.0.0.1:7072 --function-key-file key
  dpsfleet run contoso-mixed --webhook http://127.0.0.1:7071/api/HttpTrigger1`,
		Args: wants(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return p.webhook(cmd, listen, policy, keyFile)
		},
	}
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:7071", "`ADDR` to listen on; port 0 picks a free one")
	cmd.Flags().StringVar(&policy, "policy", "contoso", "the `NAME|FILE` of a policy")
	cmd.Flags().StringVar(&keyFile, "function-key-file", "", "`FILE` with the key that a caller's code must be (- is standard input)")
	return cmd
}

func (p *program) webhook(cmd *cobra.Command, listen, name, keyFile string) error {
	policy, err := readPolicy(cmd, name)
	if err != nil {
		return err
	}
	options := allocation.HandlerOptions{Policy: policy, Log: p.stdout}
	if keyFile != "" {
		key, err := p.secret("--function-key-file", keyFile)
		if err != nil {
			return err
		}
		if key == "" {
			return fmt.Errorf("--function-key-file %s is empty", keyFile)
		}
		options.FunctionKey = allocation.FunctionKey(key)
	}
	listener, err := net.Listen("tcp", listen)
	if err != nil {
		return listenError("--listen", err)
	}
	fmt.Fprintf(p.stdout, "policy %s at http://%s%s (Ctrl-C ends it)\n", name, listener.Addr(), allocation.Path)
	return serve(cmd.Context(), listener, allocation.NewHandler(options))
}

func readPolicy(cmd *cobra.Command, name string) (allocation.Policy, error) {
	if !strings.ContainsAny(name, `./\`) {
		policy, ok := allocation.Shipped(name)
		if !ok {
			return policy, usage(cmd, "no policy is called %q; there are %s, or a file", name, strings.Join(allocation.ShippedNames(), ", "))
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
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
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
