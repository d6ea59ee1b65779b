package fleet

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// freeMemory is how many bytes this process can still have without swapping: what
// the machine has available (proc_meminfo(5)), or what is left of the container's
// limit (memory.max of Linux's cgroup v2), if that is less.
func freeMemory() (int64, bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	_, rest, found := strings.Cut(string(text), "MemAvailable:")
	var kilobytes int64
	if n, _ := fmt.Sscan(rest, &kilobytes); !found || n < 1 {
		return 0, false
	}
	free := kilobytes << 10
	limit, limited := readNumber("/sys/fs/cgroup/memory.max") // "max" is no number
	used, _ := readNumber("/sys/fs/cgroup/memory.current")
	if limited {
		free = min(free, max(0, limit-used))
	}
	return free, true
}

func readNumber(path string) (int64, bool) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
