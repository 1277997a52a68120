#!/bin/sh
# Makes the images: "deploy/images.sh build VERSION", and, where no registry
# can be reached, before it "deploy/images.sh base": a Debian 12 by
# debootstrap, tagged with the name that the Dockerfile starts from.
# DOCKER names the client, DOCKER_HOST the engine, APT_SOURCES a file of
# sources for the base (this machine's where it is not set), MIRROR what
# debootstrap asks (its own default where it is not set).
set -eu
cd "$(dirname "$0")/.."
docker=${DOCKER:-docker}
base=${BASE:-debian:bookworm-slim}

engine() {
	command -v "$docker" >/dev/null 2>&1 || {
		echo "make images: there is no $docker here (package" \
			"docker.io, or DOCKER=...)" >&2
		exit 1
	}
	words=$("$docker" version --format '{{.Server.Version}}' 2>&1) || {
		echo "make images: no engine answers" \
			"(${DOCKER_HOST:-the default socket}): $words" >&2
		exit 1
	}
}

make_base() {
	[ "$(id -u)" -eq 0 ] || {
		echo "make images-base: debootstrap needs root" >&2
		exit 1
	}
	command -v debootstrap >/dev/null 2>&1 || {
		echo "make images-base: there is no debootstrap here" >&2
		exit 1
	}
	tree=$(mktemp -d)
	trap 'rm -rf "$tree"' EXIT
	trap 'exit 1' INT TERM HUP
	debootstrap --variant=minbase bookworm "$tree/root" \
		${MIRROR:+"$MIRROR"} >"$tree/log" 2>&1 || {
		tail -n 20 "$tree/log" >&2
		exit 1
	}
	rm -rf "$tree"/root/var/cache/apt/archives/*.deb \
		"$tree"/root/var/lib/apt/lists/* "$tree"/root/usr/share/doc \
		"$tree"/root/usr/share/man "$tree"/root/usr/share/locale
	if [ -n "${APT_SOURCES:-}" ]; then
		rm -f "$tree/root/etc/apt/sources.list"
		cp "$APT_SOURCES" "$tree/root/etc/apt/sources.list.d/"
	fi
	tar -C "$tree/root" -c . | "$docker" import - "$base" >/dev/null
	echo "$base is there"
}

# The classic builder wants nothing besides the engine; its context is what
# the Dockerfile copies, so that nothing else is sent.  images.env names the
# images by their IDs: for a tag each node asks a registry at each start.
build() {
	rm -f deploy/images.env
	for target in bulkhead bulkhead-proxy; do
		tar -c deploy/Dockerfile Makefile lib supervisor extension \
			proxyctl | DOCKER_BUILDKIT=0 "$docker" build -q \
			-f deploy/Dockerfile --target "$target" \
			--build-arg BASE="$base" --build-arg VERSION="$1" \
			-t "$target:$1" \
			-t "$target:latest" - >/dev/null
		"$docker" image inspect --format "$target:$1 {{.Id}} {{.Size}}" \
			"$target:$1" |
			awk '{ printf "%s  %s  %.0f MB\n", $1, $2, $3 / 1e6 }'
	done
	{
		echo "# bulkhead:$1 and bulkhead-proxy:$1"
		"$docker" image inspect --format 'BULKHEAD_IMAGE={{.Id}}' \
			"bulkhead:$1"
		"$docker" image inspect --format \
			'BULKHEAD_PROXY_IMAGE={{.Id}}' "bulkhead-proxy:$1"
	} >deploy/images.env
}

case "${1:-}" in
base)
	engine
	make_base
	;;
build)
	engine
	build "${2:?VERSION}"
	;;
*)
	echo "usage: deploy/images.sh base|build VERSION" >&2
	exit 2
	;;
esac
