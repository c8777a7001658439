package lab

import "testing"

func TestFailed(t *testing.T) {
	const out = `=== RUN   TestA
    a_test.go:1: fine
--- PASS: TestA (0.00s)
=== RUN   TestB
=== PAUSE TestB
=== RUN   TestC
    c_test.go:2: first
=== CONT  TestB
    b_test.go:3: oh
=== NAME  TestC
    c_test.go:4: second
--- FAIL: TestC (1.00s)
--- FAIL: TestB (1.00s)
FAIL
`
	const want = `--- FAIL: TestC (1.00s)
    c_test.go:2: first
    c_test.go:4: second
--- FAIL: TestB (1.00s)
    b_test.go:3: oh
`
	if got := failed(out); got != want {
		t.Errorf("%s", got)
	}
	if got := failed("=== RUN   TestA\npanic: oh\n\ngoroutine 1\n"); got != "panic: oh\n\ngoroutine 1\n" {
		t.Errorf("%q", got)
	}
	if got := failed("--- PASS: TestA (0.00s)\nPASS\n"); got != "" {
		t.Errorf("%q", got)
	}
}
