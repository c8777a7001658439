package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/shirou/gopsutil/v3/cpu"
	"github.com/shirou/gopsutil/v3/host"
	"github.com/shirou/gopsutil/v3/mem"
	psnet "github.com/shirou/gopsutil/v3/net"
	"github.com/shirou/gopsutil/v3/process"
)

// factTime bounds one question to the system: some of them can hang, on a
// network file system or in a service of the system.
const factTime = 4 * time.Second

// ThisHost returns what this machine says of itself. Dir is the home, which
// need not exist. Ports, Ours and Execute are left to the caller.
func ThisHost(dir string) Host {
	return Host{
		Arch: timely(func(context.Context) (Arch, error) {
			machine, err := host.KernelArch()
			if err == nil && machine == "" {
				err = errors.New("the system does not tell")
			}
			return Arch{Machine: machine, Program: runtime.GOARCH}, err
		}),
		Cores: timely(func(ctx context.Context) (Cores, error) {
			n, err := cpu.CountsWithContext(ctx, true)
			if err == nil && n < 1 {
				err = errors.New("the system does not tell")
			}
			l := cgroups()
			return Cores{Machine: n, Usable: runtime.NumCPU(), Limit: l.cores, LimitBy: l.coresBy}, err
		}),
		Memory: timely(func(ctx context.Context) (Memory, error) {
			m, err := mem.VirtualMemoryWithContext(ctx)
			if err != nil {
				return Memory{}, err
			}
			if m.Total == 0 {
				return Memory{}, errors.New("the system does not tell")
			}
			l := cgroups()
			return Memory{Machine: m.Total, Limit: l.memory, LimitBy: l.memoryBy}, nil
		}),
		Disk:        timely(func(ctx context.Context) (Disk, error) { return diskOf(ctx, nearest(dir)) }),
		System:      timely(thisSystem),
		Manager:     timely(thisManager),
		TimeService: timely(thisTimeService),
		Listen:      listen,
		Holder: func(ctx context.Context, address string) (string, error) {
			return timely(func(ctx context.Context) (string, error) { return holderOf(ctx, address) })(ctx)
		},
	}
}

// timely returns f with a limit of its own: one that hangs is left behind, and
// one that panics has an error.
func timely[T any](f func(context.Context) (T, error)) func(context.Context) (T, error) {
	return func(ctx context.Context) (T, error) {
		ctx, cancel := context.WithTimeout(ctx, factTime)
		defer cancel()
		type answer struct {
			value T
			err   error
		}
		done := make(chan answer, 1)
		go func() {
			var a answer
			defer func() {
				if p := recover(); p != nil {
					a.err = fmt.Errorf("the system's answer makes no sense: %v", p)
				}
				done <- a
			}()
			a.value, a.err = f(ctx)
		}()
		select {
		case a := <-done:
			return a.value, a.err
		case <-ctx.Done():
			var none T
			return none, fmt.Errorf("the system does not answer: %w", ctx.Err())
		}
	}
}

// nearest returns a folder, or the nearest one above it that exists.
func nearest(dir string) string {
	if absolute, err := filepath.Abs(dir); err == nil {
		dir = absolute
	}
	for {
		above := filepath.Dir(dir)
		if _, err := os.Stat(dir); err == nil || above == dir {
			return dir
		}
		dir = above
	}
}

// listen tries an address for a moment. Nobody can connect: what was not
// accepted is reset when the listener closes.
func listen(ctx context.Context, address string) error {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case err == nil:
		return l.Close()
	case errors.Is(err, errTaken):
		return fmt.Errorf("listen on %s: %w", address, ErrTaken)
	case errors.Is(err, syscall.EACCES) || errors.Is(err, os.ErrPermission):
		return fmt.Errorf("listen on %s: %w", address, ErrReserved)
	}
	return err
}

// holderOf names the process that listens on a port.
func holderOf(ctx context.Context, address string) (string, error) {
	at, port, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	all, err := psnet.ConnectionsWithContext(ctx, "tcp")
	if err != nil {
		return "", err
	}
	for _, c := range all {
		everywhere := slices.Contains([]string{"", "*", "0.0.0.0", "::"}, c.Laddr.IP)
		if c.Status != "LISTEN" || fmt.Sprint(c.Laddr.Port) != port || c.Pid <= 0 || net.ParseIP(at) != nil && !everywhere && c.Laddr.IP != at {
			continue
		}
		text := fmt.Sprintf("process %d", c.Pid)
		if p, err := process.NewProcessWithContext(ctx, c.Pid); err == nil {
			if name, err := p.NameWithContext(ctx); err == nil && name != "" {
				text = fmt.Sprintf("%s (process %d)", name, c.Pid)
			}
		}
		return text, nil
	}
	return "", errors.New("no process is seen to listen there")
}

// running returns which of these programs run, dead ones that nobody has waited
// for left out.
func running(ctx context.Context, names []string) (found []string, err error) {
	all, err := process.ProcessesWithContext(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		if ctx.Err() != nil {
			return found, ctx.Err()
		}
		name, err := p.NameWithContext(ctx)
		if err != nil {
			continue // it has ended, or is not for us to see
		}
		i := slices.IndexFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
		if i < 0 || slices.Contains(found, names[i]) {
			continue
		}
		if status, err := p.StatusWithContext(ctx); err == nil && slices.Contains(status, process.Zombie) {
			continue
		}
		found = append(found, names[i])
	}
	return found, nil
}

// firstProcess names the process that started all others; "" when it is not
// known.
func firstProcess(ctx context.Context) string {
	p, err := process.NewProcessWithContext(ctx, 1)
	if err != nil {
		return ""
	}
	name, err := p.NameWithContext(ctx)
	if err != nil {
		return ""
	}
	return name
}
