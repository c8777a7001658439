package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// What the requirements ask of a machine.
const (
	leastCores   = 1
	goodCores    = 2
	leastMemory  = 2 << 30
	leastDisk    = 500_000_000
	leastEntries = 100 // files that can still be made, where the file system counts them

	// A machine that was sold as one of 2 GB shows less: the firmware and the
	// kernel keep some, the kernel's crash dump up to 256 MiB of it.
	memoryThatDoes = leastMemory - 256<<20
)

var hostChecks = []Check{
	{
		ID: "host.arch", Title: "The processor is x86 or x86-64", Severity: Warns,
		Probe:   probeArch,
		Remedy:  "Prefer a machine with an x86-64 processor, or waive this check: the connector is built for this one too.",
		Command: "connector version",
	},
	{
		ID: "host.cores", Title: "There are two processor cores", Severity: Warns,
		Probe:  probeCores,
		Remedy: "Give this machine a second core, or waive this check: with one, logins wait for each other at busy hours.",
	},
	{
		ID: "host.memory", Title: "There are 2 GB of memory", Severity: Blocks,
		Probe:  probeMemory,
		Remedy: "Give this machine, or the container's limit, 2 GB of memory.",
	},
	{
		ID: "host.disk", Title: "There is room for the connector's files", Severity: Blocks,
		Probe:  probeDisk,
		Remedy: "Free 500 MB where the connector's files are, or put them elsewhere with --home.",
	},
	{
		ID: "host.os", Title: "The operating system can run the connector", Severity: Blocks,
		Probe:  probeSystem,
		Remedy: "Move to Windows 10, Windows Server 2016 or newer, to Linux with a kernel of 3.2 or newer, or to macOS 12 or newer.",
	},
	{
		ID: "host.os-support", Title: "The operating system gets security updates", Severity: Warns,
		Probe:  probeSupport,
		Remedy: "Move to a version of the operating system that gets security updates, or waive this check where you buy them.",
	},
	{
		ID: "host.service-manager", Title: "There is a service manager to keep the connector running", Severity: Warns,
		Probe:   probeManager,
		Remedy:  "Install with --no-service, and have \"connector run\" kept running by what starts programs here.",
		Command: "connector run",
	},
	{
		ID: "host.ports", Title: "The connector's ports are free, or its own", Severity: Warns,
		Probe:   probePorts,
		Remedy:  "End the other program, or choose another port with the setting that is named.",
		Command: "connector config show",
	},
	{
		ID: "host.time-service", Title: "A time service sets this machine's clock", Severity: Warns,
		Probe:  probeTimeService,
		Remedy: "Install a time service, for example chrony, and let it ask the same time servers as the domain controllers do.",
		Fix:    &Fix{Says: "Start the time service that is installed", Do: startTimeService},
	},
}

// notKnown is the outcome where the system does not tell.
func notKnown(what string, err error) Outcome {
	return Skip(fmt.Sprintf("%s is not known: %v", what, err))
}

// notAsked is why a check of the machine does not apply.
const notAsked = "this machine is not looked at"

func probeArch(ctx context.Context, e *Env) Outcome {
	if e.Host.Arch == nil {
		return Skip(notAsked)
	}
	a, err := e.Host.Arch(ctx)
	if err != nil {
		return notKnown("the processor", err)
	}
	machine, program := archName(a.Machine), archName(a.Program)
	o := Outcome{Status: Passed, Observed: machine, Required: "x86 or x86-64"}
	if program != machine {
		o.Observed += ", running the program for " + program
	}
	if machine != "x86" && machine != "x86-64" {
		o.Status, o.Detail = Failed, "it works on "+machine+", outside the documented requirements"
	}
	return o
}

// archName is what people call a processor that uname or Go names.
func archName(name string) string {
	switch name {
	case "x86_64", "amd64":
		return "x86-64"
	case "i386", "i486", "i586", "i686", "386", "x86":
		return "x86"
	case "aarch64", "arm64":
		return "arm64"
	}
	return name
}

func probeCores(ctx context.Context, e *Env) Outcome {
	if e.Host.Cores == nil {
		return Skip(notAsked)
	}
	c, err := e.Host.Cores(ctx)
	if err != nil {
		return notKnown("the number of cores", err)
	}
	o := Outcome{Status: Passed, Observed: count(c.Machine, "core", "cores"), Required: fmt.Sprintf("%d, better %d", leastCores, goodCores)}
	have := float64(c.Machine)
	if c.Usable > 0 && c.Usable < c.Machine {
		have = float64(c.Usable)
		o.Observed = fmt.Sprintf("%s, of which this process may use %d", o.Observed, c.Usable)
	}
	if c.Limit > 0 && c.Limit < have {
		have = c.Limit
		o.Observed = "the time of " + strconv.FormatFloat(math.Round(c.Limit*100)/100, 'f', -1, 64) + " cores"
		o.Detail = fmt.Sprintf("the machine has %s; the limit is %s", count(c.Machine, "core", "cores"), c.LimitBy)
	}
	switch {
	case have < leastCores:
		o.Status = Failed
	case have < goodCores:
		o.Status = Failed
		o.Detail = strings.TrimPrefix(o.Detail+"\none is enough to work; two are recommended", "\n")
	}
	return o
}

func probeMemory(ctx context.Context, e *Env) Outcome {
	if e.Host.Memory == nil {
		return Skip(notAsked)
	}
	m, err := e.Host.Memory(ctx)
	if err != nil {
		return notKnown("the memory", err)
	}
	have := m.Machine
	o := Outcome{Status: Passed, Observed: binary(have), Required: "2 GB (1.75 GiB will do: machines show a little less than they were sold with)"}
	if m.Limit > 0 && m.Limit < have {
		have = m.Limit
		o.Observed = binary(have) + ", the limit of a container or service"
		o.Detail = fmt.Sprintf("the machine has %s; the limit is %s", binary(m.Machine), m.LimitBy)
	}
	if have < memoryThatDoes {
		o.Status = Failed
	}
	return o
}

// binary writes an amount of memory.
func binary(n uint64) string {
	switch {
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.0f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// decimal writes an amount of room on a disk.
func decimal(n uint64) string {
	switch {
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	case n < 1e9:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%.1f GB", float64(n)/1e9)
}

func probeDisk(ctx context.Context, e *Env) Outcome {
	if e.Host.Disk == nil {
		return Skip(notAsked)
	}
	At(ctx, "asking the file system of the home")
	d, err := e.Host.Disk(ctx)
	if err != nil {
		return notKnown("the room on the disk", err)
	}
	o := Outcome{Status: Failed, Observed: decimal(d.Free) + " free at " + d.Path, Required: "500 MB"}
	if d.Type != "" {
		o.Detail = d.Type + ", " + decimal(d.Total) + " in all"
	}
	switch quota := d.QuotaLeft != nil && *d.QuotaLeft < d.Free; {
	case d.ReadOnly:
		o.Observed, o.Required = d.Path+" is on a read-only file system", "a file system that can be written"
		o.Remedy = "Mount the file system of the connector's files for writing, or put them elsewhere with --home."
	case quota && *d.QuotaLeft < leastDisk:
		o.Observed = fmt.Sprintf("%s left of %s quota at %s", decimal(*d.QuotaLeft), d.QuotaOf, d.Path)
		o.Detail = "the file system has " + decimal(d.Free) + " free; the quota allows less"
		o.Remedy = "Raise the quota, or put the connector's files elsewhere with --home."
	case d.Free < leastDisk:
	case d.Entries != nil && *d.Entries < leastEntries:
		o.Observed, o.Required = fmt.Sprintf("%d more files can be made at %s", *d.Entries, d.Path), fmt.Sprintf("%d", leastEntries)
		o.Detail = "there is room for data, but the file system's table of files (inodes) is full"
		o.Remedy = "Delete files where the connector's files are, or put them elsewhere with --home."
	default:
		o.Status = Passed
	}
	return o
}

func probeManager(ctx context.Context, e *Env) Outcome {
	if e.Host.Manager == nil {
		return Skip(notAsked)
	}
	m, err := e.Host.Manager(ctx)
	switch {
	case err != nil:
		return notKnown("the service manager", err)
	case slices.Contains([]string{"systemd", "launchd", "the Service Control Manager"}, m.Name):
		return Pass(m.Name)
	case m.Container != "":
		return Skip(fmt.Sprintf("this is a container (%s), which has none: run with \"connector run\", and let what starts containers keep it running", m.Container))
	case m.Name == "":
		return Outcome{Status: Failed, Observed: "none", Required: "systemd, launchd or the Service Control Manager of Windows"}
	}
	return Outcome{
		Status: Failed, Observed: m.Name, Required: "systemd, launchd or the Service Control Manager of Windows",
		Detail: "the first process of this machine is " + m.Name + ", and services cannot be registered with it",
	}
}

func probeTimeService(ctx context.Context, e *Env) Outcome {
	if e.Host.TimeService == nil {
		return Skip(notAsked)
	}
	At(ctx, "looking through the processes")
	s, err := e.Host.TimeService(ctx)
	switch {
	case err != nil:
		return notKnown("the time service", err)
	case len(s.Running) > 0:
		o := Pass(strings.Join(s.Running, ", "))
		if s.Synchronised != nil && !*s.Synchronised {
			o.Observed += "; the kernel says that the clock is not synchronised yet"
		}
		return o
	case s.Synchronised != nil && *s.Synchronised:
		return Pass("the kernel says that the clock is synchronised; by which program is not known")
	case s.Container != "":
		return Skip("this is a container (" + s.Container + "): its clock is the host's, and set there")
	}
	o := Outcome{Status: Failed, Observed: "none runs", Required: "one, such as systemd-timesyncd, chronyd, ntpd or w32time"}
	if len(s.Start) > 0 {
		o.Remedy, o.Command = "Start the time service that is installed, and see that it stays on.", command(s.Start)
	}
	return o
}

// command writes commands so that they can be pasted.
func command(all [][]string) string {
	var lines []string
	for _, words := range all {
		lines = append(lines, strings.Join(words, " "))
	}
	return strings.Join(lines, "\n")
}

// startTimeService runs what probeTimeService had advised.
func startTimeService(ctx context.Context, e *Env) error {
	s, err := e.Host.TimeService(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("look for time services: %w", err)
	case len(s.Start) == 0:
		return errors.New("no time service is installed; install one, for example chrony")
	case e.Host.Execute == nil:
		return errors.New("run it yourself: " + command(s.Start))
	}
	for _, words := range s.Start {
		if err := e.Host.Execute(ctx, words); err != nil {
			return fmt.Errorf("run %s: %w", strings.Join(words, " "), err)
		}
	}
	return nil
}
