//go:build unix

package mqtt

import (
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
)

// gulp reads a TCP connection by whole buffers, which it borrows only once there
// is something to read: a packet costs one system call instead of two, and an idle
// connection no buffer.
type gulp struct {
	raw  syscall.RawConn
	pull func(fd uintptr) bool // made once, so that a read allocates nothing
	lent *[]byte               // of scratch
	n    int
	err  error
}

// newGulp returns nil for what is not a bare TCP connection: what is between such
// a one and us must see the bytes.
func newGulp(nc net.Conn) *gulp {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil
	}
	g := &gulp{raw: raw}
	g.pull = g.try
	return g
}

// read waits for something to read, to the connection's read deadline. What it
// returns is good until giveBack.
func (g *gulp) read() ([]byte, error) {
	// First whoever else has something to do: by then the answer may be there, which
	// saves a system call in vain and a wait.
	runtime.Gosched()
	if err := g.raw.Read(g.pull); err != nil {
		return nil, err
	}
	if g.err == nil && g.n > 0 {
		return (*g.lent)[:g.n], nil
	}
	g.giveBack()
	if g.err == nil {
		return nil, io.EOF
	}
	return nil, os.NewSyscallError("read", g.err)
}

// try reports whether there is nothing to wait for.
func (g *gulp) try(fd uintptr) bool {
	buf := scratch.Get().(*[]byte)
	n, err := syscall.Read(int(fd), (*buf)[:cap(*buf)])
	for err == syscall.EINTR {
		n, err = syscall.Read(int(fd), (*buf)[:cap(*buf)])
	}
	if err == syscall.EAGAIN {
		scratch.Put(buf)
		return false
	}
	g.lent, g.n, g.err = buf, n, err
	return true
}

func (g *gulp) giveBack() {
	if g.lent != nil {
		scratch.Put(g.lent)
		g.lent = nil
	}
}
