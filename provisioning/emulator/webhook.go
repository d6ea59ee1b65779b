package emulator

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"dpsfleet/provisioning"
	"dpsfleet/provisioning/allocation"
)

// prepareWebhook makes the client that all allocations share. Its connections
// are kept, one for each call that may run at once. It asks for no compression,
// so that the limit of an answer is a limit of what is read, and uses no proxy:
// the network is what Config says.
func (c *Cloud) prepareWebhook() {
	c.transport = &http.Transport{
		DialContext:            c.cfg.Dial,
		DisableCompression:     true,
		MaxIdleConnsPerHost:    c.cfg.WebhookCalls,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
	var transport http.RoundTripper = c.transport
	if c.cfg.Transport != nil {
		transport = c.cfg.Transport(transport)
	}
	c.webhook = allocation.Client{
		Transport: transport,
		Settings:  c.cfg.Undocumented.Webhook,
		Slots:     make(chan struct{}, c.cfg.WebhookCalls),
	}
}

// client is the client with the records of one allocation.
func (c *Cloud) client(t *task) *allocation.Client {
	client := c.webhook
	client.Timeout = c.draw(c.cfg.Undocumented.WebhookTimeout, t.who.registrationID, "webhook "+t.operationID)
	client.Record = func(x provisioning.Exchange) {
		c.totals.webhookCalls.Add(1)
		x.OperationID = t.operationID
		c.cfg.Record(x)
	}
	return &client
}

// servePolicy serves the policy of an enrollment over HTTP on a listener of its
// own and returns its URL. On loopback only, whatever the devices' listener does.
func (c *Cloud) servePolicy(e Enrollment) (string, error) {
	listener, err := c.cfg.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	asked, query := c.functionKey(e.FunctionKey)
	server := &http.Server{
		Handler: allocation.NewHandler(allocation.HandlerOptions{
			Policy:      *e.Policy,
			FunctionKey: asked,
			Log:         c.cfg.FunctionLog,
		}),
		ReadHeaderTimeout: connectTimeout,
		ErrorLog:          slog.NewLogLogger(c.cfg.Log.Handler(), slog.LevelWarn),
	}
	c.policies = append(c.policies, server)
	c.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			c.cfg.Log.Error("the server of a policy ended", "error", err)
		}
	})
	u := url.URL{Scheme: "http", Host: listener.Addr().String(), Path: allocation.Path, RawQuery: query}
	return u.String(), nil
}

// functionKey is the key that a policy asks for, and the query of the URL under
// which DPS calls it.
func (c *Cloud) functionKey(use FunctionKeyUse) (asked allocation.FunctionKey, query string) {
	if use == FunctionKeyNone || use == "" && c.cfg.FunctionKey == "" {
		return "", ""
	}
	asked = cmp.Or(c.cfg.FunctionKey, allocation.FunctionKey(provisioning.NewKey().Base64()))
	if use == FunctionKeyMissing {
		return asked, ""
	}
	return asked, url.Values{"code": {string(asked)}}.Encode()
}
