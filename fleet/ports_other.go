//go:build !linux && !darwin

package fleet

const portsAdvice = ""

// localPorts is not read here: `netsh int ipv4 show dynamicport tcp` tells it on
// Windows.
func localPorts() (int, bool) { return 0, false }
