package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ad-ldap-connector/pkg/doctor"
)

// maxReport is more than any report.
const maxReport = 4 << 20

// readReport reads the report to hold another against; nil when none is named.
// A file that is no report was named wrongly.
func readReport(name string) (*doctor.Document, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("read --against: %w", err)
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxReport+1))
	if err != nil {
		return nil, fmt.Errorf("read --against: %w", err)
	}
	if len(data) > maxReport {
		return nil, usagef("read --against %s: it is larger than %d MiB, and no report of doctor", name, maxReport>>20)
	}
	d, err := doctor.ParseDocument(data)
	if err != nil {
		return nil, &hinted{usagef("read --against %s: %w", name, err), "make one with: connector doctor --save " + name}
	}
	return &d, nil
}

// checkSave finds out early whether a report can be kept there: it would be a
// pity to have looked at everything for nothing.
func checkSave(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".doctor-*")
	if err != nil {
		return fmt.Errorf("keep the report: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// saveReport keeps a report, for its owner alone. A file that was there is
// replaced once the new one is whole.
func saveReport(name string, d doctor.Document) error {
	d.Fixes, d.Changes = nil, nil // they tell of this call, not of the machine
	data, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".doctor-*") // of mode 0600
	if err != nil {
		return fmt.Errorf("keep the report: %w", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep the report in %s: %w", name, err), os.Remove(f.Name()))
	}
	return nil
}
