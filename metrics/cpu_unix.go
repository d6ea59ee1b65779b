//go:build unix

package metrics

import (
	"syscall"
	"time"
)

// cpuTime is what this process has used, in user mode and in the kernel.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &usage) != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
