package fleet

import "syscall"

const portsAdvice = "run `sysctl -w net.inet.ip.portrange.first=1024`, or name several local addresses (sources:) or have fewer devices at once"

// localPorts is how many connections one local address can have to one target
// (net.inet.ip.portrange in macOS's sysctl).
func localPorts() (int, bool) {
	low, err := syscall.SysctlUint32("net.inet.ip.portrange.first")
	if err != nil {
		return 0, false
	}
	high, err := syscall.SysctlUint32("net.inet.ip.portrange.last")
	if err != nil || high < low {
		return 0, false
	}
	return int(high-low) + 1, true
}
