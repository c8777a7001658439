#!/bin/sh
# vuln.sh GOVULNCHECK CACHE: looks for known vulnerabilities with the database
# in $CONNECTOR_VULNDB or CACHE/vulndb.tar.gz (a folder, or a tar.gz of one).
# Without a database it says so, which is no pass.
set -eu
db=${CONNECTOR_VULNDB:-$2/vulndb.tar.gz}
if [ ! -e "$db" ]; then
	echo "vuln: NOT CHECKED: no database at $db (set CONNECTOR_VULNDB)" >&2
	exit 0
fi
if [ -f "$db" ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
	tar -xzf "$db" -C "$dir"
	db=$dir
fi
"$1" -db "file://$db" ./...
