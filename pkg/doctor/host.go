package doctor

import (
	"context"
	"time"
)

// Host is what the checks may ask of this machine. An error means that the
// system does not tell.
type Host struct {
	Arch        func(context.Context) (Arch, error)
	Cores       func(context.Context) (Cores, error)
	Memory      func(context.Context) (Memory, error)
	Disk        func(context.Context) (Disk, error) // of the home
	System      func(context.Context) (System, error)
	Manager     func(context.Context) (Manager, error)
	TimeService func(context.Context) (TimeService, error)

	// Ports are those that the connector listens on.
	Ports []Port
	// Listen tries whether an address can be listened on; an error that is
	// ErrTaken or ErrReserved says why not.
	Listen func(ctx context.Context, address string) error
	// Ours reports whether it is this home's own connector that listens there.
	Ours func(ctx context.Context, address string) bool
	// Holder names the program that listens there.
	Holder func(ctx context.Context, address string) (string, error)

	// Firewall says what this machine's own firewall makes of connections to
	// the port for browsers.
	Firewall func(context.Context) (Firewall, error)
	// OpenPort has it let them through.
	OpenPort func(context.Context) error

	// Execute runs a command that a fix consists of, and says so. It is called
	// after somebody has agreed.
	Execute func(ctx context.Context, words []string) error
}

// An Arch is the kind of processor: as uname and as Go name it.
type Arch struct {
	Machine string // "x86_64"
	Program string // what this program is built for: "386"
}

// Cores says how many logical processors there are.
type Cores struct {
	Machine int
	Usable  int     // that this process may run on; 0: not known
	Limit   float64 // how many cores' time a container may take; 0: no limit
	LimitBy string  // where the limit was read
}

// Memory is in octets.
type Memory struct {
	Machine uint64
	Limit   uint64 // what a container or service may use; 0: no limit
	LimitBy string // where the limit was read
}

// A Disk is the file system of a folder. Sizes are in octets.
type Disk struct {
	Path     string // the home, or its nearest parent that exists
	Type     string // "ext4"; may be ""
	Total    uint64
	Free     uint64 // for users that are not root
	ReadOnly bool
	Entries  *uint64 // how many files more can be made; nil: not counted here

	QuotaLeft *uint64 // nil: no quota, or not known
	QuotaOf   string  // whose it is: "root's"
}

// A System is the operating system.
type System struct {
	Name    string // for people: "Debian GNU/Linux 12 (bookworm)"
	ID      string // of os-release: "debian"; "windows", "macos"
	Version string // "12", "10.0.17763", "14.5"
	Kernel  string // Linux: "6.1.0-18-amd64"
	Server  bool   // Windows: an edition for servers
	// Ends is when its maker says that support ends; zero where it does not.
	Ends time.Time
}

// A Manager is what keeps services running.
type Manager struct {
	Name      string // "systemd", "launchd", "the Service Control Manager", or the first process's name; "" when not known
	Container string // which kind of container this is; "" when it is none
}

// A TimeService says what sets the clock.
type TimeService struct {
	Running      []string   // names of programs or services
	Synchronised *bool      // what the kernel says; nil: it does not say
	Container    string     // as in Manager
	Start        [][]string // the commands that start an installed one; nil: none is installed
}

// A Firewall is this machine's own.
type Firewall struct {
	Name string // "ufw"; "" where none is active that can be given rules
	Open bool   // others may reach the port
	Rule string // of what name a rule of ours is
	Note string // what is to be said where there is none
}

// A Port is one that the connector listens on.
type Port struct {
	Name    string // "the console"
	Key     string // the setting that moves it
	Address string // as for net.Listen
}
