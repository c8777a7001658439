package profile

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Buffer gives what Node's gives: testdata/buffer.json is the output of Node 20
// for testdata/buffer.js.
func TestBuffer(t *testing.T) {
	source, err := os.ReadFile("testdata/buffer.js")
	if err != nil {
		t.Fatal(err)
	}
	golden, err := os.ReadFile("testdata/buffer.json")
	if err != nil {
		t.Fatal(err)
	}
	m := start(t, options(t, string(source)+"\nmodule.exports = function (raw) { return run(); };"))
	p, err := m.Map(t.Context(), entry(""), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	var got, want map[string]any
	if err := json.Unmarshal([]byte(p.String()), &got); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(golden, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Node's, ours: %s", diff)
	}
}
