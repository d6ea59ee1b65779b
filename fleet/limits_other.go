//go:build !linux && !darwin

package fleet

// openFiles knows no limit here: Windows counts sockets as handles, of which a
// process may have 16 million.
func openFiles(int) (int, bool) { return 0, false }

func filesAdvice(int) string { return "" }
