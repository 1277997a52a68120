#!/bin/sh
# What must not stand in the tree: calls that are never right here, work left
# open, tests that wait by the clock.
set -eu
bad=0
look() { # title, pattern, pathspecs...
	title=$1
	pattern=$2
	shift 2
	if git grep -nIE "$pattern" -- "$@"; then
		echo "lint: $title" >&2
		bad=1
	fi
}
look 'calls that block the loop or steal children' \
	'(^|[^_[:alnum:]])(sleep|waitpid|curl_easy_perform|curl_multi_wait) *\(' \
	'lib/*.c' 'supervisor/*.c' 'extension/*.c' 'proxyctl/*.c'
look 'work left open' '\b(TODO|FIXME|XXX|HACK)\b' \
	. ':!tests/lint/words.sh'
look 'a test that sleeps instead of waiting for an event' \
	'\b(sleep [0-9]|usleep *\(|time\.sleep\()' \
	'tests/system' 'tests/cases' 'tests/contract' 'tests/swarm'
exit "$bad"
