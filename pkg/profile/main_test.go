package profile

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// childArgument makes the test binary a mapper process, as the connector's
// hidden command does.
const childArgument = "run-as-mapper-process"

func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == childArgument {
		memoryMB, err := strconv.Atoi(os.Args[2])
		if err == nil {
			err = Child(os.Stdin, os.Stdout, memoryMB)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// options are those of a mapper whose processes are this test binary.
func options(t testing.TB, script string) Options {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Script: script, Name: "lib/profileMapper.js", Children: 1, Timeout: 20 * time.Second, MemoryMB: 64,
		Command: func() *exec.Cmd { return exec.Command(program, childArgument, "64") },
	}
}

func start(t testing.TB, o Options) *Mapper {
	t.Helper()
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}
