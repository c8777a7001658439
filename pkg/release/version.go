package release

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// A Version is a semantic version (semver.org, 2.0.0). The zero value is no
// version, and older than all.
type Version struct {
	major, minor, patch uint64
	pre, build          string
	set                 bool
}

// maxVersion is the longest text of a version, in bytes: it is part of names.
const maxVersion = 64

// ParseVersion reads "1.4.0", "v1.4.0" or "1.5.0-rc.1+linux".
func ParseVersion(s string) (Version, error) {
	bad := fmt.Errorf("%q is no version such as 1.4.0", s)
	if len(s) > maxVersion {
		return Version{}, fmt.Errorf("a version of %d characters is none", len(s))
	}
	v := Version{set: true}
	rest, build, hasBuild := strings.Cut(strings.TrimPrefix(s, "v"), "+")
	core, pre, hasPre := strings.Cut(rest, "-")
	parts := strings.Split(core, ".")
	if len(parts) != 3 || hasBuild && !identifiers(build, false) || hasPre && !identifiers(pre, true) {
		return Version{}, bad
	}
	for i, to := range []*uint64{&v.major, &v.minor, &v.patch} {
		n, err := strconv.ParseUint(parts[i], 10, 63)
		if err != nil || strconv.FormatUint(n, 10) != parts[i] {
			return Version{}, bad
		}
		*to = n
	}
	v.pre, v.build = pre, build
	return v, nil
}

// identifiers checks what stands after "-" and "+"; strict forbids numbers with
// leading zeros.
func identifiers(s string, strict bool) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strict && len(part) > 1 && part[0] == '0' && isNumber(part) {
			return false
		}
		for _, c := range []byte(part) {
			if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
				return false
			}
		}
	}
	return true
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }

// IsZero reports whether v is no version.
func (v Version) IsZero() bool { return !v.set }

func (v Version) String() string {
	if !v.set {
		return ""
	}
	s := fmt.Sprintf("%d.%d.%d", v.major, v.minor, v.patch)
	if v.pre != "" {
		s += "-" + v.pre
	}
	if v.build != "" {
		s += "+" + v.build
	}
	return s
}

// Compare is -1 when v is older than w, 1 when it is newer, and 0 when neither;
// what stands after "+" does not count.
func (v Version) Compare(w Version) int {
	if v.set != w.set {
		if v.set {
			return 1
		}
		return -1
	}
	return cmp.Or(cmp.Compare(v.major, w.major), cmp.Compare(v.minor, w.minor), cmp.Compare(v.patch, w.patch), comparePre(v.pre, w.pre))
}

// comparePre compares pre-releases (section 11): none is newer than any.
func comparePre(a, b string) int {
	switch {
	case a == b:
		return 0
	case a == "":
		return 1
	case b == "":
		return -1
	}
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(as), len(bs)) {
		if c := compareIdentifier(as[i], bs[i]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(as), len(bs))
}

func compareIdentifier(a, b string) int {
	switch an, bn := isNumber(a), isNumber(b); {
	case an && bn: // no leading zeros, so the longer is the larger
		return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
	case an:
		return -1
	case bn:
		return 1
	}
	return strings.Compare(a, b)
}

// MarshalText writes v as String does.
func (v Version) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// UnmarshalText reads what ParseVersion reads, without the "v"; an empty text
// is no version.
func (v *Version) UnmarshalText(text []byte) (err error) {
	if len(text) == 0 {
		*v = Version{}
		return nil
	}
	if text[0] == 'v' {
		return fmt.Errorf("%q: write a version without the v", text)
	}
	*v, err = ParseVersion(string(text))
	return err
}
