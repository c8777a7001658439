#!/bin/sh
# Runs all tests and says what was skipped, and why. With CI=true, or with
# CONNECTOR_TEST_REQUIRE=1, a test that lacks its server fails instead. The
# race detector is on where there is a C compiler.
set -eu
[ "${CI:-}" != true ] || export CONNECTOR_TEST_REQUIRE=1
race=
# What a secret is sealed with is made to take long, and with the detector in it
# most of all tests' time: one goroutine's arithmetic, without it.
fast='-gcflags=golang.org/x/crypto/...=-race=false'
if command -v "${CC:-cc}" >/dev/null 2>&1; then
	race="-race $fast"
	# By itself every program with the detector in it sleeps for a second when it
	# ends, and the tests start some thousand.
	export CGO_ENABLED=1 GORACE="${GORACE:-atexit_sleep_ms=0}"
else
	export CGO_ENABLED=0
	echo "test: no C compiler, so without the race detector" >&2
fi
out=$(mktemp)
trap 'rm -f "$out"' EXIT
code=0
# Most tests wait for servers: more of them at once than there are processors.
# shellcheck disable=SC2086 # several words
go test $race -parallel 5 -timeout 35m -v "$@" ./... ./testdata/lab >"$out" 2>&1 || code=$?
# The detector itself breaks off at times, by a check of its own: where nothing
# else failed, what it broke off is run again.
if [ "$code" != 0 ] && grep -aq 'ThreadSanitizer: CHECK failed' "$out" && ! grep -aqE '^ *--- FAIL' "$out"; then
	again=$(awk -F '\t' '/^FAIL\t/ { print $2 }' "$out" | sed 's|^ad-ldap-connector|.|')
	echo "test: the race detector broke off; again: $again" >&2
	code=0
	# shellcheck disable=SC2086 # several words
	go test $race -parallel 5 -timeout 35m -v "$@" $again >>"$out" 2>&1 || code=$?
fi
# The chart's tests are a module of their own, for Helm's libraries are large.
# They start processes, and so gain nothing from the detector.
CGO_ENABLED=0 go -C installer/kubernetes/test test -timeout 10m -v "$@" ./... >>"$out" 2>&1 || code=$?
if [ "$code" != 0 ]; then
	grep -avE '^(=== |\s*--- (PASS|SKIP))' "$out" || true
else
	grep -aE '^(ok|FAIL|\?)' "$out" || true
fi
awk '/^ *--- (PASS|FAIL|SKIP): [^\/]*$/ { n[$2]++ } END { printf "%d passed, %d failed, %d skipped\n", n["PASS:"], n["FAIL:"], n["SKIP:"] }' "$out"
if grep -aqE '^ *--- SKIP' "$out"; then
	echo "skipped:"
	# A test says why while it runs, and that it was skipped when it has ended.
	awk '/^=== / { now = $3 } /^ +[^ ]+\.go:[0-9]+: / { why[now] = $0 } /^ *--- SKIP: / { print; if ($3 in why) print why[$3] }' "$out"
	[ "${CONNECTOR_TEST_REQUIRE:-}" != 1 ] || code=1
fi
exit "$code"
