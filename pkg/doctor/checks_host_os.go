package doctor

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The oldest systems on which a program of today's toolchain starts (Go 1.26:
// release notes of 1.21, 1.24 and 1.26).
var (
	leastWindows = []int{10, 0, 14393} // Windows 10 of 1607, Windows Server 2016
	leastLinux   = []int{3, 2}
	leastMacOS   = []int{12}
)

// documentedWindows says what becomes of the requirement that the product has
// always named.
const documentedWindows = "the documented minimum, Windows 7 or Server 2008 R2, is older: what this program is built with ended its support for those"

func probeSystem(ctx context.Context, e *Env) Outcome {
	if e.Host.System == nil {
		return Skip(notAsked)
	}
	s, err := e.Host.System(ctx)
	if err != nil {
		return notKnown("the operating system", err)
	}
	o := Outcome{Status: Passed, Observed: s.Name}
	version, least := s.Version, leastMacOS
	switch e.OS {
	case "windows":
		o.Required, o.Detail = "Windows 10, Windows Server 2016 or newer (10.0.14393)", documentedWindows
		o.Observed, least = fmt.Sprintf("%s (%s)", s.Name, s.Version), leastWindows
	case "darwin":
		o.Required = "macOS 12 or newer"
		o.Detail = "macOS is outside the documented requirements, which name Windows and Linux"
	default:
		o.Required = "Linux with a kernel of 3.2 or newer"
		o.Observed, version, least = s.Name+", kernel "+s.Kernel, s.Kernel, leastLinux
	}
	have := numbers(version)
	switch {
	case len(have) == 0:
		return Skip(fmt.Sprintf("the version of the operating system is not known: %q", version))
	case older(have, least):
		o.Status = Failed
	}
	return o
}

// numbers reads the leading numbers of a version: "6.1.0-18-amd64" is 6.1.0.
func numbers(version string) (all []int) {
	for part := range strings.SplitSeq(version, ".") {
		end := strings.IndexFunc(part, func(r rune) bool { return r < '0' || r > '9' })
		digits := part
		if end >= 0 {
			digits = part[:end]
		}
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		all = append(all, n)
		if end >= 0 {
			break
		}
	}
	return all
}

// older compares versions; what one of them does not say is 0.
func older(a, b []int) bool {
	for i := range max(len(a), len(b)) {
		var x, y int
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			return x < y
		}
	}
	return false
}

func probeSupport(ctx context.Context, e *Env) Outcome {
	if e.Host.System == nil {
		return Skip(notAsked)
	}
	s, err := e.Host.System(ctx)
	if err != nil {
		return notKnown("the operating system", err)
	}
	until, more := supportEnds(s)
	if until.IsZero() {
		return Skip(fmt.Sprintf("it is not known here how long %s gets security updates", s.Name))
	}
	day := until.Format(time.DateOnly)
	if left := until.AddDate(0, 0, 1).Sub(e.now()); left <= 0 {
		return Outcome{
			Status: Failed, Observed: fmt.Sprintf("%s got security updates until %s", s.Name, day),
			Required: "a version that gets them", Detail: more,
		}
	}
	return Outcome{Status: Passed, Observed: fmt.Sprintf("%s gets security updates until %s", s.Name, day), Detail: more}
}
