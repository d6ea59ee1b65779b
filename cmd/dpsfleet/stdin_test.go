package main

import (
	"bytes"
	"context"
	"io"
	"testing"
	"testing/synctest"
)

// TestInterruptEndsAWaitForStandardInput: somebody who typed "-" and then nothing.
func TestInterruptEndsAWaitForStandardInput(t *testing.T) {
	for _, args := range [][]string{
		{"check", "-"},
		{"key", "--registration-id", "toaster1"},
		{"webhook", "--function-key-file", "-"},
	} {
		t.Run(args[0], func(t *testing.T) {
			t.Setenv("DPS_GROUP_KEY", "")
			synctest.Test(t, func(t *testing.T) {
				ctx, interrupt := context.WithCancel(t.Context())
				stdin, nobody := io.Pipe()
				defer nobody.Close()
				var out, problems bytes.Buffer
				ended := make(chan int)
				go func() { ended <- run(ctx, args, stdin, &out, &problems) }()
				synctest.Wait()
				interrupt()
				if code := <-ended; code != 130 || problems.String() != "dpsfleet: interrupted\n" {
					t.Errorf("exit code %d and %q, want 130 and that it was interrupted", code, problems.String())
				}
			})
		})
	}
}
