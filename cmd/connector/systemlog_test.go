package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"ad-ldap-connector/pkg/identity"
	"ad-ldap-connector/testdata/lab"
)

// A shelf keeps the notes that it is given.
type shelf struct {
	mu    sync.Mutex
	notes []note
}

func (s *shelf) put(n note) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.notes = append(s.notes, n)
	return nil
}

func (s *shelf) texts() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.notes {
		all = append(all, n.text)
	}
	return all
}

func systemLogTo(t *testing.T, put func(note) error, stderr io.Writer, wait time.Duration) (*systemLog, *slog.Logger) {
	t.Helper()
	s := newSystemLog(put, newLog(stderr, false, false).Handler(), wait)
	t.Cleanup(s.Close)
	return s, slog.New(s.handler(slog.LevelInfo))
}

// TestNotesHaveTheAttributes checks what people and programs get of a record,
// and that secrets stay hidden in both.
func TestNotesHaveTheAttributes(t *testing.T) {
	var kept shelf
	s, log := systemLogTo(t, kept.put, discard, time.Minute)
	hub := log.With("part", "hub").WithGroup("g")
	hub.Warn("answered", "user", "eve\nx=y", "took", 1234567*time.Nanosecond, slog.Group("in", "n", 1), "password", identity.Password("s3cret-s3cret"))
	log.Info("plain")
	log.Debug("not shown")
	s.Close()
	got := kept.notes
	if len(got) != 2 {
		t.Fatalf("%+v", got)
	}
	want := map[string]string{"part": "hub", "g.user": "eve\nx=y", "g.took": "1.23ms", "g.in.n": "1", "g.password": "[hidden]"}
	if diff := cmp.Diff(want, got[0].fields); diff != "" {
		t.Error(diff)
	}
	if want := `answered part=hub g.user="eve\nx=y" g.took=1.23ms g.in.n=1 g.password=[hidden]`; got[0].text != want ||
		got[0].event != "answered" || got[0].level != slog.LevelWarn || got[0].time.IsZero() {
		t.Errorf("%+v", got[0])
	}
	if got[1].text != "plain" || len(got[1].fields) != 0 {
		t.Errorf("%+v", got[1])
	}
}

// TestSystemLogThatIsGone writes to stderr what the log refuses.
func TestSystemLogThatIsGone(t *testing.T) {
	var said transcript
	s, log := systemLogTo(t, func(n note) error {
		if n.event == "refused" {
			return errors.New("no such socket")
		}
		return nil
	}, &said, time.Minute)
	log.Info("taken")
	log.Error("refused", "user", "al ice")
	s.Close()
	s.Close()
	log.Info("late")
	if text := said.String(); strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "] error: refused user=\"al ice\"\n") {
		t.Errorf("%q", text)
	}
}

// TestSystemLogThatIsFull has a log that takes nothing for a while: the records
// that follow go to stderr, the one it holds is there once it moves again, and
// so are those that come then.
func TestSystemLogThatIsFull(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		var said transcript
		var kept shelf
		var entered atomic.Bool
		free := make(chan struct{})
		s, log := systemLogTo(t, func(n note) error {
			if n.event == "held" {
				entered.Store(true)
				<-free
				if refuses {
					return errors.New("gone")
				}
			}
			return kept.put(n)
		}, &said, time.Millisecond)
		log.Info("held")
		lab.Eventually(t, "the log to hang", entered.Load)
		lab.Eventually(t, "others on stderr", func() bool {
			log.Info("aside")
			return strings.Contains(said.String(), "] aside\n")
		})
		close(free)
		lab.Eventually(t, "the log to move", func() bool {
			log.Info("after")
			return slices.Contains(kept.texts(), "after")
		})
		s.Close()
		if onStderr := strings.Contains(said.String(), "] held\n"); onStderr != refuses || slices.Contains(kept.texts(), "held") == refuses {
			t.Errorf("refuses %v: kept %q; stderr %q", refuses, kept.texts(), said.String())
		}
	}
}

// TestSystemLogNeverWaits logs far more than the queue holds where neither the
// log nor stderr takes anything, and closes it.
func TestSystemLogNeverWaits(t *testing.T) {
	var kept shelf
	var entered atomic.Bool
	free := make(chan struct{})
	s, log := systemLogTo(t, func(n note) error {
		entered.Store(true)
		<-free
		return kept.put(n)
	}, discard, time.Hour)
	log.Info("first")
	lab.Eventually(t, "the log to hang", entered.Load)
	for i := range 3 * systemQueue {
		log.Info("more", "i", i)
	}
	close(free)
	s.Close()
	<-s.done
	all := kept.texts()
	want := fmt.Sprintf("lines are missing here: the system's log was too slow lines=%d", 2*systemQueue)
	if len(all) != systemQueue+2 || all[1] != want || all[2] != "more i=0" {
		t.Errorf("%d: %.5q", len(all), all[:min(len(all), 5)])
	}
}

// TestFaultsAreSaidOnce checks where it is said why a connector cannot run.
func TestFaultsAreSaidOnce(t *testing.T) {
	var said transcript
	a := &app{stderr: &said}
	h := logHome(t)
	l := a.openRunLog("")
	l.openFile(h)
	l.log.Info("to both")
	l.apart.Error("to the file") // stderr gets it as every command's fault
	l.close()
	if text := said.String(); !strings.Contains(text, "to both") || strings.Contains(text, "to the file") {
		t.Errorf("stderr %q", text)
	}
	tail, err := h.Tail("logs/connector.log", 1000)
	if text := string(tail.Data); err != nil || !strings.Contains(text, "to both") || !strings.Contains(text, "to the file") {
		t.Errorf("%q, %v", text, err)
	}
}
