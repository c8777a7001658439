package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
	"github.com/go-ldap/ldif"
)

// Limits of an LDIF.
const (
	ldifMaxEntry   = 8 << 20 // octets of one record
	ldifMaxEntries = 250_000
)

// ldifError says at which line of an LDIF something is wrong.
type ldifError struct {
	line int // where the record begins, or the line itself
	err  error
}

func (e *ldifError) Error() string { return fmt.Sprintf("line %d: %v", e.line, e.err) }
func (e *ldifError) Unwrap() error { return e.err }

// ldifRecord is one record, its lines unfolded and free of comments.
type ldifRecord struct {
	line  int
	lines []string
}

// ldifReader splits an LDIF (RFC 2849) into records.
type ldifReader struct {
	r    *bufio.Reader
	line int
}

// next reads a record; io.EOF when there is none. Values that are to be read
// from a file or a URL are refused here, before anything could follow them: an
// LDIF must not pull in whatever else lies on this machine.
func (r *ldifReader) next() (ldifRecord, error) {
	var rec ldifRecord
	var size int
	folded := false // what a line beginning with a space goes on: a line, not a comment
	for {
		text, err := r.readLine()
		if errors.Is(err, io.EOF) && text == "" {
			if len(rec.lines) > 0 {
				return rec, nil
			}
			return rec, io.EOF
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return rec, err
		}
		if size += len(text); size > ldifMaxEntry {
			return rec, &ldifError{r.line, fmt.Errorf("entry is longer than %d octets", ldifMaxEntry)}
		}
		switch {
		case text == "":
			if len(rec.lines) > 0 {
				return rec, nil
			}
		case text[0] == '#':
			folded = false
		case text[0] == ' ':
			if folded {
				rec.lines[len(rec.lines)-1] += text[1:]
			}
		default:
			if len(rec.lines) == 0 {
				rec.line = r.line
			}
			rec.lines = append(rec.lines, text)
			folded = true
		}
		if folded && ldifFromURL(rec.lines[len(rec.lines)-1]) {
			return rec, &ldifError{r.line, errors.New("values from a file or URL (\":<\") are not allowed")}
		}
	}
}

func ldifFromURL(line string) bool {
	_, value, ok := strings.Cut(line, ":")
	return ok && strings.HasPrefix(value, "<")
}

// readLine reads one line of bounded length, without its end.
func (r *ldifReader) readLine() (string, error) {
	var b []byte
	r.line++
	for {
		part, err := r.r.ReadSlice('\n')
		b = append(b, part...)
		if len(b) > ldifMaxEntry {
			return "", &ldifError{r.line, fmt.Errorf("line is longer than %d octets", ldifMaxEntry)}
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return strings.TrimRight(string(b), "\r\n"), err
		}
	}
}

// loadLDIF adds the entries of an LDIF, and returns the base DN: the first
// entry's. Records may also be changes: "add", and "modify" of an entry above.
func (d *Directory) loadLDIF(in io.Reader) (base string, err error) {
	r := ldifReader{r: bufio.NewReaderSize(in, 64<<10)}
	if mark, err := r.r.Peek(3); err == nil && string(mark) == "\xef\xbb\xbf" {
		if _, err := r.r.Discard(3); err != nil {
			return "", err
		}
	}
	baseNorm := ""
	for count := 0; ; {
		rec, err := r.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", err
		}
		if count++; count > ldifMaxEntries {
			return "", &ldifError{rec.line, fmt.Errorf("more than %d entries", ldifMaxEntries)}
		}
		dn, err := d.loadRecord(rec, baseNorm)
		if err != nil {
			return "", &ldifError{rec.line, err}
		}
		if base == "" && dn != "" {
			base = dn
			if baseNorm, err = normaliseDN(dn); err != nil {
				return "", &ldifError{rec.line, err}
			}
			d.store.schema.base = baseNorm
		}
	}
	if base == "" {
		return "", errors.New("it has no entries")
	}
	return base, nil
}

func (d *Directory) loadRecord(rec ldifRecord, base string) (dn string, err error) {
	parsed, err := ldif.Parse(strings.Join(rec.lines, "\n") + "\n\n")
	if err != nil {
		// The parser's own line numbers count from the record.
		var perr *ldif.ParseError
		if errors.As(err, &perr) {
			// Some messages quote the line, which may hold a password.
			message, _, _ := strings.Cut(perr.Message, " `")
			err = errors.New(message)
		}
		return "", err
	}
	for _, one := range parsed.Entries {
		switch {
		case one.Entry != nil:
			return one.Entry.DN, d.loadEntry(one.Entry, base)
		case one.Add != nil:
			e := &ldap.Entry{DN: one.Add.DN}
			for _, a := range one.Add.Attributes {
				e.Attributes = append(e.Attributes, &ldap.EntryAttribute{Name: a.Type, Values: a.Vals})
			}
			return e.DN, d.loadEntry(e, base)
		case one.Modify != nil:
			return "", d.loadChange(one.Modify)
		case one.Del != nil:
			return "", errors.New("changetype delete is not supported")
		}
	}
	return "", nil // a "version: 1" of its own
}

func (d *Directory) loadEntry(e *ldap.Entry, base string) error {
	norm, err := normaliseDN(e.DN)
	if err != nil {
		return err
	}
	if norm == "" || !belowDN(norm, base) {
		return fmt.Errorf("%q is not below the first entry", e.DN)
	}
	slices.SortFunc(e.Attributes, func(a, b *ldap.EntryAttribute) int { return strings.Compare(a.Name, b.Name) })
	var attrs []storeAttr
	for _, a := range e.Attributes {
		t := d.store.schema.learn(a.Name)
		switch t.kind {
		case kindStored, kindMemberOf:
		case kindHidden:
			t = d.store.userPassword
			d.warnScheme(e.DN, a.Values)
		default:
			continue // computed
		}
		for _, v := range a.Values {
			if _, ok := d.store.schema.normalise(t, v); !ok {
				return fmt.Errorf("%s of %q: %.40q is no such value", a.Name, e.DN, v)
			}
		}
		if i := slices.IndexFunc(attrs, func(b storeAttr) bool { return b.kind == t }); i >= 0 {
			attrs[i].values = append(attrs[i].values, a.Values...) // cn and cn;lang-de
			continue
		}
		attrs = append(attrs, storeAttr{t, a.Values})
	}
	_, err = d.store.add(e.DN, attrs)
	return err
}

func (d *Directory) warnScheme(dn string, values []string) {
	for _, v := range values {
		if scheme, _, ok := passwordScheme(v); ok && scheme != "SSHA" {
			d.log.Warn("password scheme is not known, nobody can sign in with it", "dn", dn, "scheme", scheme)
		}
	}
}

// loadChange applies a "changetype: modify" record.
func (d *Directory) loadChange(m *ldap.ModifyRequest) error {
	norm, err := normaliseDN(m.DN)
	if err != nil {
		return err
	}
	e := d.store.find(norm)
	if e == nil {
		return fmt.Errorf("modify %q: no such entry", m.DN)
	}
	edit := directoryEdit{d: d, e: e}
	return d.store.update(e, func(as []storeAttr) ([]storeAttr, error) {
		for _, ch := range m.Changes {
			if isPasswordName(ch.Modification.Type) {
				as = withAttr(as, d.store.userPassword, ch.Modification.Vals...)
				continue
			}
			d.store.schema.learn(ch.Modification.Type)
			if as, err = edit.apply(as, ldapChange{int(ch.Operation), ch.Modification.Type, ch.Modification.Vals}); err != nil {
				return nil, fmt.Errorf("modify %q: %w", m.DN, err)
			}
		}
		return as, nil
	})
}
