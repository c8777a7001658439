#!/bin/sh
# Runs every fuzz test for a while, one after the other.
set -eu
grep -rlE '^func Fuzz' --include='*_test.go' pkg cmd | while read -r file; do
	for name in $(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' "$file"); do
		echo "fuzz $(dirname "$file") $name"
		go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-20s}" -fuzzminimizetime 5s "./$(dirname "$file")"
	done
done
