package directory

import (
	"regexp"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"pgregory.net/rapid"
)

// hostile are values that a careless substitution or escaping gets wrong.
var hostile = []string{
	"", "alice", "*", "(", ")", `\`, "\x00", "a*b", "$$", "$&", "$'", "$`", "$1", "{0}", "{1}", `\2a`, "*)(uid=*", "&|!", "=<>~:",
	"\xff\xfe", "\xc3", "\uFFFD", "jürgen", "😀", " lead", "trail ", "a\nb", strings.Repeat("(", 9000),
}

// templates are filters of every kind, the defaults among them.
var templates = []string{
	"(uid={0})", "(sAMAccountName={0})", "(&(objectCategory=person)(anr={0}))", "(|(uid={0})(mail={0})(cn={0}))",
	"(member:" + inChain + ":={0})", "(cn:dn:caseExactMatch:={0})", "(!(uid={0}))", "(uid>={0})", "(uid<={0})", "(uid~={0})",
	"(&(objectClass=user)(|(sAMAccountName={0})(userPrincipalName={0}@corp.example)))", "(uid={0}{0})", "(cn=x{0}y)",
	"(displayName=jürgen {0})", "(&(uid={0})(cn=*))", "(&)",
	"(|(sAMAccountName={user})(userPrincipalName={0}))", "(userPrincipalName={user}@{domain})", "(&(uid={user})(associatedDomain={domain}))",
	"(uid={users})", "(cn={0}{user}{domain}{0})",
}

func TestParseFilterRefuses(t *testing.T) {
	for _, template := range []string{
		"", "uid={0}", "(uid={0}", "(uid={0}))", "(uid={0})(cn={0})", "({0}=x)", "(cn:{0}:=x)", `(cn=\{0})`, `(cn=\4{0})`, "({user}=x)", `(cn=\4{domain})`, "(a{user}b=x)", "({0})", "{0}",
		"(uid=x\\zz)", "(&(uid={0})", "(a{0}b=x)", "(|({0}=*)(uid={0}))", "()", "(uid={0}\xff)", "(" + strings.Repeat("(", 20000),
		strings.Repeat("(!", 8000),
	} {
		if f, err := ParseFilter(template); err == nil {
			t.Errorf("ParseFilter(%.60q) took it as %.60q", template, f)
		} else if strings.Contains(err.Error(), "zz-placeholder") {
			t.Errorf("ParseFilter(%.60q): the sample shows: %v", template, err)
		}
	}
	var none Filter
	if !none.IsZero() || none.Places() != 0 || none.String() != "" {
		t.Error("the zero filter is not none")
	}
}

func TestFilterIsLiteral(t *testing.T) {
	for _, template := range templates {
		f, err := ParseFilter(template)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if f.String() != template {
			t.Errorf("%q became %q", template, f)
		}
		for _, v := range hostile {
			checkLiteral(t, f, v)
		}
	}
}

// checkLiteral compiles the filter for a value and looks for it, octet for
// octet, where the template had its places, with the rest unchanged.
func checkLiteral(t interface{ Fatalf(string, ...any) }, f Filter, value string) {
	if len(value) == 0 { // (cn=*{0}*) would be no filter any more
		return
	}
	got, err := ldap.CompileFilter(f.With(value))
	if err != nil {
		t.Fatalf("%q with %q: %v", f, value, err)
	}
	user, domain := partsOf(value)
	want, err := ldap.CompileFilter(f.fill("zMARKz", "zUSERz", "zDOMAINz"))
	if err != nil {
		t.Fatalf("%q: %v", f, err)
	}
	sameShape(t, f, got, want, strings.NewReplacer("zMARKz", value, "zUSERz", user, "zDOMAINz", domain), value)
}

// anyName tells the forms of a username apart, as documented.
var anyName = regexp.MustCompile(`(?s)^(?:([^\\]+)\\(.+)|(.+)@([^@]+))$`)

func partsOf(value string) (user, domain string) {
	m := anyName.FindStringSubmatchIndex(value)
	switch {
	case m == nil:
		return value, "\x00"
	case m[2] >= 0:
		return value[m[4]:m[5]], value[m[2]:m[3]]
	}
	return value[m[6]:m[7]], value[m[8]:m[9]]
}

func sameShape(t interface{ Fatalf(string, ...any) }, f Filter, got, want *ber.Packet, mark *strings.Replacer, value string) {
	if got.Tag != want.Tag || got.ClassType != want.ClassType || len(got.Children) != len(want.Children) {
		t.Fatalf("%q with %q has another shape", f, value)
	}
	for i := range want.Children {
		sameShape(t, f, got.Children[i], want.Children[i], mark, value)
	}
	if len(want.Children) > 0 {
		return
	}
	if w := mark.Replace(text(want)); text(got) != w {
		t.Fatalf("%q with %q asserts %q, want %q", f, value, text(got), w)
	}
}

func TestFilterIsLiteralForAnyValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := must(rapid.SampledFrom(templates).Draw(t, "template"))
		checkLiteral(t, f, string(rapid.SliceOf(rapid.Byte()).Draw(t, "value")))
	})
}

func TestFilterAny(t *testing.T) {
	f := must("(member={0})")
	if got, want := f.any([]string{"a"}), "(member=a)"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := f.any([]string{"a", "(b"}), `(|(member=a)(member=\28b))`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestDefaultFiltersParse(t *testing.T) {
	o := Options{}.withDefaults()
	for _, f := range []Filter{o.UserFilter, o.SearchFilter, o.SearchAllFilter, o.ListGroupsFilter, o.GroupsFilter, o.HeartbeatFilter} {
		if f.IsZero() {
			t.Error("a filter has no default")
		}
	}
}

// The parts of a name are never empty: an empty one would match everybody in
// (uid={user}*).
func TestSplitName(t *testing.T) {
	for value, want := range map[string][2]string{
		"alice": {"alice", "\x00"}, `CORP\alice`: {"alice", "CORP"}, "alice@corp.example": {"alice", "corp.example"},
		`CORP\`: {`CORP\`, "\x00"}, `\alice`: {`\alice`, "\x00"}, "@corp": {"@corp", "\x00"}, "alice@": {"alice@", "\x00"},
		`a\b\c`: {`b\c`, "a"}, "a@b@c": {"a@b", "c"}, `CORP\a@b`: {"a@b", "CORP"}, `\`: {`\`, "\x00"}, "@": {"@", "\x00"}, "*": {"*", "\x00"},
	} {
		user, domain := splitName(value)
		if got := [2]string{user, domain}; got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}
