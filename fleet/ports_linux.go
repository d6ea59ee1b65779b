package fleet

import (
	"fmt"
	"os"
)

const portsAdvice = "run `sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"`, or name several local addresses (sources:) or have fewer devices at once"

// localPorts is how many connections one local address can have to one target
// (ip_local_port_range in Linux's ip-sysctl).
func localPorts() (int, bool) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err != nil {
		return 0, false
	}
	var low, high int
	if n, _ := fmt.Sscan(string(text), &low, &high); n < 2 || high < low {
		return 0, false
	}
	return high - low + 1, true
}
