package main

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"ad-ldap-connector/pkg/console"
	"ad-ldap-connector/pkg/doctor"
)

// consoleCheckup is how long the checks of the console may take, as those of
// "connector doctor" may.
const consoleCheckup = 30 * time.Second

// consoleDoctor runs the checks, as "connector doctor" does.
func (n *node) consoleDoctor(ctx context.Context, q console.DoctorQuery, seen func(doctor.Finding)) (doctor.Document, error) {
	checks, err := doctor.Select(doctor.Checks, q.Only, nil)
	if err != nil {
		return doctor.Document{}, err
	}
	a := n.commands(new(bytes.Buffer))
	t, err := a.consoleTarget(q)
	if err != nil {
		return doctor.Document{}, err
	}
	defer t.Close()
	limited, cancel := context.WithTimeout(ctx, consoleCheckup)
	defer cancel()
	report := doctor.Run(limited, a.doctorEnv(t), checks, t.waivers, seen)
	b := thisBuild()
	return report.Document(doctor.Connector{Version: b.Version, OS: b.OS, Arch: b.Arch}), ctx.Err()
}

// consoleTarget is what the checks of the console look at: the home.
func (a *app) consoleTarget(console.DoctorQuery) (*target, error) { return a.openTarget(targetFlags{}) }

// consoleLogs shows lines of the log, as "connector logs" does.
func (n *node) consoleLogs(ctx context.Context, q console.LogQuery, show func(console.LogLine) error) error {
	least, contains := logLevels[q.Level], strings.ToLower(q.Contains)
	wanted := func(l logLine) bool {
		if level, known := logLevels[l.Level]; known && level < least {
			return false
		}
		return contains == "" || strings.Contains(strings.ToLower(l.text), contains)
	}
	if least == slog.LevelDebug && contains == "" {
		wanted = nil // so that no more is read than the last lines
	}
	a := n.commands(new(bytes.Buffer))
	return a.logs(ctx, logsAnswers{
		follow: q.Follow, since: q.Since, lines: q.Lines, cut: true, request: q.Request, wanted: wanted,
		put: func(l logLine) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return show(console.LogLine{Time: l.Time, Level: l.Level, Message: l.Message, Attributes: l.Attributes})
		},
	})
}

// consoleSupport makes the archive, as "connector support" does.
func (n *node) consoleSupport(ctx context.Context) (name string, archive []byte, err error) {
	var b bytes.Buffer
	name = "connector-support-" + fileHost() + "-" + time.Now().UTC().Format("20060102-150405") + ".zip"
	if err := n.commands(&b).support(ctx, supportAnswers{file: "-", timeout: consoleCheckup}); err != nil {
		return "", nil, fmt.Errorf("make the support archive: %w", err)
	}
	return name, b.Bytes(), nil
}
