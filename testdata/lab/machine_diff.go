package lab

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// A Look is what a machine was like at one moment: its files below /etc, /opt,
// /root, /srv, /usr/local and some of /var, its units and accounts, and what
// accounts that are gone have left in memory.
type Look map[string]string

// look prints one line for each thing, "WHAT\tHOW IT IS". What systemd and dpkg
// write by themselves all the time is left out, and so are units that are not
// there, which systemd remembers for a moment when it was asked for them.
const look = `
find /etc /opt /root /srv /usr/local /var/lib /var/spool /var/cache -xdev \
	\( -path /var/lib/systemd -o -path /var/lib/dpkg -o -path /var/cache/apt \) -prune -o \
	\( -type f -o -type l -o -type d \) -printf 'file %p\t%y %m %U:%G %l\n' |
	grep -v -E '^file /etc/(passwd-|shadow-|group-|gshadow-|subuid-|subgid-|\.pwd\.lock)'
find /etc -xdev -type f ! -name '*-' ! -name '*.lock' -exec sha256sum {} + | awk '{ print "content " $2 "\t" $1 }'
find /etc/systemd /run/systemd/transient /run/systemd/system -printf 'unit file %p\t%y %l\n'
getent passwd | sed 's/:/\t/; s/^/user /'
getent group | sed 's/:/\t/; s/^/group /'
systemctl list-units --all --plain --no-legend --no-pager --type=service,socket,timer,path |
	grep -v -E '^(systemd-|polkit|firewalld|nftables|user@|user-runtime-dir@|session-|apt-|dpkg-|e2scrub|fstrim)' | awk '$2 != "not-found" { print "unit " $1 "\t" $2 }'
find /run /dev/shm -xdev -nouser 2>/dev/null | sed 's/^/orphan /; s/$/\t/'
`

// Look looks at the machine.
func (m *Machine) Look() Look {
	m.t.Helper()
	l := Look{}
	for line := range strings.Lines(m.Run("/bin/sh", "-c", look)) {
		what, how, _ := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		l[what] = how
	}
	if len(l) < 100 {
		m.t.Fatalf("saw only %d things in the machine", len(l))
	}
	return l
}

// Diff says what differs between two looks at a machine: what is new with +,
// what is gone with -, what has changed with ~.
func Diff(before, after Look) []string {
	var diff []string
	for _, what := range slices.Sorted(maps.Keys(after)) {
		if how, ok := before[what]; !ok {
			diff = append(diff, "+ "+what+" "+after[what])
		} else if how != after[what] {
			diff = append(diff, "~ "+what+": "+how+" -> "+after[what])
		}
	}
	for _, what := range slices.Sorted(maps.Keys(before)) {
		if _, ok := after[what]; !ok {
			diff = append(diff, "- "+what)
		}
	}
	return diff
}

// WantSame fails the test when something differs.
func WantSame(t testing.TB, before, after Look) {
	t.Helper()
	if diff := Diff(before, after); len(diff) > 0 {
		t.Errorf("the machine is not as it was:\n%s", strings.Join(diff, "\n"))
	}
}
