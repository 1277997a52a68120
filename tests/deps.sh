#!/bin/sh
# Installs the Debian packages that a group of targets needs and starts no
# daemon of theirs.  "tests/deps.sh run", "tests/deps.sh test" ...
# PACKAGE or PACKAGE:FILE (any package that brings the file will do).
set -eu

build='gcc make pkg-config libuv1-dev libcurl4-gnutls-dev libjansson-dev
libinih-dev libnng-dev libmicrohttpd-dev libgnutls28-dev nettle-dev
libnghttp2-dev'
run='nginx-light:/usr/sbin/nginx libnginx-mod-stream curl python3'
test='git libcmocka-dev clang libclang-rt-14-dev clang-format clang-tidy cppcheck
shellcheck iproute2 iptables openssl mandoc busybox-static
docker.io:/usr/sbin/dockerd'

bench='wrk haproxy:/usr/sbin/haproxy caddy:/usr/bin/caddy'

case "${1:-}" in
build) wanted="$build" ;;
run) wanted="$build $run" ;;
test) wanted="$build $run $test" ;;
bench) wanted="$build $run $bench" ;;
*)
	echo "usage: tests/deps.sh build|run|test|bench" >&2
	exit 2
	;;
esac

missing=
for item in $wanted; do
	package=${item%%:*}
	file=${item#*:}
	if [ "$file" != "$item" ] && [ -e "$file" ]; then
		continue
	fi
	status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
	case "$status" in
	'install ok installed') ;;
	*) missing="$missing $package" ;;
	esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
	echo "These Debian packages are missing, and only root on Debian can" >&2
	echo "install them:$missing" >&2
	echo "Run: sudo apt-get install --no-install-recommends$missing" >&2
	exit 1
fi

echo "installing:$missing (no daemon is started)"
# invoke-rc.d asks this file: 101 forbids starting (Debian policy 9.3.3.1).
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
	printf '#!/bin/sh\nexit 101\n' >"$policy"
	chmod 755 "$policy"
	trap 'rm -f "$policy"' EXIT
	trap 'exit 1' INT TERM HUP
fi
log=$(mktemp)
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # the list is meant to be split
if ! { apt-get update -qq && apt-get install -y --no-install-recommends \
	$missing; } >"$log" 2>&1; then
	tail -n 20 "$log" >&2
	echo "Could not install:$missing (the whole log: $log)" >&2
	exit 1
fi
rm -f "$log"
