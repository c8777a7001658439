#!/bin/sh
# Installs the servers and programs that the tests talk to, where it may: on
# Debian, as root. Elsewhere it says what is missing; the tests that need it
# say so too, and are skipped.
set -eu
missing=
need() { # need PROGRAM PACKAGE...
	program=$1
	shift
	PATH=$PATH:/usr/sbin:/sbin command -v "$program" >/dev/null 2>&1 || missing="$missing $*"
}
need slapd slapd slapd-contrib
need ldapsearch ldap-utils
need tinyproxy tinyproxy
need squid squid
need htpasswd apache2-utils
need chromium chromium
need npm npm
need certutil libnss3-tools
need samba samba samba-ad-dc samba-ad-provision ldb-tools winbind attr acl python3-markdown
need ldbadd ldb-tools
[ -e /usr/share/samba/setup/provision.ldif ] || missing="$missing samba-ad-provision"
need kinit krb5-user libsasl2-modules-gssapi-mit
need curl curl
need openssl openssl
/usr/bin/python3 -c 'import gssapi' 2>/dev/null || missing="$missing python3-gssapi"
/usr/bin/python3 -c 'import saml2' 2>/dev/null || missing="$missing python3-pysaml2"
need krb5kdc krb5-kdc krb5-admin-server
need dnsmasq dnsmasq-base
need chronyd chrony
need faketime faketime
need xmlsec1 xmlsec1
need promtool prometheus
need nft nftables
need ip iproute2
need haproxy haproxy
need keepalived keepalived
need nginx nginx-light libnginx-mod-stream
need systemd-nspawn systemd-container
need mmdebstrap mmdebstrap arch-test
need nsenter util-linux
need dbus-daemon dbus-daemon dbus-bin
need gnome-keyring-daemon gnome-keyring
need node nodejs
need jq jq
need unzip unzip
[ -n "$missing" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "lab: not installed here, and their tests are skipped:$missing" >&2
	echo "lab: on Debian, as root: apt-get install$missing" >&2
	exit 0
fi
# Servers are started by the tests alone, each with its own files.
if [ ! -x /usr/sbin/policy-rc.d ]; then
	printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
	chmod +x /usr/sbin/policy-rc.d
fi
echo "lab: installing$missing" >&2
export DEBIAN_FRONTEND=noninteractive
log=$(mktemp)
# shellcheck disable=SC2086 # a list of packages
if ! { apt-get update && apt-get -y -o DPkg::Lock::Timeout=900 install --no-install-recommends $missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	rm -f "$log"
	exit 1
fi
rm -f "$log"
