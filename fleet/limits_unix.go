//go:build linux || darwin

package fleet

import (
	"fmt"
	"math"
	"syscall"
)

// openFiles is how many files the process may have open. Where that is less
// than want, it raises its soft limit towards the hard one first.
func openFiles(want int) (int, bool) {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0, false
	}
	if limit.Cur < uint64(want) && limit.Cur < limit.Max {
		raised := limit
		raised.Cur = min(uint64(want), limit.Max)
		if syscall.Setrlimit(syscall.RLIMIT_NOFILE, &raised) == nil {
			limit = raised
		}
	}
	return int(min(limit.Cur, math.MaxInt32)), true
}

func filesAdvice(want int) string {
	return fmt.Sprintf("run `ulimit -n %d` in this shell first (its upper bound is `ulimit -Hn`), or use fewer devices at once", want)
}
