#!/usr/bin/env python3
"""What the tests reached, of a build with --coverage: one line of figures,
and the files that have most lines left, from gcov.

usage: tests/coverage.py BUILD [FILE...]   (FILE: its lines that are left)
"""

import collections
import json
import os
import subprocess
import sys

OURS = ("lib/", "supervisor/", "extension/", "proxyctl/")


def notes(build):
    for folder, _, names in os.walk(build):
        for name in names:
            if name.endswith(".gcda"):
                yield os.path.join(folder, name)


def collect(build):
    """{file: {line: how often}}; headers and files of several programs are
    added up."""
    found = collections.defaultdict(collections.Counter)
    for path in notes(build):
        done = subprocess.run(
            ["gcov", "--json-format", "--stdout", path],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
        for text in done.stdout.splitlines():
            for file in json.loads(text)["files"]:
                name = os.path.relpath(file["file"])
                if not name.startswith(OURS):
                    continue
                for line in file["lines"]:
                    found[name][line["line_number"]] += line["count"]
    return found


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    found = collect(sys.argv[1])
    for name in sys.argv[2:]:
        left = [n for n, count in sorted(found[name].items()) if not count]
        print("%s: %s" % (name, " ".join(map(str, left))))
    left = {name: sum(1 for c in lines.values() if not c)
            for name, lines in found.items()}
    for name in sorted(left, key=left.get, reverse=True)[:15]:
        print("%5d of %5d lines left in %s" % (
            left[name], len(found[name]), name))
    total = sum(len(lines) for lines in found.values())
    print("coverage: %.1f %% of %d lines in %d files" % (
        100.0 * (total - sum(left.values())) / max(total, 1), total,
        len(found)))


main()
