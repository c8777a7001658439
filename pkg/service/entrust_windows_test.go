package service

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/windows"
)

// The account of a service is known before the service is. The first two are
// those that Microsoft documents.
func TestAccountSID(t *testing.T) {
	for name, want := range map[string]string{
		"TrustedInstaller": "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
		"W32Time":          "S-1-5-80-4267341169-2882910712-659946508-2704364837-2204554466",
	} {
		if got := accountSID(name); got != want || accountSID(strings.ToLower(name)) != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// The program's folder is kept from the account, whatever the home's is.
func TestGuards(t *testing.T) {
	u := Unit{Name: "g", Home: `C:\home`, Program: `C:\home\bin\connector.exe`, Writable: []string{`C:\spool`}}
	dirs := func() (all []string) {
		for _, g := range u.guards() {
			all = append(all, g.dir)
		}
		return all
	}
	if got := dirs(); !slices.Equal(got, []string{`C:\home\bin`, `C:\home`, `C:\spool`}) {
		t.Errorf("%q", got)
	}
	for _, program := range []string{`C:\home\connector.exe`, `C:\Program Files\connector.exe`, `D:\home\bin\connector.exe`, `C:\homes\connector.exe`} {
		if u.Program = program; !slices.Equal(dirs(), []string{`C:\home`, `C:\spool`}) {
			t.Errorf("%s: %q", program, dirs())
		}
	}
	d, err := windows.SecurityDescriptorFromString("D:P" + programList("TrustedInstaller"))
	want := "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)"
	if err != nil || d.String() != want {
		t.Errorf("%v, %v", d, err)
	}
	for now, holds := range map[string]bool{
		want: true, strings.Replace(want, "D:P", "D:PAI", 1): true, strings.Replace(want, "D:P", "D:AI", 1): false,
		strings.Replace(want, "1200a9", "1301bf", 1): false, want + "(A;;FR;;;WD)": false, "D:P": false,
	} {
		d, err := windows.SecurityDescriptorFromString(now)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := (guard{dir: `C:\home\bin`, list: programList("TrustedInstaller"), own: true}).holds(d, "TrustedInstaller"); got != holds || err != nil {
			t.Errorf("%s: %t, %v", now, got, err)
		}
	}
}

// The account is added to those that may use the home.
func TestAdmitting(t *testing.T) {
	before, err := windows.SecurityDescriptorFromString("D:P(A;OICI;FA;;;SY)(A;OICI;FR;;;BU)")
	if err != nil {
		t.Fatal(err)
	}
	old, _, err := before.DACL()
	if err != nil {
		t.Fatal(err)
	}
	list, err := admitting(old, "TrustedInstaller")
	if err != nil {
		t.Fatal(err)
	}
	after, err := windows.NewSecurityDescriptor()
	if err == nil {
		err = after.SetDACL(list, true, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	if after, err = after.ToSelfRelative(); err != nil {
		t.Fatal(err)
	}
	got := strings.SplitAfter(entries(after), ")")
	slices.Sort(got)
	want := []string{"", "(A;OICI;0x1301bf;;;" + accountSID("TrustedInstaller") + ")", "(A;OICI;FA;;;SY)", "(A;OICI;FR;;;BU)"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	for d, holds := range map[*windows.SECURITY_DESCRIPTOR]bool{before: false, after: true} {
		if got, err := (guard{dir: `C:\spool`}).holds(d, "TrustedInstaller"); got != holds || err != nil {
			t.Errorf("%s: %t, %v", d, got, err)
		}
		if got, err := (guard{dir: `C:\home`, own: true}).holds(d, "TrustedInstaller"); got || err != nil { // it is not kept from those above
			t.Errorf("%s: %t, %v", d, got, err)
		}
	}
}

// What a home below the folder of programs inherits goes: every user may read
// there.
func TestExplicit(t *testing.T) {
	d, err := windows.SecurityDescriptorFromString("D:AI(A;OICI;FR;;;S-1-5-21-1-2-3-1001)(A;OICI;FA;;;BA)(A;OICIID;FA;;;SY)(A;OICIID;0x1200a9;;;BU)(A;ID;FA;;;BA)")
	if err != nil {
		t.Fatal(err)
	}
	if got := explicit(d); got != "(A;OICI;FR;;;S-1-5-21-1-2-3-1001)" {
		t.Errorf("%q", got)
	}
	if list, err := listOf(keepers + explicit(d)); err != nil || list.AceCount != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := listOf("(A;OICI"); err == nil {
		t.Error("half an entry is a list")
	}
}

// A folder that is not there, or leads elsewhere, stops it before anything is
// changed.
func TestEntrustRefuses(t *testing.T) {
	u := testUnit("refuses")
	u.Home = filepath.Join(t.TempDir(), "home")
	u.Program = filepath.Join(u.Home, "bin", "agent.exe")
	check := func(want string) {
		t.Helper()
		if c, err := Entrust(t.Context(), u); err == nil || !strings.Contains(err.Error(), want) || c.Changed() {
			t.Errorf("%t, %v; want %s", c.Changed(), err, want)
		}
		if so, err := Entrusted(t.Context(), u); so || err != nil {
			t.Errorf("entrusted: %t, %v", so, err)
		}
	}
	check(filepath.Join(u.Home, "bin"))
	if err := os.Mkdir(u.Home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(u.Home, "bin"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	check("it is no folder")
	if err := os.Remove(filepath.Join(u.Home, "bin")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(u.Home, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	c, err := Entrust(t.Context(), u)
	if err != nil || !c.Changed() {
		t.Fatal(c.Changed(), err)
	}
	for range 2 {
		if err := c.Undo(t.Context()); err != nil {
			t.Error(err)
		}
	}
}
