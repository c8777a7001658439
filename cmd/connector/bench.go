package main

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"ad-ldap-connector/pkg/directory"
)

// A BenchReport is the JSON of "connector bench".
type benchReport struct {
	Runs []benchRun `json:"runs"`
}

// A BenchRun is what one number of logins at a time came to.
type benchRun struct {
	Concurrency int     `json:"concurrency"`
	PerSecond   float64 `json:"loginsPerSecond"`
	P50         float64 `json:"p50Ms"`
	P95         float64 `json:"p95Ms"`
	P99         float64 `json:"p99Ms"`
	Ceiling     float64 `json:"ceilingPerSecond"`
	Ratio       float64 `json:"ratio"`
	Logins      int     `json:"logins"`
	Refused     int     `json:"refused"`
	Faulted     int     `json:"faulted"`
	CPU         float64 `json:"cpuMsPerLogin"` // of this process
	Memory      float64 `json:"memoryMiB"`     // resident, at its highest
}

type benchOptions struct {
	users       string
	concurrency []int
	duration    time.Duration
	cache       bool
}

func newBenchCommand(a *app) *cobra.Command {
	o := benchOptions{concurrency: []int{1, 16, 64}, duration: 10 * time.Second}
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure logins a second against the directory, and the directory's own ceiling",
		Long: `Each user of the file logs in again and again, as the tenant would let them: found,
password tried, groups read, profile mapped. The ceiling is the same questions, bare,
each worker on two connections of its own, measured in turns with the logins in the
same run. Groups are read at each login; with --groups-cache they are remembered, and
then the ceiling answers more questions than the logins ask.

The file holds one user a line: the name, a tab (or, without one, a colon), and the
password. Whose password is refused is not tried again, so that no account is locked.
It is load on a directory that people use: choose the hour.`,
		Example: `  connector bench --users-file users.txt
  connector bench --users-file users.txt --concurrency 1,64,256 --duration 30s -o json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.check(); err != nil {
				return err
			}
			return a.bench(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.users, "users-file", "", "`file` of names and passwords; - is standard input")
	f.IntSliceVar(&o.concurrency, "concurrency", o.concurrency, "how many logins at a `time`, one run for each")
	f.DurationVar(&o.duration, "duration", o.duration, "how long to measure the logins of a run, and as long the ceiling")
	f.BoolVar(&o.cache, "groups-cache", false, "remember groups as GROUPS_CACHE_SECONDS says")
	return cmd
}

func (o benchOptions) check() error {
	switch {
	case o.users == "":
		return usagef("name a file of users: connector bench --users-file users.txt")
	case len(o.concurrency) == 0 || slices.Min(o.concurrency) < 1 || slices.Max(o.concurrency) > 4096:
		return usagef("--concurrency takes numbers from 1 to 4096, as in 1,16,64")
	case o.duration < 100*time.Millisecond:
		return usagef("--duration must be at least 100ms")
	}
	return nil
}

func (a *app) bench(ctx context.Context, o benchOptions) error {
	settleMemory()
	users, err := a.benchUsers(o.users)
	if err != nil {
		return err
	}
	w, err := a.openWorkbench(func(d *directory.Options) {
		if !o.cache {
			d.GroupsCache = 0
		}
	})
	if err != nil {
		return err
	}
	defer w.Close()
	b := &bench{workbench: w, duration: o.duration, users: newBenchUsers(users)}
	if err := b.tryOne(ctx); err != nil {
		return err
	}
	report := benchReport{Runs: []benchRun{}}
	for _, n := range o.concurrency {
		a.say("%d at a time, %s logins and %s ceiling", n, o.duration, o.duration)
		run, err := b.run(ctx, n)
		if err != nil {
			return err
		}
		report.Runs = append(report.Runs, run)
	}
	return a.printBench(report)
}

func (a *app) printBench(r benchReport) error {
	if a.json() {
		return a.print(r)
	}
	if err := a.text("%11s %9s %9s %6s %9s %9s %9s %8s %8s %8s %8s\n", "concurrency", "logins/s", "ceiling", "ratio",
		"p50 ms", "p95 ms", "p99 ms", "refused", "faulted", "CPU ms", "MiB"); err != nil {
		return err
	}
	for _, run := range r.Runs {
		if err := a.text("%11d %9.0f %9.0f %6.2f %9.2f %9.2f %9.2f %8d %8d %8.3f %8.1f\n", run.Concurrency, run.PerSecond, run.Ceiling, run.Ratio,
			run.P50, run.P95, run.P99, run.Refused, run.Faulted, run.CPU, run.Memory); err != nil {
			return err
		}
	}
	return nil
}

// quantile returns the smallest value that so many of all, which are sorted, do
// not exceed.
func quantile[T cmp.Ordered](sorted []T, part float64) T {
	var none T
	if len(sorted) == 0 {
		return none
	}
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)]
}
